// The keyboard: one listener, the table of commands, and the sheet that "?" shows.

import { COMMANDS } from "./commands.js";
import { moveCross } from "./cross.js";
import { $, el } from "./dom.js";
import { held } from "./pointer.js";
import { selectedObject } from "./state.js";

const table = new Map();
for (const command of COMMANDS) for (const key of command.keys) table.set(key, command);

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** "Ctrl+Shift+z", "?", "Shift+ArrowLeft": letters and named keys carry Shift, signs are what they are. */
export function nameOf(event) {
  const key = event.key === " " ? "Space" : event.key;
  const letter = key.length === 1 && key.toLowerCase() !== key.toUpperCase();
  const name = letter ? key.toLowerCase() : key;
  const shift = event.shiftKey && (letter || key.length > 1);
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${shift ? "Shift+" : ""}${name}`;
}

/** Does the focused element need the key itself? */
function taken(event, name) {
  const { target } = event;
  if (document.querySelector("dialog[open]")) return true;
  if (target.matches("input[type=text], input[type=search], input[type=number], textarea")) return true;
  if (target.matches("select")) return !name.includes("Ctrl+");
  if (target.matches("input[type=range]")) return name.includes("Arrow") || ["Home", "End", "PageUp", "PageDown"].includes(name);
  // Enter and Space press the button that has the focus.
  if (target.matches("button, summary, a, input")) return name === "Enter" || name === "Space";
  return false;
}

function pressed(event) {
  if (event.isComposing) return;
  const name = nameOf(event);
  if (taken(event, name)) return;
  if (event.altKey) return cross(event);
  if (name === "Space") {
    // Held and dragged it moves the image; let go without a drag it plays.
    event.preventDefault();
    held.space = true;
    return;
  }
  const command = table.get(name);
  if (!command) return;
  // Tab steps through candidates only where there are some and the image has the focus: else it is the browser's.
  if (name === "Tab" && !(event.target === $("overlay") && selectedObject()?.candidates.length > 1)) return;
  event.preventDefault();
  command.run();
}

function cross(event) {
  const direction = ARROWS[event.key];
  if (!direction) return;
  event.preventDefault();
  const step = event.shiftKey ? 40 : 8;
  moveCross(direction[0] * step, direction[1] * step);
}

function released(event) {
  if (event.key !== " " || !held.space) return;
  const tap = !held.dragged;
  Object.assign(held, { space: false, dragged: false });
  if (tap) table.get("Space").run();
}

let byHand = false; // was a pointer used last?

/** Whoever presses a button with the mouse goes on with the image: Enter then accepts and does not press it again. */
function backToImage(event) {
  if (!byHand || document.querySelector("dialog[open], [popover]:popover-open")) return;
  if (event.target.closest("button, select")) $("overlay").focus({ preventScroll: true });
}

const PRETTY = {
  ArrowLeft: "←", ArrowRight: "→", Escape: "Esc", Delete: "Del", Backspace: "⌫", PageDown: "Page ↓", PageUp: "Page ↑",
};

const pretty = (key) => key.split("+").map((part) => PRETTY[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" ").trim() || "+";

const MOUSE = [
  ["Click", "inside the object"],
  ["Right click, Alt click", "outside of it"],
  ["Drag", "a box for a new object"],
  ["Ctrl drag", "a box for the chosen object"],
  ["Drag a corner, side, point", "change the prompt"],
  ["Click a point", "take it away"],
  ["Shift click", "choose an object"],
  ["Wheel, pinch", "zoom"],
  ["Space drag, middle drag, two fingers", "move the image"],
  ["Alt + arrows", "move the cross (Shift: faster)"],
];

const entry = (keys, text) => el("div", { class: "key-line" }, el("dt", {}, ...keys), el("dd", {}, text));

function sheet() {
  const groups = [...new Set(COMMANDS.map((command) => command.group))].map((group) => {
    const lines = COMMANDS.filter((command) => command.group === group && !command.unlisted).map((command) => {
      const keys = command.shownKeys ? [el("kbd", {}, command.shownKeys)] : command.keys.map((key) => el("kbd", {}, pretty(key)));
      return entry(keys, command.label);
    });
    return el("section", {}, el("h3", {}, group), el("dl", {}, ...lines));
  });
  const mouse = MOUSE.map(([how, what]) => entry([el("kbd", {}, how)], what));
  $("help-keys").replaceChildren(el("section", {}, el("h3", {}, "Mouse and touch"), el("dl", {}, ...mouse)), ...groups);
}

export function startKeys() {
  sheet();
  addEventListener("keydown", pressed);
  addEventListener("keyup", released);
  addEventListener("keydown", () => (byHand = false), true);
  addEventListener("pointerdown", () => (byHand = true), true);
  addEventListener("click", (event) => event.target.matches("select, option") || backToImage(event));
  addEventListener("change", backToImage);
  addEventListener("blur", () => Object.assign(held, { space: false, dragged: false }));
  $("help-close").addEventListener("click", () => $("help").close());
}
