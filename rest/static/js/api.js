/** Calls of the service: JSON in and out, errors as ApiError, the session's CSRF token where something changes. */

let csrf = null;

export class ApiError extends Error {
  constructor(status, document, retryAfter) {
    super(document.reason || `status ${status}`);
    this.status = status;
    this.code = document.code || "INTERNAL";
    this.retryAfter = retryAfter;
  }
}

/** The CSRF token of the session, null without one. */
export function useCsrf(token) {
  csrf = token;
}

/** Answer of a call. `body` is sent as it is, `json` as JSON. Throws ApiError, also when the service is out of reach. */
export async function call(method, path, { json, body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  if (csrf && method !== "GET") headers["X-CSRF-Token"] = csrf;
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      signal,
      body: json === undefined ? body : JSON.stringify(json),
      credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { code: "OFFLINE", reason: "The service cannot be reached." });
  }
  const document = await response.json().catch(() => ({}));
  if (response.ok) return document;
  if (response.status === 401) dispatchEvent(new Event("signed-out"));
  throw new ApiError(response.status, document, Number(response.headers.get("Retry-After")) || null);
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, json) => call("POST", path, { json });

/** A name as a path: each part encoded, none that browsers would resolve away. */
export function namePath(name) {
  const parts = name.split("/").filter((part) => part !== "" && part !== "." && part !== "..");
  return parts.map(encodeURIComponent).join("/");
}
