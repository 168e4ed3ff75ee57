/**
 * Changes of state as they happen, through /events. Each time that the stream begins, also after an interruption, it says so
 * ("ready"): whoever needs states asks for them then, and misses none. Where no stream can be had (too many listen already),
 * "ready" comes every few seconds instead.
 */

const POLL_MS = 3000;
const TRY_AGAIN_MS = 20000;

class Live extends EventTarget {
  #stream = null;
  #poll = null;

  /** Begin to listen; once is enough. */
  start() {
    if (this.#stream) return;
    const stream = new EventSource("/events");
    this.#stream = stream;
    stream.addEventListener("ready", () => {
      this.#stopPolling();
      this.#tell("ready", null);
    });
    stream.addEventListener("state", (event) => this.#tell("state", JSON.parse(event.data)));
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) this.#fallBack();
    });
  }

  stop() {
    this.#stream?.close();
    this.#stream = null;
    this.#stopPolling();
  }

  #fallBack() {
    this.#stream = null;
    this.#poll ??= setInterval(() => this.#tell("ready", null), POLL_MS);
    setTimeout(() => this.start(), TRY_AGAIN_MS);
  }

  #stopPolling() {
    clearInterval(this.#poll);
    this.#poll = null;
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

export const live = new Live();
