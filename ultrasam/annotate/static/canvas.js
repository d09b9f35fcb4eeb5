// Two canvases, one on the other: the picture below, everything that is drawn on it above. Each is painted at most
// once a frame of the screen, and only when something of it changed.

import { $ } from "./dom.js";
import { drawMarks } from "./marks.js";
import { maskOf } from "./masks.js";
import { pending } from "./saving.js";
import { settings } from "./settings.js";
import { classColor, currentFrame, objects, on, state } from "./state.js";
import { resize, view } from "./view.js";

let bitmap = null;
let detail = null; // {bitmap, x, y, w, h}: a part of the picture with more pixels than the whole has
let wanted = { picture: false, overlay: false };
let painted = null; // the frame's revision last shown

/** A mask below the cursor that is only looked at: {mask, iou} or null. */
export const preview = { answer: null };

export function showBitmap(next) {
  bitmap = next;
  detail = null;
  redraw("picture");
}

/** A part of the picture, {bitmap, x, y, w, h}, drawn over the whole. */
export function showDetail(part) {
  detail = part;
  redraw("picture");
}

/** Pixels of the shown picture to one of the image: less than 1 where the image is huge. */
export const fineness = () => (bitmap ? bitmap.width / view.imageWidth : 1);

export const hasPicture = () => bitmap !== null;

export function redraw(layer = "overlay") {
  const idle = !wanted.picture && !wanted.overlay;
  wanted[layer] = true;
  if (idle) requestAnimationFrame(paint);
}

function paint() {
  const due = wanted;
  wanted = { picture: false, overlay: false };
  if (due.picture) drawPicture();
  if (due.overlay) drawOverlay();
}

function start(canvas) {
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const scale = view.scale * view.ratio;
  context.setTransform(scale, 0, 0, scale, view.x * view.ratio, view.y * view.ratio);
  return context;
}

function drawPicture() {
  const context = start($("picture"));
  if (!bitmap) return;
  // Single pixels are to be seen as such when one corrects them.
  context.imageSmoothingEnabled = view.scale < 5;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, view.imageWidth, view.imageHeight);
  if (detail) context.drawImage(detail.bitmap, detail.x, detail.y, detail.w, detail.h);
}

function drawOverlay() {
  const context = start($("overlay"));
  if (bitmap && !state.hideAll) {
    context.imageSmoothingEnabled = view.scale < 3;
    for (const object of objects()) if (!state.hidden.has(object.id)) drawObject(context, object);
    for (const intent of pending()) if (intent.kind === "brush") drawStroke(context, intent);
    if (preview.answer && settings.hover) drawPreview(context, preview.answer.mask);
  }
  if (bitmap) drawMarks(context);
  report();
}

function drawObject(context, object) {
  const mask = maskOf(object.mask, view.scale * view.ratio);
  const color = classColor(object.class);
  const chosen = object.id === state.selected;
  const suggested = object.source === "suggested";
  if (!settings.outline) {
    context.globalAlpha = suggested ? settings.opacity * 0.4 : settings.opacity;
    mask.draw(context, color);
  }
  context.globalAlpha = 1;
  stroke(context, mask, color, chosen ? 2.5 : 1.5, suggested || object.drift ? [6, 4] : []);
  if (chosen) stroke(context, mask, "#ffffff", 1, []);
}

function stroke(context, mask, color, width, dash) {
  const { smooth, exact } = mask.outline();
  context.strokeStyle = color;
  context.lineWidth = width / view.scale;
  context.setLineDash(dash.map((length) => length / view.scale));
  context.stroke(view.scale < 5 ? smooth : exact);
  context.setLineDash([]);
}

function drawPreview(context, rle) {
  const mask = maskOf(rle, view.scale * view.ratio);
  const color = classColor(state.class);
  context.globalAlpha = 0.18;
  mask.draw(context, color);
  context.globalAlpha = 0.9;
  stroke(context, mask, color, 1.25, [3, 3]);
  context.globalAlpha = 1;
}

/** A stroke of brush or eraser, as it will be. */
export function drawStroke(context, { points, radius, erase, class: index }) {
  context.save();
  context.globalAlpha = erase ? 1 : Math.max(0.35, settings.opacity);
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.strokeStyle = classColor(index);
  context.lineWidth = 2 * radius;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  points.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (points.length === 1) context.lineTo(points[0][0] + 1e-3, points[0][1]);
  context.stroke();
  context.restore();
}

/** Tells measuring tools when a frame's newest state was drawn. */
function report() {
  const frame = currentFrame();
  const now = frame && bitmap ? `${frame.item}/${frame.frame}@${frame.revision}` : null;
  if (now === painted) return;
  painted = now;
  dispatchEvent(new CustomEvent("ultrasam:painted", { detail: now }));
}

/** Gray values: `level` is shown as middle gray, `window` is the width from black to white. */
function applyLevels() {
  const { level, window: width } = settings;
  const plain = level === 0.5 && width === 1;
  for (const part of document.querySelectorAll("#levels feComponentTransfer > *")) {
    part.setAttribute("slope", String(1 / width));
    part.setAttribute("intercept", String(0.5 - level / width));
  }
  $("picture").classList.toggle("levels", !plain);
}

function fitToStage() {
  const { width, height } = $("stage").getBoundingClientRect();
  if (width < 2 || height < 2) return;
  const ratio = devicePixelRatio || 1;
  for (const canvas of [$("picture"), $("overlay")]) {
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  }
  resize(width, height);
  paintNow();
}

/** A resized canvas is empty: fill it before it is shown. */
function paintNow() {
  wanted = { picture: true, overlay: true };
  paint();
}

export function startCanvas() {
  on("frame selection pending hover marks tool classes item-opened", () => redraw());
  on("view", () => (redraw("picture"), redraw()));
  on("settings", () => (applyLevels(), redraw()));
  applyLevels();
  new ResizeObserver(fitToStage).observe($("stage"));
  fitToStage();
}
