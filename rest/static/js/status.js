/** What the service says of itself. */

import { get } from "./api.js";
import { count } from "./words.js";

let known = null;

/** /status, asked once; views that show it ask anew. */
export function status() {
  known ??= freshStatus();
  return known;
}

export function freshStatus() {
  known = get("/status");
  known.catch(() => {
    known = null;
  });
  return known;
}

export function keptWords({ pictures }) {
  if (pictures.store === "none") return "No pictures are kept, only what describes the faces.";
  const until = pictures.days ? `for ${count(pictures.days, "day")}` : "until you erase them";
  return `Pictures are kept ${until}.`;
}
