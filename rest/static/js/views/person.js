/** One person: the name, its faces, who may be the same, and what is wrong. */

import { call, get, post } from "../api.js";
import { fill, h, icon, show, stamp, visible } from "../dom.js";
import { attempt, toast } from "../notices.js";
import { count, distance } from "../words.js";
import { Choosing } from "./choosing.js";
import { Loading } from "./loading.js";
import { noPerson } from "./missing.js";
import { giveName } from "./naming.js";
import { Pages } from "./pages.js";
import { face } from "./parts.js";
import { Undo } from "./undo.js";

const AT_ONCE = 100;
const SUGGESTED = 12;

export function personView(main, id) {
  const { content, parts } = stamp("view-person");
  main.append(content);
  const person = new Person(parts, Number(id), () => noPerson(main));
  person.loading = new Loading(main, () => person.load());
  person.refresh();
  return () => person.loading.stop();
}

class Person {
  /** `missing` is called when there is no such person. */
  constructor(parts, id, missing) {
    this.parts = parts;
    this.missing = missing;
    this.path = `/people/${id}`;
    this.id = id;
    this.undo = new Undo(parts.undo, () => this.refresh());
    this.choosing = new Choosing(parts.chosen, (chosen) => this.#actions(chosen));
    this.faces = new Pages(parts.faces, parts.more, (found) => this.#face(found), (answer) => answer.page);
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#name(parts.form.elements.namedItem("name").value.trim());
    });
    parts.hide.addEventListener("click", () => this.#change({ hidden: !this.person.hidden }, this.person.hidden ? "Shown again." : "Hidden."));
  }

  refresh() {
    return this.loading.run();
  }

  async load() {
    try {
      this.person = await this.faces.begin(`${this.path}?limit=${AT_ONCE}`);
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#gone(error);
      return;
    }
    this.#draw();
    this.choosing.settle();
    await this.undo.refresh();
    await this.#suggest();
  }

  /** Never there, or merged, split or undone away while it was looked at. */
  #gone(error) {
    if (!this.parts.title.isConnected) return;
    if (!this.person) {
      this.missing();
      return;
    }
    location.hash = "#/people";
    throw error;
  }

  #draw() {
    const { name, faces, thumbnail, hidden } = this.person;
    this.parts.title.textContent = visible(name) ?? "Somebody without a name";
    document.title = `${visible(name) ?? "Person"} · facerec`;
    this.parts.count.textContent = count(faces, "face");
    fill(this.parts.cover, face(thumbnail, ""));
    const field = this.parts.form.elements.namedItem("name");
    if (document.activeElement !== field) field.value = name ?? "";
    show(this.parts.hide, true);
    this.parts.hide.textContent = hidden ? "Show this person again" : "Hide this person";
  }

  #face(found) {
    const label = `Choose this face`;
    return h("li", { class: "person" }, this.choosing.box(found.id, found, label), h("a", { href: `#/image/${found.image}`, "aria-label": "Look at the picture" }, face(found.thumbnail, "")));
  }

  #actions(chosen) {
    const faces = chosen.map((found) => found.id);
    const actions = [
      ["Split off as a new person", "split", () => this.#split(faces)],
      ["Not this person", "close", () => this.#reject(faces)],
    ];
    if (faces.length === 1) actions.push(["Use as the cover", "face", () => this.#cover(faces[0])]);
    return actions;
  }

  #change(change, words) {
    return attempt(async () => {
      await call("PATCH", this.path, { json: change });
      await this.undo.changed(words);
    });
  }

  #name(name) {
    return attempt(async () => {
      const { id, words } = await giveName(this.id, name);
      if (id === this.id) {
        await this.undo.changed(words);
        return;
      }
      toast(words);
      location.hash = `#/person/${id}`;
    });
  }

  #cover(face) {
    this.choosing.clear();
    return this.#change({ cover: face }, "The cover is changed.");
  }

  #split(faces) {
    return attempt(async () => {
      await post(`${this.path}/split`, { faces });
      this.choosing.clear();
      await this.undo.changed(`${count(faces.length, "face")} became a new person.`);
    });
  }

  #reject(faces) {
    return attempt(async () => {
      await post(`${this.path}/not`, { faces });
      this.choosing.clear();
      await this.undo.changed(`${count(faces.length, "face")} will not be placed here again.`);
    });
  }

  async #suggest() {
    const { results } = await get(`${this.path}/suggestions?limit=${SUGGESTED}`);
    show(this.parts.maybePart, results.length > 0);
    fill(this.parts.maybe, ...results.map((found) => this.#maybe(found)));
  }

  #maybe(found) {
    const who = found.name ?? (found.person ? `a group of ${count(found.faces, "face")}` : "one face");
    const yes = () =>
      attempt(async () => {
        if (found.person) await post(`/people/${found.person}/merge`, this.#mergeInto(found));
        else await post(`/faces/${found.face}/person`, { person: this.id });
        await this.undo.changed("They are one person now.");
      });
    const link = found.person ? { href: `#/person/${found.person}`, "aria-label": who } : { "aria-hidden": "true" };
    return h(
      "li",
      { class: "person" },
      h(found.person ? "a" : "span", link, face(found.thumbnail, "")),
      h("span", { class: "name" }, who),
      h("span", { class: "muted numbers" }, `distance ${distance(found.distance)}`),
      h("button", { type: "button", class: "secondary small", "aria-label": `Yes, ${who} is the same person`, onclick: yes }, icon("check"), "The same"),
    );
  }

  /** When both have a name, the one that is looked at stays. */
  #mergeInto(found) {
    const both = found.name && this.person.name && found.name !== this.person.name;
    return both ? { into: this.id, name: this.person.name } : { into: this.id };
  }
}
