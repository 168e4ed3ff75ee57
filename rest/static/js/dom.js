/** Making elements: text is always set as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;
const SHOWN = ["title", "alt", "aria-label"];

/** A text with the signs that turn the text behind them around written out: a name must not look like another. */
export function visible(text) {
  if (typeof text !== "string") return text;
  return text.replace(TURNING, (sign) => `\\u${sign.charCodeAt(0).toString(16)}`);
}

/** Children without those that are left out. */
function present(children) {
  return children.flat().filter((child) => child !== null && child !== undefined && child !== false).map(visible);
}

/**
 * An element. Attributes that begin with "on" are listeners; false, null and undefined leave an attribute out. Texts are shown as
 * `visible` has them.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, SHOWN.includes(name) ? visible(value) : value);
    }
  }
  element.append(...present(children));
  return element;
}

/** One of the drawings of icons.html. */
export function icon(name, kind = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", kind);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A copy of a template's content, with its data-attributes as an index: parts.bar is the element with data-bar. */
export function stamp(id) {
  const content = document.getElementById(id).content.cloneNode(true);
  const parts = {};
  for (const element of content.querySelectorAll("*")) {
    for (const name of Object.keys(element.dataset)) parts[name] ??= element;
  }
  return { content, parts };
}

/** Put children in the place of what was there. */
export function fill(parent, ...children) {
  parent.replaceChildren(...present(children));
}

export function show(element, visible) {
  element.hidden = !visible;
}

/** A place of a box over a picture, in per cent, whatever size the picture has on the screen. */
export function place(element, box, width, height) {
  element.style.left = `${(100 * box.left) / width}%`;
  element.style.top = `${(100 * box.top) / height}%`;
  element.style.width = `${(100 * (box.right - box.left)) / width}%`;
  element.style.height = `${(100 * (box.bottom - box.top)) / height}%`;
}
