/** Everybody: those with a name, and groups that wait for one. */

import { call, post } from "../api.js";
import { h, show, stamp } from "../dom.js";
import { live } from "../live.js";
import { ask, attempt } from "../notices.js";
import { count } from "../words.js";
import { Choosing } from "./choosing.js";
import { Loading } from "./loading.js";
import { giveName } from "./naming.js";
import { Pages } from "./pages.js";
import { face } from "./parts.js";
import { Undo } from "./undo.js";

const AT_ONCE = 60;
const LOOK_AGAIN_MS = 2500;
/** So long after a picture is done its faces may still find their groups. */
const SETTLES_MS = 30000;

export function peopleView(main) {
  const { content, parts } = stamp("view-people");
  main.append(content);
  const people = new People(parts);
  people.loading = new Loading(main, () => people.load());
  const heard = () => people.stir();
  live.addEventListener("state", heard);
  const timer = setInterval(() => people.lookAgain(), LOOK_AGAIN_MS);
  people.refresh();
  return () => {
    clearInterval(timer);
    people.loading.stop();
    live.removeEventListener("state", heard);
  };
}

class People {
  #stirred = Date.now();

  constructor(parts) {
    this.parts = parts;
    this.undo = new Undo(parts.undo, () => this.refresh());
    this.choosing = new Choosing(parts.chosen, (chosen) => this.#actions(chosen));
    const draw = (person) => this.#card(person);
    this.named = new Pages(parts.named, parts.namedMore, draw);
    this.unnamed = new Pages(parts.unnamed, parts.unnamedMore, draw);
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.refresh();
    });
    this.hidden = parts.form.elements.namedItem("hidden");
    this.hidden.addEventListener("change", () => this.refresh());
  }

  /** Something happened that may change the groups. */
  stir() {
    this.#stirred = Date.now();
  }

  lookAgain() {
    const untouched = () => !this.#inUse();
    if (Date.now() - this.#stirred < SETTLES_MS && untouched()) this.refresh(untouched);
  }

  /** Whether somebody writes or chooses here. */
  #inUse() {
    const { named, unnamed } = this.parts;
    return this.choosing.size > 0 || [named, unnamed].some((list) => list.contains(document.activeElement));
  }

  /** What is shown is left alone when `wanted` says so once the answer is there. */
  refresh(wanted = () => true) {
    return this.loading.run(() => this.load(wanted));
  }

  async load(wanted = () => true) {
    const query = new URLSearchParams({ limit: AT_ONCE });
    const name = this.parts.form.elements.namedItem("name").value.trim();
    if (name) query.set("name", name);
    if (this.hidden.checked) query.set("hidden", "true");
    // Who has no name cannot be looked up by one.
    const groups = name ? null : this.unnamed.prepare(`/people?named=false&${query}`);
    const found = await Promise.all([this.named.prepare(`/people?named=true&${query}`), groups]);
    if (!wanted()) return;
    // Both at once: a group that has just got its name is never seen twice.
    for (const list of found) list?.draw();
    if (name) this.parts.unnamed.replaceChildren();
    const nobody = this.unnamed.empty || Boolean(name);
    show(this.parts.namedPart, !this.named.empty);
    show(this.parts.unnamedPart, !nobody);
    this.#tellEmpty(this.named.empty && nobody, name);
    this.choosing.settle();
    await this.undo.refresh();
  }

  /** Who was not found may well be there: under another name, or because nobody is hidden. */
  #tellEmpty(empty, name) {
    const hidden = this.hidden.checked;
    const all = hidden ? "Nobody is hidden." : "Nobody yet. A person appears with the second picture of the same face.";
    this.parts.none.textContent = name ? `Nobody${hidden ? " who is hidden" : ""} has a name that begins with “${name}”.` : all;
    show(this.parts.add, !name && !hidden);
    show(this.parts.empty, empty);
  }

  #card(person) {
    const who = person.name ?? `a group of ${count(person.faces, "face")}`;
    const cover = h("a", { href: `#/person/${person.id}`, "aria-label": who, tabindex: person.name ? "-1" : null }, face(person.thumbnail, ""));
    const words = person.name ? h("a", { class: "name", href: `#/person/${person.id}` }, person.name) : this.#naming(person);
    return h("li", { class: "person" }, this.choosing.box(person.id, person, `Choose ${who}`), cover, words, h("span", { class: "muted numbers" }, count(person.faces, "face")));
  }

  #naming(person) {
    const field = h("input", { placeholder: "Who is this?", "aria-label": `Name of a group of ${count(person.faces, "face")}`, maxlength: 200, autocomplete: "off" });
    const submit = (event) => {
      event.preventDefault();
      const name = field.value.trim();
      if (!name) return;
      attempt(async () => {
        const { words } = await giveName(person.id, name);
        field.blur();
        await this.undo.changed(words);
      });
    };
    return h("form", { class: "naming", onsubmit: submit }, field, h("button", { class: "visually-hidden", type: "submit" }, "Save the name"));
  }

  #actions(chosen) {
    const merge = ["Merge", "merge", () => this.#merge(chosen)];
    const hide = [chosen[0]?.hidden ? "Show again" : "Hide", "close", () => this.#hide(chosen)];
    return chosen.length > 1 ? [merge, hide] : [hide];
  }

  async #merge(chosen) {
    // The group with a name takes the others in, else the largest.
    const [into, ...others] = [...chosen].sort((a, b) => Boolean(b.name) - Boolean(a.name) || b.faces - a.faces);
    const names = [...new Set(chosen.map((person) => person.name).filter(Boolean))];
    const name = names.length > 1 ? await askName(names) : null;
    if (names.length > 1 && !name) return;
    await attempt(async () => {
      for (const other of others) await post(`/people/${other.id}/merge`, name ? { into: into.id, name } : { into: into.id });
      this.choosing.clear();
      await this.undo.changed(`${count(chosen.length, "group")} are one person now.`);
    });
  }

  #hide(chosen) {
    return attempt(async () => {
      for (const person of chosen) await call("PATCH", `/people/${person.id}`, { json: { hidden: !person.hidden } });
      this.choosing.clear();
      await this.undo.changed(chosen[0].hidden ? "Shown again." : "Hidden.");
    });
  }
}

/** Which of several names one person shall have; null when it was not said. */
async function askName(names) {
  const radios = names.map((name, at) =>
    h("label", { class: "radio" }, h("input", { type: "radio", name: "which", value: name, checked: at === 0 }), h("span", {}, name)),
  );
  const text = [h("p", {}, "They have different names. Which one stays?"), ...radios];
  if (!(await ask("One person?", text, "Merge", ""))) return null;
  return radios.map((label) => label.querySelector("input")).find((input) => input.checked).value;
}
