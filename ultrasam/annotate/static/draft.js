// What a hand is drawing right now.

import { emit } from "./state.js";

/** `caliper`: {a, b, index}, index of the one that changes or null; `shape`: {kind: "box", box} | {kind: "brush", points, radius, erase, class} | {kind: "prompt", box, points, labels}. */
export const draft = { shape: null, cursor: null, cross: null, caliper: null };

export function setDraft(shape) {
  draft.shape = shape;
  emit("marks");
}

/** "12.3 mm", or pixels where the file says no spacing; spacing is [x, y] in mm. */
export function lengthText([ax, ay], [bx, by], spacing) {
  const [dx, dy] = [bx - ax, by - ay];
  if (!spacing) return `${Math.hypot(dx, dy).toFixed(1)} px`;
  return `${Math.hypot(dx * spacing[0], dy * spacing[1]).toFixed(1)} mm`;
}
