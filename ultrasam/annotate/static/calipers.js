// Lengths that were measured: a frame keeps them like its objects, and they are undone like those.

import { draft } from "./draft.js";
import { pending, submit } from "./saving.js";
import { currentFrame } from "./state.js";

/** As the server has them, or will have them. */
const stored = () => (pending().findLast((one) => one.kind === "calipers") ?? currentFrame())?.calipers ?? [];

const send = (calipers) => submit({ kind: "calipers", calipers });

/** [{a: [x, y], b: [x, y]}], the one under the hand as it is now. */
export function calipersHere() {
  const all = stored().map(([ax, ay, bx, by]) => ({ a: [ax, ay], b: [bx, by] }));
  const { caliper } = draft;
  if (caliper) all[caliper.index ?? all.length] = caliper;
  return all;
}

/** Keeps what the hand has drawn. */
export function keepCaliper() {
  const all = calipersHere().map(({ a, b }) => [...a, ...b].map((value) => Math.round(value * 100) / 100));
  draft.caliper = null;
  send(all);
}

export const removeCaliper = (index) => send(stored().filter((_, k) => k !== index));
