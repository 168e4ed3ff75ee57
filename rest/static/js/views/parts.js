/** What several views show: tiles, pictures with boxes, faces, a place to drop things. */

import { h, icon, place } from "../dom.js";
import { title } from "../words.js";

/** Make an element take what is dropped on it. */
export function dropZone(element, taken) {
  let inside = 0;
  const light = (by) => {
    inside += by;
    element.classList.toggle("over", inside > 0);
  };
  element.addEventListener("dragenter", () => light(1));
  element.addEventListener("dragleave", () => light(-1));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    light(-inside);
    taken(event.dataTransfer);
  });
}

/** A picture that shows an icon instead when there is none. */
export function picture(source, alt, missing = "images") {
  if (!source) return h("span", alt ? { class: "blank", role: "img", "aria-label": alt } : { class: "blank" }, icon(missing));
  const image = h("img", { src: source, alt, loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(picture(null, alt, missing)), { once: true });
  return image;
}

export function face(source, alt) {
  return h("span", { class: "face" }, picture(source, alt, "face"));
}

/** A tile of a list of pictures. */
export function tile(image) {
  const name = title(image);
  const source = image.state === "done" ? `/images/${image.hash}/small` : null;
  const label = image.state === "done" ? name : `${name}, ${image.state}`;
  return h(
    "li",
    { class: "tile" },
    h("a", { href: `#/image/${image.hash}`, "aria-label": label }, picture(source, "")),
    h("span", { class: "caption", title: image.names?.join("\n") }, name),
    image.state === "done" ? null : badge(image.state),
  );
}

export function badge(state) {
  return h("span", { class: `badge ${state}` }, state);
}

/** A picture with a button on every face; `chosen` is called with a face's number when its button is used or looked at. */
export class Stage {
  constructor(element, { width, height, source, alt }) {
    this.size = { width, height };
    this.frame = h("div", { class: "frame" }, picture(source, alt));
    this.frame.style.aspectRatio = `${width} / ${height}`;
    // As wide as there is room, but never higher than most of the window.
    this.frame.style.maxWidth = `calc(72vh * ${width} / ${height})`;
    this.boxes = [];
    element.replaceChildren(this.frame);
  }

  add(box, label, { chosen, left }) {
    const number = this.boxes.length;
    const button = h("button", { type: "button", class: "box", "aria-label": label }, h("span", { class: "tag" }, String(number + 1)));
    place(button, box, this.size.width, this.size.height);
    for (const kind of ["mouseenter", "focus", "click"]) button.addEventListener(kind, () => chosen(number, kind));
    for (const kind of ["mouseleave", "blur"]) button.addEventListener(kind, () => left(number));
    this.boxes.push(button);
    this.frame.append(button);
  }

  light(number, on) {
    this.boxes[number]?.classList.toggle("lit", on);
  }
}

/** How near a match is, as a number and a bar; 0 is the same picture of a face, the tolerance is the end of the bar. */
export function nearness(distance, tolerance = 0.6) {
  const meter = h("meter", { min: 0, max: tolerance, value: Math.max(0, tolerance - distance), "aria-hidden": "true" });
  return h("span", { class: "nearness" }, meter, h("span", { class: "numbers" }, `distance ${distance.toFixed(2)}`));
}
