/** Taking back what was done with people. */

import { get, post } from "../api.js";
import { fill, icon, show } from "../dom.js";
import { attempt, toast } from "../notices.js";

const WORDS = {
  edit: "the change of a name",
  merge: "the merge",
  split: "the split",
  move: "the move",
  not: "“not this person”",
};

/** A button that says what it would take back; `done` is called after it has. */
export class Undo {
  constructor(button, done) {
    this.button = button;
    this.done = done;
    button.addEventListener("click", () => this.run());
  }

  async refresh() {
    const { results } = await get("/people/undo");
    show(this.button, results.length > 0);
    if (results.length) fill(this.button, icon("undo"), `Undo ${WORDS[results[0].operation] ?? "the last change"}`);
  }

  run() {
    return attempt(async () => {
      const undone = await post("/people/undo");
      toast(`Took back ${WORDS[undone.operation] ?? "the last change"}.`);
      await this.done();
    });
  }

  /** Something was changed: say so, and offer to take it back. */
  async changed(words) {
    toast(words, { label: "Undo", run: () => this.run() });
    await this.done();
  }
}
