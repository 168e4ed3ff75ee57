/** Making elements: text is always set as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

/** An element. Attributes that begin with "on" are listeners; false, null and undefined leave an attribute out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
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
  parent.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
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
