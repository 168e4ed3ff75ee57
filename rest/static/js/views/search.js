/** Who is this? A picture is shown to the service and forgotten. */

import { call } from "../api.js";
import { fill, h, show, stamp } from "../dom.js";
import { live } from "../live.js";
import { attempt } from "../notices.js";
import { status } from "../status.js";
import { count, distance, number, reason, title } from "../words.js";
import { Stage, dropZone, face, nearness } from "./parts.js";

const CANDIDATES = 5;

export function searchView(main) {
  const { content, parts } = stamp("view-search");
  main.append(content);
  const search = new Search(parts);
  dropZone(parts.drop, (transfer) => search.take(transfer.files[0]));
  parts.file.addEventListener("change", () => search.take(parts.file.files[0]));
  const presets = () => parts.presets.querySelector("input") || attempt(async () => drawPresets(parts.presets, await status(), () => search.again()));
  live.addEventListener("ready", presets);
  presets();
  return () => {
    live.removeEventListener("ready", presets);
    search.stop();
  };
}

function drawPresets(fieldset, { presets, default_preset: usual }, changed) {
  if (fieldset.querySelector("input")) return;
  for (const [name, { tolerance, found, strangers }] of Object.entries(presets)) {
    const meaning = `finds ${Math.round(100 * found)} of 100 pairs of a person, and takes 1 stranger in ${number(strangers)} for somebody`;
    const words = h("span", {}, h("b", {}, name), `, distance up to ${distance(tolerance)}: `, h("span", { class: "muted" }, meaning));
    const radio = h("input", { type: "radio", name: "preset", value: name, checked: name === usual, onchange: changed });
    fieldset.append(h("label", { class: "radio" }, radio, words));
  }
}

class Search {
  #file = null;
  #url = null;
  #run = null;

  constructor(parts) {
    this.parts = parts;
  }

  stop() {
    this.#run?.abort();
    if (this.#url) URL.revokeObjectURL(this.#url);
  }

  take(file) {
    if (!file) return;
    this.stop();
    this.#file = file;
    this.#url = URL.createObjectURL(file);
    this.again();
  }

  again() {
    if (!this.#file) return;
    this.#run?.abort();
    this.#run = new AbortController();
    const { signal } = this.#run;
    fill(this.parts.answer, h("p", { class: "muted busy" }, "Looking…"));
    this.#ask(signal);
  }

  async #ask(signal) {
    try {
      this.#draw(await this.#asked(signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      // The picture of an earlier answer is not the one that this is about.
      show(this.parts.stage, false);
      fill(this.parts.answer, h("div", { class: "card" }, h("h2", {}, "No answer"), h("p", { class: "error" }, reason(error.code, error.message))));
    }
  }

  #asked(signal) {
    const form = new FormData();
    form.set("file", this.#file);
    form.set("preset", this.parts.presets.querySelector(":checked")?.value ?? "medium");
    form.set("n", String(CANDIDATES));
    return call("POST", "/identify", { body: form, signal });
  }

  #draw(answer) {
    show(this.parts.stage, true);
    const stage = new Stage(this.parts.stage, { ...answer, source: this.#url, alt: "The picture that you chose" });
    const cards = answer.faces.map((found, at) => faceCard(found, at, answer.tolerance));
    const light = (at, on) => {
      stage.light(at, on);
      cards[at].classList.toggle("lit", on);
    };
    answer.faces.forEach((found, at) => {
      stage.add(found.box, `Face ${at + 1}`, { chosen: (chosen) => light(chosen, true), left: (left) => light(left, false) });
      cards[at].addEventListener("mouseenter", () => light(at, true));
      cards[at].addEventListener("mouseleave", () => light(at, false));
    });
    const none = h("div", { class: "card" }, h("h2", {}, "No face found"), h("p", {}, "Perhaps it is too small, or turned away."));
    const compared = h("p", { class: "muted" }, `Compared with ${count(answer.known_faces, "known face")}.`);
    fill(this.parts.answer, ...(cards.length ? [...cards, compared] : [none]));
  }
}

function faceCard(found, at, tolerance) {
  const persons = found.candidates.map((candidate) => candidate.person).filter(Boolean);
  const who = persons.find((person) => person.name) ?? persons[0];
  if (found.unknown) {
    return h("article", { class: "card" }, h("h2", {}, `Face ${at + 1}: unknown`), h("p", {}, `Nobody known is within a distance of ${distance(tolerance)}.`));
  }
  const heading = who ? h("a", { href: `#/person/${who.id}` }, who.name ?? "somebody without a name") : "a face that is known, without a name";
  return h("article", { class: "card" }, h("h2", {}, `Face ${at + 1}: `, heading), h("ol", { class: "candidates" }, ...found.candidates.map((candidate) => candidateRow(candidate, tolerance))));
}

function candidateRow(candidate, tolerance) {
  const name = candidate.person?.name ?? title(candidate);
  return h(
    "li",
    {},
    h("a", { class: "match", href: `#/image/${candidate.hash}` }, face(candidate.thumbnail, ""), h("span", { class: "name" }, name), nearness(candidate.distance, tolerance)),
  );
}
