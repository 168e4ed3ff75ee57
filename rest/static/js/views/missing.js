/** Addresses that lead to nothing: what is not there, and a way on. */

import { fill, stamp } from "../dom.js";

/** For an address that means nothing at all. */
export function nothingView(main) {
  tell(main, "There is nothing here", "The address in the browser belongs to no part of this page.", ["#/", "Add pictures"]);
}

export function noPicture(main) {
  tell(main, "There is no such picture", "It was erased or never added, or it belongs to somebody else.", ["#/images", "All pictures"]);
}

export function noPerson(main) {
  tell(main, "There is no such person", "The group was merged with another, taken apart or erased, or it belongs to somebody else.", ["#/people", "All people"]);
}

function tell(main, title, text, [address, words]) {
  const { content, parts } = stamp("view-missing");
  parts.title.textContent = title;
  parts.text.textContent = text;
  parts.on.textContent = words;
  parts.on.href = address;
  document.title = `${title} · facerec`;
  const focused = main.contains(document.activeElement);
  fill(main, content);
  if (focused) main.querySelector("h1").focus({ preventScroll: true });
}
