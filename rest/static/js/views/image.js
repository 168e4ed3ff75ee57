/** One picture: its faces, whom they match, its facts, and erasing it. */

import { call, get } from "../api.js";
import { fill, h, icon, stamp } from "../dom.js";
import { live } from "../live.js";
import { ask, attempt, tell } from "../notices.js";
import { count, distance, reason, time, title } from "../words.js";
import { Loading } from "./loading.js";
import { noPicture } from "./missing.js";
import { Stage, badge, face, nearness, picture } from "./parts.js";

const MATCHES_SHOWN = 6;

export function imageView(main, hash) {
  const { content, parts } = stamp("view-image");
  main.append(content);
  const loading = new Loading(main, async () => {
    const image = await get(`/images/${hash}`).catch(unlessMissing);
    if (!image) {
      if (parts.title.isConnected) noPicture(main);
      return;
    }
    const { faces } = image.state === "done" ? await get(`/images/${hash}/faces?limit=${MATCHES_SHOWN}`) : { faces: [] };
    draw(parts, { ...image, near: new Map(faces.map((face) => [face.id, face.matches])), people: await peopleOf(image) });
  });
  const heard = (event) => event.detail.hash === hash && loading.run();
  live.addEventListener("state", heard);
  loading.run();
  return () => {
    live.removeEventListener("state", heard);
    loading.stop();
  };
}

/** What is asked for may not be there: null then. */
function unlessMissing(error) {
  if (error.status === 404) return null;
  throw error;
}

/** The persons of a picture's faces, by id. */
async function peopleOf(image) {
  const ids = [...new Set(image.faces.map((found) => found.person).filter(Boolean))];
  const found = await Promise.all(ids.map((id) => get(`/people/${id}?limit=1`).catch(() => null)));
  return new Map(found.filter(Boolean).map((person) => [person.id, person]));
}

function draw(parts, image) {
  parts.title.textContent = title(image);
  document.title = `${title(image)} · facerec`;
  fill(parts.state, badge(image.state));
  drawFacts(parts.facts, image);
  fill(parts.links, ...links(image));
  if (image.state !== "done") {
    const words = image.state === "failed" ? reason(image.reason, image.detail) : "It is not finished yet. This page shows it when it is.";
    parts.facesTitle.textContent = image.state === "failed" ? "Failed" : "Under way";
    fill(parts.faces, h("li", { class: "muted" }, words));
    fill(parts.stage, picture(null, "No picture yet"));
    return;
  }
  drawFaces(parts, image);
}

function drawFaces(parts, image) {
  parts.facesTitle.textContent = image.faces.length ? count(image.faces.length, "face") : "No faces";
  const alt = `${title(image)}, ${count(image.faces.length, "face")}`;
  const stage = new Stage(parts.stage, { ...image, source: `/images/${image.hash}/preview`, alt });
  const rows = image.faces.map((found, number) => faceRow(found, number, image));
  fill(parts.faces, ...rows);
  const light = (number, on) => {
    stage.light(number, on);
    rows[number].classList.toggle("lit", on);
  };
  image.faces.forEach((found, number) => {
    const chosen = (at, kind) => {
      light(at, true);
      if (kind === "click") rows[at].scrollIntoView({ block: "nearest", behavior: "smooth" });
    };
    stage.add(found.box, `Face ${number + 1}`, { chosen, left: (at) => light(at, false) });
    rows[number].addEventListener("mouseenter", () => light(number, true));
    rows[number].addEventListener("mouseleave", () => light(number, false));
    rows[number].addEventListener("focusin", () => light(number, true));
    rows[number].addEventListener("focusout", () => light(number, false));
  });
}

function faceRow(found, number, image) {
  const matches = image.near.get(found.id) ?? [];
  const marks = found.marks.length ? h("p", { class: "muted" }, `Not compared: ${found.marks.join(", ")}.`) : null;
  return h(
    "li",
    { class: "face-row" },
    face(found.thumbnail, `Face ${number + 1}`),
    h(
      "div",
      { class: "face-text" },
      h("h3", {}, `Face ${number + 1}`, ...who(image.people.get(found.person))),
      marks,
      matches.length
        ? h("ul", { class: "matches" }, ...matches.map(matchRow))
        : h("p", { class: "muted" }, "In no other picture."),
    ),
  );
}

function who(person) {
  if (!person) return [];
  return [": ", h("a", { href: `#/person/${person.id}` }, person.name ?? `somebody in ${count(person.faces, "picture")}`)];
}

function matchRow(match) {
  const name = title(match);
  const label = `${name}, distance ${distance(match.distance)}`;
  return h(
    "li",
    {},
    h("a", { class: "match", href: `#/image/${match.hash}`, "aria-label": label }, picture(`/images/${match.hash}/small`, ""), h("span", { class: "name" }, name), nearness(match.distance)),
  );
}

function links(image) {
  const kept = image.state === "done" && image.faces.every((found) => found.thumbnail);
  const open = (path, words) => h("a", { class: "button secondary small", href: `/images/${image.hash}/${path}`, target: "_blank", rel: "noopener" }, icon("out"), words);
  const erase = h("button", { type: "button", class: "danger quiet small", onclick: () => eraseImage(image) }, icon("trash"), "Erase…");
  return kept ? [open("original", "Original"), open("overlay", "With boxes"), erase] : [erase];
}

async function eraseImage(image) {
  const text = [
    h("p", {}, `“${title(image)}” will be removed everywhere: its faces, names, matches and stored pictures. This cannot be undone.`),
  ];
  if (!(await ask("Erase this picture?", text, "Erase it"))) return;
  await attempt(async () => {
    const receipt = await call("DELETE", `/images/${image.hash}`);
    await tell("Erased", ...receiptWords(receipt));
    location.hash = "#/images";
  });
}

function receiptWords(receipt) {
  const { removed, pictures } = receipt;
  const rows = [
    ["Names", nameList(receipt.names)],
    ["Faces", String(removed["database 3"])],
    ["Links to other pictures", String(removed["database 4"] / 2)],
    ["Stored pictures", pictures.pending ? `follow as soon as possible (${pictures.pending})` : String(pictures.removed)],
    ["Given up jobs", String(receipt.dead_letters)],
    ["When", time(receipt.erased_at)],
    ["Hash", receipt.hash],
  ];
  const file = URL.createObjectURL(new Blob([JSON.stringify(receipt, null, 2)], { type: "application/json" }));
  return [
    h("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h("p", {}, h("a", { href: file, download: `receipt-${receipt.hash.slice(0, 12)}.json` }, "Save the receipt")),
  ];
}

/** Each name by itself: one that is written from right to left would mix with the next. */
function nameList(names) {
  if (!names.length) return "none";
  return names.flatMap((name, at) => [at ? ", " : "", h("bdi", {}, name)]);
}

function drawFacts(element, image) {
  const rows = [
    [image.names.length > 1 ? "Names" : "Name", nameList(image.names)],
    ["Size", image.width ? `${image.width} × ${image.height} pixels` : "unknown"],
    ["Added", time(image.queued_at)],
    ["Finished", image.done_at ? time(image.done_at) : "not yet"],
    ["Model", image.model ?? "unknown"],
    ["Hash", image.hash],
  ];
  fill(element, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}
