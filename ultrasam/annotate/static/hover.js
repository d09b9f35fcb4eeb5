// The mask that a click here would give. One question is under way at a time; while it is, only the newest place
// waits, and an answer for a place that the cursor has left is thrown away.

import * as api from "./api.js";
import { preview } from "./canvas.js";
import { settings } from "./settings.js";
import { emit, state } from "./state.js";
import { view } from "./view.js";

let asking = null; // AbortController of the question under way
let next = null; // the place to ask about then
let latest = null; // where the cursor is
const STILL = 24; // screen pixels: an answer from this close is still worth showing

export function hoverAt({ x, y }) {
  if (!settings.hover || state.job) return stopHover();
  // As a click here would be sent: the server answers it ahead while the cursor rests.
  const [cx, cy] = [Math.round(x * 100) / 100, Math.round(y * 100) / 100];
  latest = { x: cx, y: cy, item: state.item, frame: state.frame };
  next = latest;
  if (!asking) ask();
}

export function stopHover() {
  next = latest = null;
  asking?.abort();
  if (!preview.answer) return;
  preview.answer = null;
  emit("hover");
}

/** A click was made where the preview is: it stays until the answer itself is there, so that nothing flickers. */
export function holdPreview() {
  next = latest = null;
  asking?.abort();
}

async function ask() {
  const place = next;
  next = null;
  asking = new AbortController();
  try {
    const answer = await api.hover(place.item, place.frame, place.x, place.y, asking.signal);
    if (!outdated(place)) show(answer);
  } catch (error) {
    // A preview is no work of anybody's: without an answer there is simply none. The heartbeat tells of a lost server.
    if (error.name !== "AbortError" && !(error instanceof api.Refused || error instanceof api.Unreachable)) throw error;
  } finally {
    asking = null;
  }
  if (next) ask();
}

function outdated(place) {
  if (!latest || place.item !== state.item || place.frame !== state.frame || state.selected !== null) return true;
  return Math.hypot(latest.x - place.x, latest.y - place.y) * view.scale > STILL;
}

function show(answer) {
  preview.answer = answer;
  emit("hover");
}
