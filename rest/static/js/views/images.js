/** All pictures, newest first, a page at a time as one scrolls. */

import { get } from "../api.js";
import { h, show, stamp } from "../dom.js";
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
  parts.more.addEventListener("click", () => list.more(true));
  // The next page is fetched before the end comes into view.
  const watcher = new IntersectionObserver(([seen]) => seen.isIntersecting && list.more(false), { rootMargin: "800px" });
  watcher.observe(parts.more);
  list.begin();
  attempt(async () => {
    const { images } = await freshStatus();
    if (images) parts.count.textContent = count(images.queued + images.processing + images.done + images.failed, "picture");
  });
  return () => {
    watcher.disconnect();
    list.stop();
  };
}

class ImageList {
  #next = null;
  #run = new AbortController();
  #busy = false;
  #shown = 0;

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

  /** The next page; with `focus` the first of its tiles gets the focus, for who pressed the button by keyboard. */
  async more(focus) {
    if (!this.#next || this.#busy) return;
    this.#busy = true;
    const { signal } = this.#run;
    await attempt(async () => {
      const page = await get(this.#next, { signal });
      const tiles = page.results.map(tile);
      if (tiles.length) this.parts.tiles.append(this.#sheet(tiles));
      this.#next = page.next_page;
      show(this.parts.more, page.next_page !== null);
      show(this.parts.empty, this.parts.tiles.children.length === 0);
      if (focus) tiles[0]?.querySelector("a").focus();
    });
    if (!signal.aborted) this.#busy = false;
  }
}
