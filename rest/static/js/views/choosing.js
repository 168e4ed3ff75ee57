/** Choosing some of many by checkbox, and a bar with what can be done with them. */

import { fill, h, icon, show } from "../dom.js";
import { number } from "../words.js";

export class Choosing {
  #chosen = new Map();
  #boxes = new Map();

  /** `actions` gives the buttons for what is chosen, as [label, icon, run] each. */
  constructor(bar, actions) {
    this.bar = bar;
    this.actions = actions;
  }

  get size() {
    return this.#chosen.size;
  }

  get values() {
    return [...this.#chosen.values()];
  }

  /** A checkbox for one of them. */
  box(key, value, label) {
    const changed = (event) => {
      if (event.target.checked) this.#chosen.set(key, value);
      else this.#chosen.delete(key);
      this.#draw();
    };
    if (this.#chosen.has(key)) this.#chosen.set(key, value);
    const box = h("input", { type: "checkbox", class: "pick", "aria-label": label, checked: this.#chosen.has(key), onchange: changed });
    this.#boxes.set(key, box);
    return box;
  }

  /** All was drawn anew: what is still shown stays chosen, also what was chosen while the answer was on its way. */
  settle() {
    for (const [key, box] of this.#boxes) {
      if (!box.isConnected) {
        this.#boxes.delete(key);
        this.#chosen.delete(key);
      }
      box.checked = this.#chosen.has(key);
    }
    this.#draw();
  }

  /** Something was done with what was chosen. */
  clear() {
    this.#chosen.clear();
    this.settle();
  }

  #draw() {
    show(this.bar, this.size > 0);
    const buttons = this.actions(this.values).map(([label, drawing, run]) =>
      h("button", { type: "button", class: "small", onclick: run }, icon(drawing), label),
    );
    fill(this.bar, h("span", { class: "numbers" }, `${number(this.size)} chosen`), ...buttons);
  }
}
