/** What a view shows until the service has told it what there is: that it is on its way, or why it did not come. */

import { fill, h } from "../dom.js";
import { live } from "../live.js";
import { attempt } from "../notices.js";

/** A line below the head of the view; what comes after it is hidden for as long as the line is there. */
export class Loading {
  #there = false;

  /** `load` asks for everything and draws it; it throws when that fails. */
  constructor(main, load) {
    this.load = load;
    this.line = h("div", { class: "loading", role: "status" });
    main.querySelector(".head").after(this.line);
    this.title = main.querySelector("h1");
    this.back = () => this.line.querySelector(".error") && this.run();
    live.addEventListener("ready", this.back);
    this.#wait();
  }

  stop() {
    live.removeEventListener("ready", this.back);
  }

  /** Load; once something is shown, a failure becomes a message beside it. */
  async run(load = this.load) {
    if (this.#there) return attempt(load);
    try {
      await load();
    } catch (error) {
      this.#failed(error.message);
      return false;
    }
    this.#there = true;
    this.line.remove();
    return true;
  }

  #wait() {
    fill(this.line, h("p", { class: "muted busy" }, "Loading…"));
  }

  /** Said once, however often it is tried again. */
  #failed(words) {
    if (this.line.querySelector(".error")?.textContent === words) return;
    const again = () => {
      this.#wait();
      this.run();
      // The button, which had the focus, is gone.
      this.title.focus({ preventScroll: true });
    };
    fill(this.line, h("p", { class: "error" }, words), h("button", { type: "button", class: "secondary", onclick: again }, "Try again"));
  }
}
