/** Starts the page: who is signed in, which view the address names, what runs on while views change. */

import { call, get, useCsrf } from "./api.js";
import { fill, h, show } from "./dom.js";
import { live } from "./live.js";
import { attempt } from "./notices.js";
import { uploader } from "./upload/uploader.js";
import { addView } from "./views/add.js";
import { imageView } from "./views/image.js";
import { imagesView } from "./views/images.js";
import { jobsView } from "./views/jobs.js";
import { loginView } from "./views/login.js";
import { peopleView } from "./views/people.js";
import { personView } from "./views/person.js";
import { searchView } from "./views/search.js";
import { unknownView } from "./views/unknown.js";
import { keptWords, status } from "./status.js";
import { number } from "./words.js";

const ROUTES = [
  [/^\/?$/, addView, "Add"],
  [/^\/images$/, imagesView, "Pictures"],
  [/^\/image\/([0-9a-f]{64})$/, imageView, "Picture"],
  [/^\/people$/, peopleView, "People"],
  [/^\/person\/(\d+)$/, personView, "Person"],
  [/^\/unknown$/, unknownView, "Faces without a name"],
  [/^\/search$/, searchView, "Search"],
  [/^\/jobs$/, jobsView, "Jobs"],
];
const TAB_OF = { "#/image": "#/images", "#/person": "#/people", "#/unknown": "#/people" };

const main = document.getElementById("main");
let leave = null;
let signedIn = false;

/** A view is a function of (main, ...arguments) that may return what to do when it is left. */
function open(view, title, parts, focus) {
  leave?.();
  document.title = `${title} · facerec`;
  fill(main);
  leave = view(main, ...parts) ?? null;
  if (focus) main.querySelector("h1")?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function route(focus = true) {
  if (!signedIn) {
    open(loginView, "Sign in", [begin], false);
    return;
  }
  const path = location.hash.slice(1);
  const found = ROUTES.find(([pattern]) => pattern.test(path)) ?? ROUTES[0];
  const parts = (path.match(found[0]) ?? []).slice(1).map(decodeURIComponent);
  markTab(location.hash || "#/");
  open(found[1], found[2], parts, focus);
}

function markTab(hash) {
  const base = hash.split("/").slice(0, 2).join("/");
  const current = TAB_OF[base] ?? base;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.getAttribute("href") === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function begin() {
  try {
    const session = await get("/session");
    useCsrf(session.csrf);
    signedIn = true;
    show(document.getElementById("sign-out"), session.csrf !== null);
    live.start();
  } catch (error) {
    signedIn = false;
    if (error.status !== 401) {
      fill(main, h("section", { class: "card narrow" }, h("h1", { tabindex: "-1" }, "Out of reach"), h("p", {}, error.message)));
      return;
    }
  }
  route(false);
  if (signedIn) await attempt(async () => {
    document.getElementById("kept").textContent = keptWords(await status());
  });
}

function signOutLocally() {
  if (!signedIn) return;
  signedIn = false;
  live.stop();
  show(document.getElementById("sign-out"), false);
  route();
}

function showAmbient() {
  const pill = document.getElementById("ambient");
  const { items, finished, active } = uploader;
  show(pill, active);
  pill.textContent = `${number(finished)} of ${number(items.length)}`;
  pill.setAttribute("aria-label", `${finished} of ${items.length} pictures finished`);
}

addEventListener("hashchange", () => route());
addEventListener("signed-out", signOutLocally);
addEventListener("beforeunload", (event) => {
  if (uploader.counts.waiting + uploader.counts.sending > 0) event.preventDefault();
});
document.querySelector("[data-skip]").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.getElementById("sign-out").addEventListener("click", () =>
  attempt(async () => {
    await call("DELETE", "/session");
    signOutLocally();
  }),
);
// A drop beside the target would make the browser leave the page and show the file.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
uploader.addEventListener("change", showAmbient);
begin();
