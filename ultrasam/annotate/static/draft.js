// What a hand is drawing right now, and what it drew to measure; neither is a label.

import { emit, keyOf, state } from "./state.js";

/** `shape`: {kind: "box", box} | {kind: "brush", points, radius, erase, class} | {kind: "prompt", box, points, labels}. */
export const draft = { shape: null, cursor: null, cross: null };

export function setDraft(shape) {
  draft.shape = shape;
  emit("marks");
}

const calipers = new Map(); // frame -> [{a: [x, y], b: [x, y]}]

const here = () => keyOf(state.item, state.frame);

export const calipersHere = () => calipers.get(here()) ?? [];

export function addCaliper(a, b) {
  const one = { a, b };
  calipers.set(here(), [...calipersHere(), one]);
  emit("marks");
  return one;
}

export function removeCaliper(one) {
  calipers.set(here(), calipersHere().filter((other) => other !== one));
  emit("marks");
}

export function removeCalipers() {
  calipers.delete(here());
  emit("marks");
}

/** "12.3 mm", or pixels where the file says no spacing; spacing is [x, y] in mm. */
export function lengthText([ax, ay], [bx, by], spacing) {
  const [dx, dy] = [bx - ax, by - ay];
  if (!spacing) return `${Math.hypot(dx, dy).toFixed(1)} px`;
  return `${Math.hypot(dx * spacing[0], dy * spacing[1]).toFixed(1)} mm`;
}
