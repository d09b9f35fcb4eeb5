// The way of every change to the server: one after the other, each on the revision that the one before made.
// What the server has not confirmed is kept here, retried, and shown as not saved.

import * as api from "./api.js";
import { stopHover } from "./hover.js";
import { resolve } from "./intents.js";
import * as unsaved from "./unsaved.js";
import { currentItem, emit, keepFrame, keyOf, select, state } from "./state.js";

const queue = [];
const created = new Map(); // frame -> id of the object that the last addition made
let running = false;
let wake = null;

/** What the bar shows: `status` is saved, saving or unsaved; `why` is for people. */
export const saving = { status: "saved", why: null, waiting: 0 };

const LONGEST_WAIT = 4000; // ms between two tries

/** Sends an intent (see intents.js) for a frame; at once if nothing else is under way. */
export function submit(intent, item = state.item, frame = state.frame) {
  if (intent.object === null && ["point", "add", "brush"].includes(intent.kind)) select("last");
  push({ type: "edit", item, frame, intent, tries: 0 });
}

/** Sends accept, skip, flag; the list shows them at once. */
export function submitState(item, changes) {
  Object.assign(item, changes);
  emit("item", item);
  push({ type: "state", item: item.id, changes, tries: 0 });
}

/** Intents of the open frame that the server has not answered yet: drawn as what they are. */
export const pending = () =>
  queue.filter((entry) => entry.type === "edit" && entry.item === state.item && entry.frame === state.frame)
    .map((entry) => entry.intent);

export function tryNow() {
  wake?.();
}

/** Resolves when everything is confirmed. */
export async function settled() {
  while (queue.length) await new Promise((done) => setTimeout(done, 20));
}

function push(entry) {
  queue.push(entry);
  if (saving.status === "unsaved") remember();
  emit("pending");
  pump();
}

async function pump() {
  if (running) return;
  running = true;
  while (queue.length) {
    if (saving.status === "saved") tell("saving");
    const entry = queue[0];
    try {
      await (entry.type === "edit" ? sendEdit(entry) : sendState(entry));
      drop((one) => one === entry);
      if (saving.status === "unsaved") tell("saving");
    } catch (error) {
      await failed(entry, error);
    }
  }
  running = false;
  unsaved.forget();
  tell("saved");
}

async function sendEdit(entry) {
  const key = keyOf(entry.item, entry.frame);
  const before = state.frames.get(key) ?? keepFrame(await api.frame(entry.item, entry.frame));
  const change = resolve(entry.intent, before, created.get(key));
  if (!change) return;
  // Sent again, it names the revision of the first time: an edit whose answer was lost is never made twice.
  entry.base ??= before.revision;
  const { frame } = await api.edit(entry.item, entry.frame, entry.base, change);
  adopt(frame, before, change);
}

/** Keeps the answer and selects what was made; the intent leaves the queue in the same breath, so nothing flickers. */
function adopt(frame, before, change) {
  const known = new Set(before.objects.map((object) => object.id));
  const made = frame.objects.find((object) => !known.has(object.id));
  if (made && (change.kind === "add" || change.kind === "brush")) {
    created.set(keyOf(frame.item, frame.frame), made.id);
    if (isOpen(frame) && state.selected === "last") state.selected = made.id;
  }
  queue.shift();
  keepFrame(frame);
  if (!isOpen(frame)) return;
  stopHover();
  if (state.selected !== "last" && !frame.objects.some((object) => object.id === state.selected)) state.selected = null;
  emit("selection");
}

const isOpen = (frame) => frame.item === state.item && frame.frame === state.frame;

async function sendState(entry) {
  const { item } = await api.itemState(entry.item, entry.changes);
  const ours = state.items.find((one) => one.id === item.id);
  if (ours) Object.assign(ours, item);
  emit("item", ours);
}

async function failed(entry, error) {
  if (!(error instanceof api.Refused || error instanceof api.Unreachable)) {
    drop((one) => one === entry);
    emit("notice", { text: `This change could not be sent: ${error.message}`, bad: true, lost: true });
    return reportError(error);
  }
  if (error.status === 409 && error.body.frame) return stale(entry, error.body.frame);
  if (error.status >= 400 && error.status < 500 && error.status !== 403) {
    drop((one) => one === entry);
    if (state.selected === "last") select(null);
    return emit("notice", { text: error.message, bad: true, lost: true });
  }
  entry.tries += 1;
  const why = error.status === 403 ? "The server was started anew: open the address that it printed." : error.message;
  tell("unsaved", why);
  remember();
  await pause(Math.min(LONGEST_WAIT, 250 * 2 ** Math.min(entry.tries, 6)));
}

/** Another tab or program changed the frame: show what is there now, and say which changes were not made. */
function stale(entry, frame) {
  // Sent twice, as the first answer was lost: the one revision that is new is this change itself.
  const ours = entry.tries > 0 && frame.revision === entry.base + 1;
  const lost = ours ? 0 : drop((one) => one.type === "edit" && one.item === entry.item && one.frame === entry.frame);
  if (ours) drop((one) => one === entry);
  state.frames.delete(keyOf(frame.item, frame.frame));
  keepFrame(frame);
  if (isOpen(frame)) select(null);
  if (lost) {
    const many = lost === 1 ? "Your last change was" : `Your last ${lost} changes were`;
    const fate = entry.tries ? "Please look whether your last change is there." : `${many} not made: please repeat.`;
    const text = `This image was changed elsewhere and is shown anew. ${fate}`;
    emit("notice", { text, bad: true, lost: true });
  }
}

function drop(which) {
  const before = queue.length;
  for (let k = queue.length - 1; k >= 0; k--) if (which(queue[k])) queue.splice(k, 1);
  emit("pending");
  return before - queue.length;
}

function tell(status, why = null) {
  Object.assign(saving, { status, why, waiting: queue.length });
  emit("saving");
}

function pause(ms) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    wake = () => (clearTimeout(timer), done());
  });
}

function remember() {
  saving.waiting = queue.length;
  emit("saving");
  unsaved.keep(state.session.out, queue);
}

/** Takes up changes that an earlier page of the same labels could not save. */
export async function restore() {
  const kept = await unsaved.inherit(state.session.out);
  const known = kept.filter((entry) => state.items.some((item) => item.id === entry.item));
  if (!known.length) return;
  // They may have been on their way when the page went.
  queue.push(...known.map((entry) => ({ ...entry, tries: entry.tries + 1 })));
  unsaved.keep(state.session.out, queue);
  emit("notice", { text: `Changes of before that were not saved yet: ${known.length}. They are being saved now.`, lost: true });
  pump();
}

export function guardLeaving() {
  addEventListener("online", tryNow);
  addEventListener("pagehide", () => queue.length && unsaved.keep(state.session.out, queue));
  addEventListener("beforeunload", (event) => {
    if (queue.length && currentItem()) event.preventDefault();
  });
}
