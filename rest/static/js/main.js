/** Starts the page: who is signed in, which view the address names, what runs on while views change. */

import { call, get, useCsrf } from "./api.js";
import { fill, h, show } from "./dom.js";
import { live } from "./live.js";
import { ask, attempt } from "./notices.js";
import { uploader } from "./upload/uploader.js";
import { addView } from "./views/add.js";
import { imageView } from "./views/image.js";
import { imagesView } from "./views/images.js";
import { jobsView } from "./views/jobs.js";
import { loginView } from "./views/login.js";
import { noPerson, noPicture, nothingView } from "./views/missing.js";
import { peopleView } from "./views/people.js";
import { personView } from "./views/person.js";
import { searchView } from "./views/search.js";
import { unknownView } from "./views/unknown.js";
import { keptWords, status } from "./status.js";
import { count, number } from "./words.js";

const ROUTES = [
  [/^\/?$/, addView, "Add"],
  [/^\/images$/, imagesView, "Pictures"],
  [/^\/image\/([0-9a-f]{64})$/, imageView, "Picture"],
  [/^\/people$/, peopleView, "People"],
  [/^\/person\/(\d{1,15})$/, personView, "Person"],
  [/^\/unknown$/, unknownView, "Faces without a name"],
  [/^\/search$/, searchView, "Search"],
  [/^\/jobs$/, jobsView, "Jobs"],
  [/^\/image(\/|$)/, noPicture, "Picture"],
  [/^\/person(\/|$)/, noPerson, "Person"],
  [/^/, nothingView, "Nothing"],
];
const TAB_OF = { "#/image": "#/images", "#/person": "#/people", "#/unknown": "#/people" };

const TRY_AGAIN_MS = 5000;

const main = document.getElementById("main");
let leave = null;
let signedIn = false;
let owner = null;
let retry = null;

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
  const [pattern, view, title] = ROUTES.find(([fits]) => fits.test(path));
  markTab(location.hash || "#/");
  open(view, title, path.match(pattern).slice(1), focus);
}

function markTab(hash) {
  const base = hash.split("/").slice(0, 2).join("/");
  const current = TAB_OF[base] ?? base;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.getAttribute("href") === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** Nothing can be shown yet: it is tried again by itself, and at once by a button. */
function outOfReach(error) {
  const again = h("button", { type: "button", onclick: begin }, "Try again");
  fill(main, h("section", { class: "card narrow" }, h("h1", { tabindex: "-1" }, "Out of reach"), h("p", { role: "status" }, error.message), again));
  retry = setTimeout(begin, TRY_AGAIN_MS);
}

async function begin() {
  clearTimeout(retry);
  try {
    const session = await get("/session");
    useCsrf(session.csrf);
    signedIn = true;
    if (owner !== session.owner) uploader.clear();
    owner = session.owner;
    uploader.goOn();
    show(document.getElementById("sign-out"), session.csrf !== null);
    live.start();
  } catch (error) {
    signedIn = false;
    if (error.status !== 401) {
      outOfReach(error);
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

/** Whether signing out loses no picture, or is wanted nevertheless. */
async function nothingLost() {
  const unsent = uploader.counts.waiting + uploader.counts.sending;
  return !unsent || ask("Sign out?", h("p", {}, `Not sent yet: ${count(unsent, "picture")}.`), "Sign out");
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
    if (!(await nothingLost())) return;
    await call("DELETE", "/session");
    uploader.clear();
    signOutLocally();
  }),
);
// A drop beside the target would make the browser leave the page and show the file.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
uploader.addEventListener("change", showAmbient);
fill(main, h("p", { class: "muted busy", role: "status" }, "Loading…"));
begin();
