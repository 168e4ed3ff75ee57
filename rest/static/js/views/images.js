/** All pictures, newest first, a page at a time as one scrolls. */

import { get } from "../api.js";
import { h, show, stamp } from "../dom.js";
import { live } from "../live.js";
import { attempt } from "../notices.js";
import { freshStatus } from "../status.js";
import { count } from "../words.js";
import { tile } from "./parts.js";

/** Full rows whether there are one, two, three, four, five or six tiles in a row. */
const AT_ONCE = 120;

export function imagesView(main) {
  const { content, parts } = stamp("view-images");
  main.append(content);
  const list = new ImageList(parts);
  parts.form.addEventListener("submit", (event) => {
    event.preventDefault();
    list.begin();
  });
  parts.form.state.addEventListener("change", () => list.begin());
  parts.all.addEventListener("click", () => {
    parts.form.reset();
    list.begin();
    parts.form.name.focus();
  });
  parts.more.addEventListener("click", () => list.more(true));
  // The next page is fetched before the end comes into view.
  const watcher = new IntersectionObserver(([seen]) => seen.isIntersecting && list.more(false), { rootMargin: "800px" });
  watcher.observe(parts.more);
  list.begin();
  attempt(async () => {
    const { images } = await freshStatus();
    if (images) parts.count.textContent = count(images.queued + images.processing + images.done + images.failed, "picture");
  });
  const back = () => list.failed && list.more(false);
  live.addEventListener("ready", back);
  return () => {
    live.removeEventListener("ready", back);
    watcher.disconnect();
    list.stop();
  };
}

class ImageList {
  #next = null;
  #run = new AbortController();
  #busy = false;
  #shown = 0;
  /** Whether the newest page could not be had: it is asked for again by the button, and when the service is back. */
  failed = false;

  constructor(parts) {
    this.parts = parts;
  }

  stop() {
    this.#run.abort();
  }

  begin() {
    this.stop();
    this.#run = new AbortController();
    this.#busy = false;
    const query = new URLSearchParams({ limit: AT_ONCE });
    const { name, state } = this.parts.form;
    if (name.value) query.set("name", name.value);
    if (state.value) query.set("state", state.value);
    this.#next = `/images?${query}`;
    this.parts.tiles.replaceChildren();
    this.#shown = 0;
    this.more(false);
  }

  /** The tiles of one answer. Sheets out of sight are not laid out, so a long list is as quick as a short one. */
  #sheet(tiles) {
    this.#shown += tiles.length;
    return h("ul", { class: "tiles sheet", "aria-label": `Pictures up to number ${this.#shown}` }, ...tiles);
  }

  /** Nothing found is not nothing there, and a name is searched for from the folder on, which the tiles do not show. */
  #tellEmpty(empty) {
    const { name, state } = this.parts.form;
    const wanted = [state.value && `in state ${state.value}`, name.value && `with a name that begins with “${name.value}”`].filter(Boolean);
    this.parts.none.textContent = wanted.length ? `There are no pictures ${wanted.join(" and ")}.` : "There are no pictures here.";
    show(this.parts.hint, name.value !== "");
    show(this.parts.add, !wanted.length);
    show(this.parts.all, wanted.length > 0);
    show(this.parts.empty, empty);
  }

  /** The next page; with `focus` the first of its tiles gets the focus, for who pressed the button by keyboard. */
  async more(focus) {
    if (!this.#next || this.#busy) return;
    this.#busy = true;
    show(this.parts.busy, this.#shown === 0);
    const { signal } = this.#run;
    const well = await attempt(async () => {
      const page = await get(this.#next, { signal });
      const tiles = page.results.map(tile);
      if (tiles.length) this.parts.tiles.append(this.#sheet(tiles));
      this.#next = page.next_page;
      show(this.parts.more, page.next_page !== null);
      this.#tellEmpty(this.parts.tiles.children.length === 0);
      if (focus) tiles[0]?.querySelector("a").focus();
    });
    if (signal.aborted) return;
    this.#busy = false;
    show(this.parts.busy, false);
    this.failed = !well;
    if (this.failed) show(this.parts.more, true);
  }
}
