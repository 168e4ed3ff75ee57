/** Short messages, and questions before what cannot be undone. */

import { fill, h } from "./dom.js";

const STAYS_MS = 6000;

/**
 * A message that goes by itself; `action` is {label, run}. What can be done about the newest change alone is offered for that
 * one alone. What is said again is shown once, and longer.
 */
export function toast(text, action = null) {
  for (const older of document.querySelectorAll(".toast")) {
    if (older.matches(".offer") || older.textContent === text) older.remove();
  }
  const close = () => note.remove();
  const note = h("div", { class: action ? "toast offer" : "toast" }, h("span", {}, text));
  if (action) {
    const run = () => {
      close();
      action.run();
    };
    note.append(h("button", { type: "button", class: "quiet", onclick: run }, action.label));
  }
  document.getElementById("toasts").append(note);
  setTimeout(close, action ? 2 * STAYS_MS : STAYS_MS);
}

/** Whether the person says yes. `text` may hold elements; `no` is what the other button says. */
export function ask(question, text, yes, kind = "danger", no = "Cancel") {
  const dialog = document.getElementById("ask");
  const button = dialog.querySelector("[value=yes]");
  dialog.querySelector("h2").textContent = question;
  fill(dialog.querySelector(".ask-text"), ...[text].flat());
  button.textContent = yes;
  dialog.querySelector("[value=no]").textContent = no;
  button.className = kind;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Tell something that stays until it is closed. */
export function tell(title, ...content) {
  const dialog = document.getElementById("tell");
  dialog.querySelector("h2").textContent = title;
  fill(dialog.querySelector(".tell-text"), ...content);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
}

/** Run something that may fail; its error becomes a message. Whether it went well. */
export async function attempt(run) {
  try {
    await run();
    return true;
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message);
    return false;
  }
}
