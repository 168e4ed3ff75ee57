/** The first view: add pictures and watch them become done. */

import { fill, h, icon, show, stamp } from "../dom.js";
import { status } from "../status.js";
import { chosen, dropped } from "../upload/collect.js";
import { uploader } from "../upload/uploader.js";
import { bytes, count, duration, number, reason } from "../words.js";
import { dropZone, picture } from "./parts.js";

const SHOWN = 150;
const REDRAW_MS = 150;
const SPEAK_MS = 4000;
const FILTERS = [
  ["all", "All", () => true],
  ["open", "Under way", (item) => item.state !== "done" && item.state !== "failed"],
  ["done", "Done", (item) => item.state === "done"],
  ["failed", "Failed", (item) => item.state === "failed"],
];
const WORDS = {
  waiting: "Waiting",
  sending: "Sending",
  queued: "In the queue",
  processing: "Looking for faces",
  done: "Done",
  failed: "Failed",
};
const ORDER = { failed: 0, processing: 1, sending: 2, queued: 3, waiting: 4, done: 5 };

export function addView(main) {
  const { content, parts } = stamp("view-add");
  main.append(content);
  connectInputs(parts);
  const progress = new Progress(parts);
  progress.draw();
  const timer = setInterval(() => progress.tick(), 1000);
  const changed = () => progress.later();
  uploader.addEventListener("change", changed);
  return () => {
    clearInterval(timer);
    uploader.removeEventListener("change", changed);
  };
}

function connectInputs(parts) {
  const add = (stream) => uploader.add(stream);
  dropZone(parts.drop, (transfer) => add(dropped(transfer)));
  for (const input of [parts.files, parts.folder]) {
    input.addEventListener("change", async () => {
      await add(chosen([...input.files]));
      input.value = "";
    });
  }
  parts.paste.addEventListener("click", () => {
    show(parts.urls, parts.urls.hidden);
    parts.urls.querySelector("textarea").focus();
  });
  parts.urls.addEventListener("submit", (event) => {
    event.preventDefault();
    const field = parts.urls.querySelector("textarea");
    uploader.addUrls(field.value.split(/\s+/).filter(Boolean));
    field.value = "";
  });
  status().then(
    ({ limits }) => {
      parts.limits.textContent = `JPEG, PNG, WebP, GIF, BMP, TIFF and HEIC, up to ${bytes(limits.upload_bytes)} each.`;
    },
    () => {},
  );
}

class Progress {
  #filter = "all";
  #rows = new Map();
  #timer = null;
  #spoken = 0;

  constructor(parts) {
    this.parts = parts;
    parts.again.addEventListener("click", () => {
      for (const item of uploader.items.filter(canRepeat)) uploader.again(item);
    });
    fill(parts.filters, ...FILTERS.map(([key]) => this.#chip(key)));
  }

  later() {
    this.#timer ??= setTimeout(() => this.draw(), REDRAW_MS);
  }

  tick() {
    if (uploader.active) this.draw();
  }

  draw() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const { items, finished, counts } = uploader;
    const begun = items.length + uploader.reading + uploader.skipped > 0;
    show(this.parts.progress, begun);
    this.parts.drop.classList.toggle("begun", begun);
    if (!begun) return;
    const all = items.length > 0 && finished === items.length && !uploader.reading;
    this.parts.headline.textContent = headline(all);
    this.parts.bar.max = Math.max(1, items.length);
    this.parts.bar.value = finished;
    this.parts.pace.textContent = all ? "" : pace();
    this.#notice();
    show(this.parts.again, items.some(canRepeat));
    show(this.parts.people, counts.done > 0 && all);
    this.#chips();
    this.#list();
    this.#speak(all);
  }

  #notice() {
    const pause = Math.ceil((uploader.pausedUntil - Date.now()) / 1000);
    const words = [];
    const why = uploader.outOfReach ? "The service cannot be reached" : "The service is busy and asks for a pause";
    if (pause > 0) words.push(`${why}: going on in ${count(pause, "second")}.`);
    if (uploader.skipped) words.push(`${count(uploader.skipped, "file")} left out, because they are no pictures.`);
    show(this.parts.notice, words.length > 0);
    this.parts.notice.textContent = words.join(" ");
  }

