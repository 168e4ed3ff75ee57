/** How many a second, over the last seconds. */

const WINDOW_MS = 10000;

export class Pace {
  #ends = [];
  #began = null;

  count(now = Date.now()) {
    this.#began ??= now;
    this.#ends.push(now);
  }

  /** A second's worth, null before there is enough to tell. */
  rate(now = Date.now()) {
    while (this.#ends.length && this.#ends[0] < now - WINDOW_MS) this.#ends.shift();
    if (this.#began === null || this.#ends.length < 2) return null;
    const seconds = Math.min(WINDOW_MS, now - this.#began) / 1000;
    return seconds < 0.5 ? null : this.#ends.length / seconds;
  }
}
