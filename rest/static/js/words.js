/** Numbers, times and reasons for people. */

import { visible } from "./dom.js";

const whole = new Intl.NumberFormat("en");
const moment = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

export function number(value) {
  return value === null || value === undefined ? "unknown" : whole.format(value);
}

export function count(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

export function time(iso) {
  return iso ? moment.format(new Date(iso)) : "unknown";
}

export function bytes(size) {
  if (size < 1024) return count(size, "byte");
  const units = ["KB", "MB", "GB"];
  let value = size / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function duration(seconds) {
  if (seconds < 1.5) return "about a second";
  if (seconds < 90) return `about ${count(Math.round(seconds), "second")}`;
  if (seconds < 5400) return `about ${count(Math.round(seconds / 60), "minute")}`;
  return `about ${count(Math.round(seconds / 3600), "hour")}`;
}

export function distance(value) {
  return value.toFixed(2);
}

const REASONS = {
  UNSUPPORTED_IMAGE: "This is no picture of a known kind.",
  UNREADABLE_IMAGE: "The picture is damaged.",
  TOO_LARGE: "The picture is too large.",
  FETCH_FAILED: "The address gave no picture.",
  FORBIDDEN_URL: "This address may not be fetched.",
  TIMEOUT: "It took too long.",
  TIME_LIMIT: "It took too long.",
  CHILD_DIED: "The picture broke the program that looked at it.",
  DELIVERY_LIMIT: "It was tried too often.",
  SERVICE_UNAVAILABLE: "A part of the service was away.",
  ERASED: "It was erased meanwhile.",
  AUTH_FAILED: "You are not signed in.",
  OFFLINE: "The service cannot be reached.",
};

/** A code of the service in plain words, with its own detail behind. */
export function reason(code, detail) {
  const plain = REASONS[code];
  if (!plain) return detail || code || "It failed.";
  return detail && detail !== plain ? `${plain} (${detail})` : plain;
}

/** What an image is called: its first name without the folders, or its hash. */
export function title(image) {
  const name = image.names?.[0];
  return name ? visible(name.split("/").pop() || name) : image.hash.slice(0, 12);
}
