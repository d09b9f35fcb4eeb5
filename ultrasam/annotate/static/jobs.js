// Work that takes the server a while: propagation over a cine and the search for everything. One at a time, with
// progress, and it can be stopped.

import * as api from "./api.js";
import { hasPicture } from "./canvas.js";
import { $, announce } from "./dom.js";
import { openFrame } from "./open.js";
import { settled } from "./saving.js";
import { currentItem, emit, isLabel, keepFrame, objects, on, select, state } from "./state.js";

async function run(title, call) {
  if (state.job) return null;
  const controller = new AbortController();
  const job = { title, item: state.item, done: 0, total: 0, stop: () => controller.abort(), stopped: false };
  state.job = job;
  emit("job");
  try {
    await settled();
    if (!controller.signal.aborted) await call(controller.signal, job);
  } catch (error) {
    if (error.name === "AbortError") job.stopped = true;
    else if (error instanceof api.Refused || error instanceof api.Unreachable) {
      job.stopped = true;
      emit("notice", { text: error.message, bad: true });
    } else throw error;
  } finally {
    state.job = null;
    emit("job");
  }
  return job;
}

export const stop = () => state.job?.stop();

/** Carries this frame's objects (or the chosen one) on: direction 1 forward, -1 backward, to the next corrected frame. */
export async function propagate(direction) {
  const item = currentItem();
  if (!item || item.frames < 2) return;
  const from = state.frame;
  const to = direction > 0 ? item.frames - 1 : 0;
  await settled(); // it starts from what one sees
  const labels = objects().filter(isLabel);
  const chosen = labels.filter((object) => object.id === state.selected);
  if (!labels.length) return emit("notice", { text: "First outline something in this frame; then it can be propagated." });
  if (from === to) return emit("notice", { text: `There is no frame ${direction > 0 ? "after" : "before"} this one.` });
  const ids = (chosen.length ? chosen : labels).map((object) => object.id);
  const job = await run(direction > 0 ? "Propagating forward" : "Propagating backward", (signal, job) =>
    api.propagate(item.id, { from, to, objects: ids }, signal, (told) => follow(job, told)));
  if (!job) return;
  const drifting = driftsOf(item);
  const words = `${job.stopped ? "Stopped after" : "Carried through"} ${counted(job.done, "frame")}.`;
  const drifts = drifting === 1 ? "One drifts: it is" : `${drifting} drift: they are`;
  const text = drifting ? `${words} ${drifts} marked in the bar.` : `${words} None drifts.`;
  emit("notice", { text });
}

const driftsOf = (item) =>
  item.labelled_frames.filter((frame) => state.frames.get(`${item.id}/${frame}`)?.objects.some((one) => one.drift)).length;

function follow(job, { done, total, frame }) {
  Object.assign(job, { done, total });
  if (frame) {
    keepFrame(frame);
    if (frame.item === state.item && frame.frame !== state.frame) openFrame(frame.frame);
  }
  emit("job");
}

/** Masks of everything in this frame, as suggestions to accept or reject. */
export async function findEverything() {
  const [item, frame] = [state.item, state.frame];
  if (!hasPicture()) return;
  let empty = 0;
  const job = await run("Finding everything", (signal, job) =>
    api.automatic(item, frame, { class: state.class }, signal, (told) => {
      Object.assign(job, { done: told.done, total: told.total });
      empty = told.left_out ?? 0;
      if (told.frame) keepFrame(told.frame);
      emit("job");
    }));
  if (!job || item !== state.item || frame !== state.frame) return;
  const found = objects().filter((object) => !isLabel(object));
  if (found.length) select(found[0].id);
  const text = found.length
    ? `${counted(found.length, "suggestion")}. Y accepts, Delete rejects the chosen one.`
    : "Nothing was found that the model is sure of. Click or draw a box instead.";
  const lost = empty ? ` ${counted(empty, "detection")} without a pixel of the image left out.` : "";
  if (!job.stopped || found.length) emit("notice", { text: text + lost });
}

const counted = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

let spoken = null;

function render() {
  const { job } = state;
  $("job").hidden = !job;
  for (const id of ["auto", "forward", "backward"]) $(id).disabled = Boolean(job);
  if (!job) return (spoken = null);
  $("job-title").textContent = job.title;
  $("job-count").textContent = job.total ? `${job.done} / ${job.total}` : "starting…";
  const bar = $("job-bar");
  if (job.total) Object.assign(bar, { max: job.total, value: job.done });
  else bar.removeAttribute("value");
  if (spoken !== job) announce(job.title);
  spoken = job;
}

export function startJobs() {
  on("job", render);
  $("job-stop").addEventListener("click", stop);
}