  #chip(key) {
    const press = () => {
      this.#filter = key;
      this.draw();
    };
    return h("button", { type: "button", class: "chip", "data-key": key, onclick: press });
  }

  #chips() {
    for (const [key, label, fits] of FILTERS) {
      const chip = this.parts.filters.querySelector(`[data-key=${key}]`);
      const size = key === "all" ? uploader.items.length : uploader.items.filter(fits).length;
      chip.textContent = `${label} ${number(size)}`;
      chip.setAttribute("aria-pressed", String(this.#filter === key));
    }
  }

  #list() {
    const fits = FILTERS.find(([key]) => key === this.#filter)[2];
    const items = uploader.items.filter(fits).sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.id - b.id);
    const shown = items.slice(0, SHOWN).map((item) => this.#row(item));
    // Rows that stay are not touched, so that a button keeps the focus.
    shown.forEach((row, at) => {
      if (this.parts.list.children[at] !== row) this.parts.list.insertBefore(row, this.parts.list.children[at] ?? null);
    });
    while (this.parts.list.children.length > shown.length) this.parts.list.lastChild.remove();
    show(this.parts.more, items.length > SHOWN);
    this.parts.more.textContent = `and ${number(items.length - SHOWN)} more`;
  }

  #row(item) {
    const known = this.#rows.get(item.id);
    if (known?.state === item.state) return known.row;
    const row = rowOf(item);
    known?.row.replaceWith(row);
    this.#rows.set(item.id, { state: item.state, row });
    return row;
  }

  /** A screen reader hears how it goes now and then, not every picture. */
  #speak(all) {
    if (!all && Date.now() - this.#spoken < SPEAK_MS) return;
    this.#spoken = Date.now();
    this.parts.spoken.textContent = headline(all);
  }
}

function canRepeat(item) {
  return item.state === "failed" && !item.problem;
}

function headline(all) {
  const { items, finished, counts, reading } = uploader;
  if (!items.length) return reading ? "Reading…" : "No pictures found";
  const failed = counts.failed ? `, ${number(counts.failed)} failed` : "";
  if (all) return `${number(counts.done)} of ${count(items.length, "picture")} done${failed}`;
  return `${number(finished)} of ${number(items.length)} finished${failed}`;
}

function pace() {
  const rate = uploader.pace.rate();
  if (rate === null) return "";
  const left = (uploader.items.length - uploader.finished) / rate;
  return `${rate.toFixed(rate < 10 ? 1 : 0)} a second, ${duration(left)} left`;
}

function rowOf(item) {
  const name = item.hash && item.state === "done" ? h("a", { href: `#/image/${item.hash}` }, item.name) : h("span", {}, item.name);
  const row = h("li", { class: `upload ${item.state}` }, mark(item), h("div", { class: "upload-text" }, h("div", { class: "name" }, name)));
  const words = item.state === "failed" ? reason(item.code, item.detail) : WORDS[item.state];
  row.querySelector(".upload-text").append(h("div", { class: "state" }, words));
  if (canRepeat(item)) {
    const again = () => uploader.again(item);
    const label = `Send ${item.name} again`;
    row.append(h("button", { type: "button", class: "secondary small", "aria-label": label, onclick: again }, icon("again"), "Again"));
  }
  return row;
}

function mark(item) {
  if (item.state === "done") return h("span", { class: "mark" }, picture(`/images/${item.hash}/small`, "", "check"));
  if (item.state === "failed") return h("span", { class: "mark" }, icon("alert"));
  return h("span", { class: item.state === "waiting" ? "mark" : "mark spinner" });
}
