/** A list that comes in pages. */

import { get } from "../api.js";
import { show } from "../dom.js";
import { attempt } from "../notices.js";

export class Pages {
  #next = null;
  #first = null;
  #busy = false;
  #shown = 0;

  /** `draw` makes an element of a result; `results` finds them in the answer, and `next` the path of the next page. */
  constructor(list, more, draw, page = (answer) => answer) {
    this.list = list;
    this.more = more;
    this.draw = draw;
    this.page = page;
    more.addEventListener("click", () => this.#grow());
  }

  get empty() {
    return this.#shown === 0;
  }

  /** Show the list from `path` on; when it is the same again, as much of it as was shown before. */
  async begin(path) {
    const { answer, draw } = await this.prepare(path);
    draw();
    return answer;
  }

  /** The same in two steps: `draw` shows what was found. */
  async prepare(path) {
    const wanted = path === this.#first ? Math.max(1, this.list.children.length) : 1;
    const found = [];
    let next = path;
    let answer = null;
    while (next && found.length < wanted) {
      answer = await get(next);
      const page = this.page(answer);
      found.push(...page.results);
      next = page.next_page;
    }
    const draw = () => {
      this.#first = path;
      this.#shown = found.length;
      this.list.replaceChildren(...found.map(this.draw));
      this.#follow(next);
    };
    return { answer, draw };
  }

  #grow() {
    if (this.#busy) return;
    this.#busy = true;
    attempt(async () => {
      const page = this.page(await get(this.#next));
      const added = page.results.map(this.draw);
      this.#shown += added.length;
      this.list.append(...added);
      this.#follow(page.next_page);
      added[0]?.querySelector("a, button, input")?.focus();
    }).finally(() => {
      this.#busy = false;
    });
  }

  #follow(path) {
    this.#next = path;
    show(this.more, path !== null);
  }
}
