/** How work goes: the queue, the workers, every part's state, what was given up. */

import { get, post } from "../api.js";
import { fill, h, icon, show, stamp } from "../dom.js";
import { ask, attempt, toast } from "../notices.js";
import { freshStatus, keptWords } from "../status.js";
import { bytes, count, duration, number, reason, time } from "../words.js";

const EVERY_MS = 2000;
const WINDOW = 6;
const PARTS = { broker: "Queue (RabbitMQ)", redis: "Database (Redis)", workers: "Workers", image_store: "Picture store" };

const CANCEL = ["cancel", "Cancel", "What was made anew is thrown away; the old encodings stay in use."];
/** What may be done in each phase of a regeneration: the action, its button, and what is asked first. */
const STEERING = {
  running: [["pause", "Pause"], CANCEL],
  paused: [["resume", "Go on"], CANCEL],
  ready: [["cut-over", "Switch to the new encodings", "From this moment everybody is answered from the new encodings. The old ones are kept for a while."], CANCEL],
  "cut over": [
    ["roll-back", "Switch back", "From this moment everybody is answered from the old encodings again."],
    ["finish", "Drop the old encodings", "There is no way back after that."],
  ],
};

export function jobsView(main) {
  const { content, parts } = stamp("view-jobs");
  main.append(content);
  const jobs = new Jobs(parts);
  jobs.refresh();
  const timer = setInterval(() => jobs.refresh(), EVERY_MS);
  return () => clearInterval(timer);
}

class Jobs {
  #done = [];
  #dead = null;
  #seen = null;
  #busy = false;

  constructor(parts) {
    this.parts = parts;
  }

  async refresh() {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const status = await freshStatus();
      this.#draw(status);
      if (status.dead !== this.#dead) await this.#drawDead(status.dead);
      this.#seen = new Date();
      show(this.parts.away, false);
    } catch (error) {
      this.#warn(error);
    }
    show(this.parts.busy, false);
    this.#busy = false;
  }

