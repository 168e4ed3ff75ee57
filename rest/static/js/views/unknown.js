/** Every face that nobody named, those of the largest group first. */

import { post } from "../api.js";
import { h, show, stamp } from "../dom.js";
import { attempt } from "../notices.js";
import { count } from "../words.js";
import { Choosing } from "./choosing.js";
import { Loading } from "./loading.js";
import { Pages } from "./pages.js";
import { face } from "./parts.js";
import { toast } from "../notices.js";

const AT_ONCE = 200;

export function unknownView(main) {
  const { content, parts } = stamp("view-unknown");
  main.append(content);
  const loading = new Loading(main, async () => {
    await faces.begin(`/faces?person=none&order=group&limit=${AT_ONCE}`);
    choosing.settle();
    show(parts.empty, faces.empty);
  });
  const refresh = () => loading.run();
  const choosing = new Choosing(parts.chosen, (chosen) => [["They are one person", "merge", () => gather(chosen, refresh)]]);
  const faces = new Pages(parts.faces, parts.more, (found) => faceItem(found, choosing));
  refresh();
  return () => loading.stop();
}

function faceItem(found, choosing) {
  const size = found.group_size > 1 ? count(found.group_size, "face") : "alone";
  return h(
    "li",
    { class: "person" },
    choosing.box(found.id, found, "Choose this face"),
    h("a", { href: `#/image/${found.image}`, "aria-label": `Look at the picture, ${size}` }, face(found.thumbnail, "")),
    h("span", { class: "muted numbers" }, size),
  );
}

function gather(chosen, done) {
  return attempt(async () => {
    const [first, ...others] = chosen;
    const { person } = await post(`/faces/${first.id}/person`, { person: "new" });
    for (const other of others) await post(`/faces/${other.id}/person`, { person });
    toast(`${count(chosen.length, "face")} are one person now.`);
    await done();
    location.hash = `#/person/${person}`;
  });
}
