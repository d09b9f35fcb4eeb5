// A cross that the keyboard moves over the image, for those who work without a mouse.

import { announce } from "./dom.js";
import { draft, setDraft } from "./draft.js";
import { addBox, click } from "./tools.js";
import { emit, state } from "./state.js";
import { toImage, toScreen, view } from "./view.js";

let corner = null;

const middle = () => toImage(view.width / 2, view.height / 2);

/** Moves the cross by pixels of the screen; it begins in the middle of what is shown. */
export function moveCross(dx, dy) {
  const [sx, sy] = toScreen(...(draft.cross ?? middle()));
  const at = toImage(sx + dx, sy + dy);
  draft.cross = [
    Math.min(view.imageWidth - 0.01, Math.max(0, at[0])),
    Math.min(view.imageHeight - 0.01, Math.max(0, at[1])),
  ];
  if (corner) setDraft({ kind: "box", box: span(corner, draft.cross) });
  else emit("marks");
}

/** At the cross, or with none where the mouse is. */
export function clickAtCross(label) {
  const at = draft.cross ?? draft.cursor;
  if (at) click({ x: at[0], y: at[1] }, label);
}

export function cornerAtCross() {
  const at = draft.cross ?? draft.cursor;
  if (!at) return;
  const started = corner;
  corner = started ? null : at;
  if (!started) return announce("First corner; move and press again");
  setDraft(null);
  const box = span(started, at);
  if (state.item !== null && box[2] - box[0] >= 1 && box[3] - box[1] >= 1) addBox(box);
}

export function forgetCorner() {
  corner = null;
}

const span = ([ax, ay], [bx, by]) => [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
