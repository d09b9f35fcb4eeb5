// Opening an image or a frame: what is there already is shown in the same breath, the rest when it comes; then the
// next image is made ready while this one is looked at.

import * as api from "./api.js";
import { preview, redraw, showBitmap } from "./canvas.js";
import { $, visible } from "./dom.js";
import { setDraft } from "./draft.js";
import { stopHover } from "./hover.js";
import { load, peek } from "./images.js";
import { currentItem, emit, keepFrame, keyOf, select, state } from "./state.js";
import { showImage } from "./view.js";

const AHEAD = 8; // frames of a cine
let turn = 0; // only the last opening may show something

export async function open(id, frame = 0) {
  const mine = ++turn;
  const anew = id !== state.item;
  leave(anew);
  Object.assign(state, { item: id, frame });
  if (typeof state.selected === "string") state.selected = null;
  select(null);
  history.replaceState(null, "", `#${id}/${frame}`);
  emit("item-opened", { anew });
  const item = currentItem();
  const bitmap = peek(item, frame);
  if (bitmap) present(item, bitmap, anew);
  else stageNote("Loading…", 200);
  if (anew && !bitmap) showBitmap(null);
  getReady(item, frame, anew);
  // The answers come in their own order; a click on the first of them is already right.
  const [shown] = await Promise.all([bitmap ?? loaded(item, frame, mine, anew), refreshed(item, frame, anew)]);
  if (mine !== turn || !shown) return;
  ahead(item, frame);
}

const PASSING = 120; // ms: a frame that is only passed by is not encoded
let readying = 0;

/** The first click shall not wait for the encoder. */
function getReady(item, frame, anew) {
  clearTimeout(readying);
  const now = () => quiet(api.prepare(item.id, frame));
  if (anew) now();
  else readying = setTimeout(now, PASSING);
}

/** Another frame of the open cine. */
export const openFrame = (frame) => {
  const item = currentItem();
  if (item) return open(item.id, Math.min(item.frames - 1, Math.max(0, frame)));
};

function leave(anew) {
  stopHover();
  setDraft(null);
  preview.answer = null;
  if (anew) state.hidden.clear();
}

async function loaded(item, frame, mine, anew) {
  try {
    const bitmap = await load(item, frame);
    if (!item.width) await known(item);
    if (mine === turn) present(item, bitmap, anew);
    return bitmap;
  } catch (error) {
    if (mine === turn) refuse(error instanceof Error ? error.message : String(error));
    return null;
  }
}

function present(item, bitmap, anew) {
  stageNote("");
  showImage(item.width, item.height, anew);
  showBitmap(bitmap);
  redraw();
  emit("shown");
}

function refuse(text) {
  showBitmap(null);
  redraw();
  stageNote(text);
}

/** The frame's objects; a frame known already is asked for again only when one comes to its image anew. */
async function refreshed(item, frame, anew) {
  if (!anew && state.frames.has(keyOf(item.id, frame))) return emit("frame");
  await fetchFrame(item.id, frame);
  if (anew) await known(item);
}

/** Clips and DICOM are opened by the server when they are first looked at: only then it knows frames and spacing. */
async function known(item) {
  const before = JSON.stringify(item);
  const { width, height } = item;
  const answer = await quiet(api.item(item.id));
  if (!answer) return;
  Object.assign(item, answer.item);
  if (JSON.stringify(item) === before) return;
  if (width && item.id === state.item && (item.width !== width || item.height !== height)) {
    // Another file lies in its place: coordinates are this one's from now on.
    showImage(item.width, item.height, true);
    redraw();
  }
  emit("item", item);
  if (item.id === state.item) emit("item-opened", { anew: false });
  if (item.error) emit("notice", { text: item.error, bad: true });
}

export async function fetchFrame(id, frame) {
  try {
    return keepFrame(await api.frame(id, frame));
  } catch (error) {
    emit("notice", { text: error.message, bad: true });
    return null;
  }
}

function ahead(item, frame) {
  for (let k = 1; k <= AHEAD && frame + k < item.frames; k++) quiet(load(item, frame + k));
  const next = neighbor(1);
  if (next === null || frame + 1 < item.frames) return;
  const other = state.items.find((one) => one.id === next);
  quiet(load(other, 0).then(() => emit("prefetched", next)));
  // The server encodes the image that follows in the files; the list may be sorted in another way.
  const following = state.items[state.items.indexOf(item) + 1]?.id;
  if (next !== following) quiet(api.prepare(next, 0));
}

/** Work ahead that fails is told when its image is opened. */
const quiet = (promise) => promise.catch(() => null);

/** The id `step` places further in the shown list, or null at its ends. */
export function neighbor(step) {
  const at = state.order.indexOf(state.item);
  return state.order[at + step] ?? null;
}

export function go(step) {
  const id = neighbor(step);
  if (id === null) return emit("notice", { text: step > 0 ? "This is the last image of the list." : "This is the first image of the list." });
  return open(id, 0);
}

/** The next image of the list that is still to do, from here on and then from the start. */
export function goToNextTodo() {
  const at = state.order.indexOf(state.item);
  const round = [...state.order.slice(at + 1), ...state.order.slice(0, at)];
  const next = round.find((id) => state.items.find((item) => item.id === id).state === "todo");
  if (next !== undefined) return open(next, 0);
  const left = state.items.filter((item) => item.state === "todo").length;
  const text = left ? `Nothing is left in this list; ${left} images of others are to do.` : "All images are done.";
  emit("notice", { text });
}

let timer = 0;

/** Words in place of the picture, after a moment when they are only about waiting. */
export function stageNote(text, delay = 0) {
  clearTimeout(timer);
  const note = $("stage-note");
  const show = () => {
    note.textContent = visible(text);
    note.hidden = !text;
  };
  if (delay) timer = setTimeout(show, delay);
  else show();
}