  /** What is shown is old: said as long as it is so, and not anew with each look. */
  #warn(error) {
    const words = this.#seen ? `${error.message} What stands here is from ${time(this.#seen)}.` : error.message;
    if (this.parts.away.textContent !== words) this.parts.away.textContent = words;
    show(this.parts.away, true);
  }

  #draw(status) {
    const { images } = status;
    fill(
      this.parts.figures,
      figure("waiting in the queue", status.waiting),
      figure("being looked at", images?.processing),
      figure("done", images?.done),
      figure("failed", images?.failed, images?.failed > 0 ? "bad" : ""),
    );
    this.parts.pace.textContent = this.#pace(images?.done);
    fill(this.parts.parts, ...Object.entries(status.parts).map(([name, part]) => partRow(name, part)));
    fill(this.parts.workers, workersTable(status.workers));
    this.parts.kept.textContent = keptWords(status);
    this.#drawRegeneration(status.regeneration);
  }

  #drawRegeneration(run) {
    this.parts.regenerateCard.hidden = !run;
    if (!run) return;
    const left = run.seconds_left ? `, ${duration(run.seconds_left)} left` : "";
    const pace = run.rate && run.phase === "running" ? `, ${run.rate.toFixed(1)} a second${left}` : "";
    const lists = [["not found again", run.not_found_again], ["newly found", run.newly_found], ["not encoded", run.not_encoded]];
    fill(
      this.parts.regenerate,
      h("p", {}, `From ${run.from} to ${run.model}: ${run.phase}. ${count(run.done, "picture")} of ${number(run.images)}${pace}.`),
      h("progress", { max: Math.max(run.images, 1), value: run.done, "aria-label": "Pictures done" }),
      h("p", { class: "muted" }, [`${count(run.moved, "face")} moved`, ...lists.map(([words, size]) => `${number(size)} ${words}`)].join(", "), "."),
      run.trouble && h("p", { class: "state bad" }, run.trouble),
      h("div", { class: "row" }, ...(STEERING[run.phase] ?? []).map(([action, words, text]) => h("button", { type: "button", class: "secondary small", onclick: () => this.#steer(action, words, text) }, words))),
    );
  }

  async #steer(action, words, text) {
    if (text && !(await ask(`${words}?`, h("p", {}, text), words))) return;
    await attempt(async () => {
      await post(`/regenerate/${action}`);
      await this.refresh();
    });
  }

  /** Pictures done a second, over the last few looks. */
  #pace(done) {
    if (done === undefined) return "";
    this.#done = [...this.#done, { done, at: Date.now() }].slice(-WINDOW);
    const first = this.#done[0];
    const last = this.#done[this.#done.length - 1];
    if (last.done <= first.done) return "";
    return `${((1000 * (last.done - first.done)) / (last.at - first.at)).toFixed(1)} pictures a second`;
  }

  async #drawDead(size) {
    const { results, next_page: more } = size === null ? { results: [] } : await get("/dead");
    this.#dead = size;
    const all = { all: true };
    fill(
      this.parts.deadActions,
      results.length > 1 && h("button", { type: "button", class: "secondary small", onclick: () => this.#redrive(all) }, icon("again"), "Try all again"),
      results.length > 1 && h("button", { type: "button", class: "quiet danger small", onclick: () => this.#drop(all, results.length) }, icon("trash"), "Throw all away…"),
    );
    fill(this.parts.dead, results.length ? h("div", {}, h("ol", { class: "dead" }, ...results.map((letter) => this.#letter(letter))), more && h("p", { class: "muted" }, `Shown are the oldest ${number(results.length)}.`)) : h("p", {}, size === null ? "Unknown, because the queue does not answer." : "Nothing was given up."));
  }

  #letter(letter) {
    const which = { hashes: [letter.hash] };
    const name = letter.name || "a message that is no job";
    return h(
      "li",
      { class: "letter" },
      h(
        "div",
        {},
        letter.hash ? h("a", { class: "name", href: `#/image/${letter.hash}` }, name) : h("span", { class: "name" }, name),
        h("p", { class: "state" }, reason(letter.code, letter.reason)),
        h("p", { class: "muted" }, `${count(letter.attempts, "try", "tries")}, ${bytes(letter.bytes)}, ${time(letter.buried_at)}`),
      ),
      h(
        "div",
        { class: "row" },
        letter.hash && h("button", { type: "button", class: "secondary small", "aria-label": `Try ${name} again`, onclick: () => this.#redrive(which) }, icon("again"), "Again"),
        h("button", { type: "button", class: "quiet danger small", "aria-label": `Throw ${name} away`, onclick: () => this.#drop(which, 1) }, icon("trash")),
      ),
    );
  }

  #redrive(which) {
    return attempt(async () => {
      const { count: size } = await post("/dead/redrive", which);
      toast(`${count(size, "job")} queued again.`);
      await this.refresh();
    });
  }

  async #drop(which, size) {
    const text = h("p", {}, "The bytes in the queue are thrown away. The pictures stay marked as failed; sending them again is the only way back.");
    if (!(await ask(`Throw ${count(size, "job")} away?`, text, "Throw away"))) return;
    await attempt(async () => {
      await post("/dead/drop", which);
      await this.refresh();
    });
  }
}

function figure(words, value, kind = "") {
  return h("li", { class: `figure ${kind}` }, h("b", { class: "numbers" }, number(value)), h("span", {}, words));
}

function partRow(name, part) {
  const words = part.ok ? (name === "workers" ? "answer" : "answers") : part.reason;
  return h("li", { class: part.ok ? "ok" : "bad" }, icon(part.ok ? "check" : "alert"), h("span", {}, h("b", {}, PARTS[name] ?? name), h("span", { class: "muted" }, ` ${words}`)));
}

function workersTable(workers) {
  if (workers === null) return h("p", { class: "muted" }, "Unknown, because Redis does not answer.");
  if (!workers.length) return h("p", { class: "muted" }, "None. Pictures wait in the queue until one starts.");
  const rows = workers.map((worker) =>
    h("tr", {}, h("th", { scope: "row" }, worker.name), ...[worker.device, worker.model, number(worker.processes), number(worker.faces), number(worker.jobs)].map((cell) => h("td", {}, cell ?? ""))),
  );
  const heads = ["Name", "Device", "Model", "Processes", "Faces known", "Jobs"].map((head) => h("th", { scope: "col" }, head));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of the workers" }, h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)));
}
