/**
 * Sends pictures, some at once, and follows each to its end.
 *
 * When the service asks for a pause (429, 503), all wait as long as it says and go on with half as many at once; every
 * success after that lets it grow again. Nothing is given up for that reason. Where somebody was signed out, what was not
 * sent waits for the same one to come back.
 */

import { ApiError, call, namePath, post } from "../api.js";
import { live } from "../live.js";
import { Pace } from "./pace.js";

const MOST_AT_ONCE = 6;
const ASK_AGAIN_MS = 5000;
const ASK_SOON_MS = 300;
const AT_ONCE = 500;
const SHORTEST_PAUSE = 1;
const RANK = { waiting: 0, sending: 1, queued: 2, processing: 3, done: 4, failed: 4 };
export const STATES = ["waiting", "sending", "queued", "processing", "done", "failed"];

class Uploader extends EventTarget {
  items = [];
  skipped = 0;
  reading = 0;
  pausedUntil = 0;
  /** Whether the pause is because nobody answers, and not because somebody asked for it. */
  outOfReach = false;
  pace = new Pace();
  counts = Object.fromEntries(STATES.map((state) => [state, 0]));
  #waiting = [];
  #sending = 0;
  #limit = MOST_AT_ONCE;
  #byHash = new Map();
  #seen = new Map();
  #unsure = new Set();
  #askTimer = null;
  #signedOut = false;
  /** Which list this is: what is still on its way for an earlier one counts no more. */
  #run = 0;

