// The bar below a cine: play, scrub, go from frame to frame.

import { $, afterPaint } from "./dom.js";
import { drawCurve } from "./curve.js";
import { load, peek } from "./images.js";
import { fetchFrame, openFrame } from "./open.js";
import { currentItem, keyOf, on, state } from "./state.js";

const RATE = 15; // frames a second
const AT_ONCE = 4; // requests for frames' objects under way

let timer = null;

export const playing = () => timer !== null;

export function play() {
  const item = currentItem();
  if (playing() || !item || item.frames < 2) return pause();
  if (state.frame === item.frames - 1) openFrame(0);
  timer = setInterval(advance, 1000 / RATE);
  render();
}

export function pause() {
  clearInterval(timer);
  timer = null;
  render();
}

function advance() {
  const item = currentItem();
  const next = state.frame + 1;
  if (next >= item.frames) return pause();
  // A frame that is not there yet is waited for, not skipped: what is judged must have been seen.
  if (peek(item, next)) openFrame(next);
  else load(item, next).catch(pause);
}

export function step(by) {
  pause();
  openFrame(state.frame + by);
}

function render() {
  const item = currentItem();
  const cine = Boolean(item && item.frames > 1);
  $("cine").hidden = !cine;
  if (!cine) return;
  const scrub = $("scrub");
  scrub.max = item.frames - 1;
  scrub.value = state.frame;
  scrub.setAttribute("aria-valuetext", `frame ${state.frame + 1} of ${item.frames}`);
  $("frame-number").textContent = `${state.frame + 1} / ${item.frames}`;
  $("play").setAttribute("aria-label", playing() ? "Pause" : "Play");
  $("play").querySelector("use").setAttribute("href", playing() ? "#i-pause" : "#i-play");
  drawCurve();
}

let wantedItem = null;

/** The curve needs the objects of frames that nobody has opened yet. */
async function fetchLabelled() {
  const item = currentItem();
  if (!item || item.frames < 2) return;
  wantedItem = item.id;
  const missing = item.labelled_frames.filter((frame) => !state.frames.has(keyOf(item.id, frame)));
  const worker = async () => {
    while (missing.length && wantedItem === state.item) await fetchFrame(item.id, missing.shift());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const soon = afterPaint(render);

export function startCine() {
  on("item-opened", ({ anew }) => {
    if (anew) pause(), fetchLabelled();
    soon();
  });
  on("frame selection classes settings job", soon);
  $("scrub").addEventListener("input", (event) => {
    pause();
    openFrame(Number(event.target.value));
  });
  new ResizeObserver(soon).observe($("curve"));
}
