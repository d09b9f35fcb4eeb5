// Building elements. Whatever comes from files or people enters the page as text, never as markup:
// this module is the one way in, and it has no door for HTML.

export const $ = (id) => document.getElementById(id);

/** Text in which nothing hides: control characters, and marks that turn the direction of what follows, as their codes. */
export const visible = (text) =>
  text.replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (mark) => `⟨U+${mark.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

const shown = (value) => (typeof value === "string" ? visible(value) : value);

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties (`on...` are listeners, `class`, `dataset`, else attributes) and children (nodes, text). */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else if (key === "dataset") Object.assign(node.dataset, value);
    else node.setAttribute(key, value === true ? "" : shown(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map(shown));
  return node;
}

/** An icon of the sprite in index.html; decoration, its button carries the words. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function iconButton(name, label, onclick, extra = {}) {
  return el("button", { type: "button", class: "tool", "aria-label": label, title: label, onclick, ...extra }, icon(name));
}

/** A function that runs `fn` once for all its calls of one breath, and after the canvas was painted: masks come first. */
export function afterPaint(fn) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => setTimeout(() => {
      due = false;
      fn();
    }));
  };
}

/** A color as a custom property: a strict policy forbids style attributes, the object model is allowed. */
export function tint(node, color) {
  node.style.setProperty("--color", color);
  return node;
}

/** Says something to screen readers, without moving the eye of anybody else. */
export function announce(text) {
  const region = $("live");
  region.textContent = "";
  // A text that equals the last one is read out only when the region was empty in between.
  setTimeout(() => (region.textContent = text), 30);
}