  constructor() {
    super();
    live.addEventListener("state", (event) => this.#hear(event.detail));
    live.addEventListener("ready", () => this.#askAll());
    setInterval(() => this.#askAll(), ASK_AGAIN_MS);
  }

  get finished() {
    return this.counts.done + this.counts.failed;
  }

  get active() {
    return this.items.length > this.finished || this.reading > 0;
  }

  /** Add everything that a stream of `collect.js` gives. */
  async add(stream) {
    live.start();
    this.reading += 1;
    const run = this.#run;
    try {
      for await (const found of stream) {
        if (run !== this.#run) return;
        if (found.skipped) this.skipped += 1;
        else this.#enter(found);
        this.#changed();
      }
    } finally {
      this.reading -= 1;
      this.#changed();
    }
  }

  addUrls(urls) {
    live.start();
    for (const url of urls) this.#enter({ name: url, url, size: null });
    this.#changed();
  }

  /** Forget everything: it is somebody else's turn. */
  clear() {
    this.#run += 1;
    this.items = [];
    this.skipped = 0;
    this.pausedUntil = 0;
    this.pace = new Pace();
    for (const state of STATES) this.counts[state] = 0;
    this.#waiting = [];
    for (const known of [this.#byHash, this.#seen, this.#unsure]) known.clear();
    this.#changed();
  }

  /** Somebody is signed in. */
  goOn() {
    this.#signedOut = false;
    this.#pump();
  }

  /** Send a failed one once more. */
  again(item) {
    if (item.state !== "failed") return;
    this.#forget(item);
    this.#set(item, "waiting");
    this.#waiting.push(item);
    this.#pump();
  }

  #enter(found) {
    const item = { ...found, run: this.#run, id: this.items.length, state: "waiting", code: null, detail: null, hash: null };
    this.items.push(item);
    this.counts.waiting += 1;
    if (found.problem) this.#fail(item, "UNREADABLE_IMAGE", found.problem);
    else this.#waiting.push(item);
    this.#pump();
  }

  #pump() {
    const pause = this.pausedUntil - Date.now();
    if (pause > 0 || this.#signedOut) return;
    while (this.#sending < this.#limit && this.#waiting.length) this.#send(this.#waiting.shift());
  }

  async #send(item) {
    this.#sending += 1;
    this.#set(item, "sending");
    try {
      const answer = item.url
        ? await post("/scan/url", { url: item.url })
        : await call("POST", `/scan/image/${namePath(item.name)}`, { body: await item.blob() });
      this.#limit = Math.min(MOST_AT_ONCE, this.#limit + 1);
      if (item.run === this.#run) this.#accepted(item, answer.hash);
    } catch (error) {
      if (item.run === this.#run) this.#refused(item, error);
    }
    this.#sending -= 1;
    this.#pump();
  }

  #accepted(item, hash) {
    item.hash = hash;
    const same = this.#byHash.get(hash) ?? [];
    this.#byHash.set(hash, [...same, item]);
    this.#set(item, "queued");
    // An event may have come before this answer; and of an image that was done before, no event comes at all.
    const seen = this.#seen.get(hash);
    if (seen) this.#hear({ hash, state: seen });
    this.#ask(hash);
  }

  #refused(item, error) {
    if (error.status === 401) {
      this.#signedOut = true;
      this.#wait(item);
      return;
    }
    const busy = error instanceof ApiError && (error.status === 429 || error.status === 503 || error.status === 0);
    if (!busy) {
      this.#fail(item, error.code ?? "UNREADABLE_IMAGE", error.message);
      return;
    }
    this.#limit = Math.max(1, Math.floor(this.#limit / 2));
    this.#wait(item);
    this.outOfReach = error.status === 0;
    const seconds = Math.max(SHORTEST_PAUSE, error.retryAfter ?? 3);
    this.pausedUntil = Math.max(this.pausedUntil, Date.now() + seconds * 1000);
    setTimeout(() => this.#resume(), seconds * 1000 + 20);
  }

  #wait(item) {
    this.#set(item, "waiting");
    this.#waiting.unshift(item);
  }

  #resume() {
    this.#changed();
    this.#pump();
  }

  #hear({ hash, state }) {
    if (!this.active) return;
    this.#seen.set(hash, state);
    for (const item of this.#byHash.get(hash) ?? []) {
      if (state === "failed") this.#ask(hash);
      else if (state === "erased" && RANK[item.state] < 4) this.#fail(item, "ERASED", "");
      else if (RANK[state] > RANK[item.state]) this.#set(item, state);
    }
  }

  #askAll() {
    for (const [hash, items] of this.#byHash) if (items.some((item) => RANK[item.state] < 4)) this.#ask(hash);
  }

  /** Ask for the state of this image soon, together with others. */
  #ask(hash) {
    this.#unsure.add(hash);
    this.#askTimer ??= setTimeout(() => this.#askNow(), ASK_SOON_MS);
  }

  async #askNow() {
    const hashes = [...this.#unsure].slice(0, AT_ONCE);
    for (const hash of hashes) this.#unsure.delete(hash);
    try {
      const answer = await post("/images/states", { hashes });
      for (const summary of answer.results) this.#learn(summary);
    } catch (error) {
      // Nobody answers now: all that is open is asked for again every few seconds anyway.
      console.info("the states could not be had:", error.message);
    }
    this.#askTimer = this.#unsure.size ? setTimeout(() => this.#askNow(), ASK_SOON_MS) : null;
  }

  #learn({ hash, state, reason, detail }) {
    for (const item of this.#byHash.get(hash) ?? []) {
      if (RANK[item.state] === 4) continue;
      if (state === "failed") this.#fail(item, reason, detail);
      else if (RANK[state] > RANK[item.state]) this.#set(item, state);
    }
  }

  #fail(item, code, detail) {
    item.code = code;
    item.detail = detail;
    this.#set(item, "failed");
  }

  #forget(item) {
    const others = (this.#byHash.get(item.hash) ?? []).filter((other) => other !== item);
    if (others.length) this.#byHash.set(item.hash, others);
    else this.#byHash.delete(item.hash);
    this.#seen.delete(item.hash);
    Object.assign(item, { hash: null, code: null, detail: null });
  }

  #set(item, state) {
    this.counts[item.state] -= 1;
    this.counts[state] += 1;
    item.state = state;
    if (RANK[state] === 4) this.pace.count();
    this.#changed(item);
  }

  #changed(item = null) {
    this.dispatchEvent(new CustomEvent("change", { detail: item }));
  }
}

export const uploader = new Uploader();
