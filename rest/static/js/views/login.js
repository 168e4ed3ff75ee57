/** Showing a token to open a session. */

import { ApiError, post } from "../api.js";
import { show, stamp } from "../dom.js";

export function loginView(main, begin) {
  const { content, parts } = stamp("view-login");
  main.append(content);
  const field = parts.login.querySelector("input");
  parts.login.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await post("/session", { token: field.value.trim() });
      await begin();
    } catch (error) {
      parts.error.textContent = error instanceof ApiError && error.status === 401 ? "Nobody has this token." : error.message;
      show(parts.error, true);
      field.select();
    }
  });
  field.focus();
}
