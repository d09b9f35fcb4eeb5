// Prompts, handles, calipers and the brush's circle: drawn in the size of the screen, whatever the zoom.

import { drawStroke } from "./canvas.js";
import { calipersHere } from "./calipers.js";
import { draft, lengthText } from "./draft.js";
import { pending } from "./saving.js";
import { settings } from "./settings.js";
import { classColor, currentItem, selectedObject, state } from "./state.js";
import { toScreen, view } from "./view.js";

const INSIDE = "#2fbf71";
const OUTSIDE = "#f0524f";
const HALO = "rgba(0, 0, 0, 0.65)";
export const HANDLE = 4.5; // half of a handle's side

/** The eight handles of a box: [name, x, y]; the name says which sides they move. */
export function handlesOf([x1, y1, x2, y2]) {
  const [mx, my] = [(x1 + x2) / 2, (y1 + y2) / 2];
  return [
    ["nw", x1, y1], ["n", mx, y1], ["ne", x2, y1], ["e", x2, my],
    ["se", x2, y2], ["s", mx, y2], ["sw", x1, y2], ["w", x1, my],
  ];
}

export function drawMarks(context) {
  const brush = draft.shape?.kind === "brush";
  if (brush) drawStroke(context, draft.shape);
  context.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
  context.globalAlpha = 1;
  if (!state.hideAll) drawPrompts(context);
  for (const intent of pending()) drawPending(context, intent);
  if (draft.shape?.kind === "box") drawBox(context, draft.shape.box, classColor(state.class), false);
  calipersHere().forEach((one) => drawCaliper(context, one));
  drawCursor(context);
  drawCross(context);
}

function drawPrompts(context) {
  const object = selectedObject();
  const shown = draft.shape?.kind === "prompt" ? draft.shape : object;
  if (!object || !shown || state.hidden.has(object.id)) return;
  const handles = ["prompt", "select"].includes(state.tool);
  if (shown.box) drawBox(context, shown.box, classColor(object.class), handles);
  shown.points.forEach((point, k) => drawPoint(context, point, shown.labels[k]));
}

function drawPending(context, intent) {
  if (intent.kind === "point") drawPoint(context, intent.at, intent.label, 0.75);
  if (intent.kind === "box") drawBox(context, intent.box, classColor(intent.class), false);
  if (intent.kind === "prompt") {
    if (intent.box) drawBox(context, intent.box, "#ffffff", false);
    intent.points.forEach((point, k) => drawPoint(context, point, intent.labels[k], 0.75));
  }
}

function drawPoint(context, point, label, alpha = 1) {
  const [x, y] = toScreen(...point);
  context.globalAlpha = alpha;
  disc(context, x, y, 7, HALO);
  disc(context, x, y, 6, "#ffffff");
  disc(context, x, y, 5, label ? INSIDE : OUTSIDE);
  // A sign besides the color: not everybody tells red from green.
  line(context, [[x - 2.5, y], [x + 2.5, y]], "#ffffff", 1.5);
  if (label) line(context, [[x, y - 2.5], [x, y + 2.5]], "#ffffff", 1.5);
  context.globalAlpha = 1;
}

function drawBox(context, [x1, y1, x2, y2], color, handles) {
  const [ax, ay] = toScreen(x1, y1);
  const [bx, by] = toScreen(x2, y2);
  const corners = [[ax, ay], [bx, ay], [bx, by], [ax, by], [ax, ay]];
  line(context, corners, HALO, 3);
  line(context, corners, color, 1.5);
  if (!handles) return;
  for (const [, x, y] of handlesOf([ax, ay, bx, by])) {
    context.fillStyle = "#ffffff";
    context.fillRect(x - HANDLE, y - HANDLE, 2 * HANDLE, 2 * HANDLE);
    context.fillStyle = color;
    context.fillRect(x - HANDLE + 1.5, y - HANDLE + 1.5, 2 * HANDLE - 3, 2 * HANDLE - 3);
  }
}

function drawCaliper(context, { a, b }) {
  const [p, q] = [toScreen(...a), toScreen(...b)];
  line(context, [p, q], HALO, 3.5);
  line(context, [p, q], "#ffd84d", 1.5);
  for (const [x, y] of [p, q]) {
    line(context, [[x - 6, y], [x + 6, y]], "#ffd84d", 1.5);
    line(context, [[x, y - 6], [x, y + 6]], "#ffd84d", 1.5);
  }
  tag(context, lengthText(a, b, currentItem()?.spacing), q[0] + 10, q[1] - 8);
}

function tag(context, text, x, y) {
  context.font = "600 12px system-ui, sans-serif";
  const width = context.measureText(text).width;
  context.fillStyle = "rgba(10, 13, 17, 0.82)";
  context.beginPath();
  context.roundRect(x - 5, y - 13, width + 10, 19, 4);
  context.fill();
  context.fillStyle = "#ffe79a";
  context.fillText(text, x, y + 1);
}

function drawCursor(context) {
  if (!draft.cursor || !["brush", "eraser"].includes(state.tool)) return;
  const [x, y] = toScreen(...draft.cursor);
  const radius = settings.brush * view.scale;
  ring(context, x, y, radius, HALO, 3);
  ring(context, x, y, radius, state.tool === "eraser" ? "#ffffff" : classColor(state.class), 1.5);
}

/** The cross that the keyboard moves. */
function drawCross(context) {
  if (!draft.cross) return;
  const [x, y] = toScreen(...draft.cross);
  for (const [color, width] of [[HALO, 3], ["#ffffff", 1]]) {
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      line(context, [[x + 4 * dx, y + 4 * dy], [x + 18 * dx, y + 18 * dy]], color, width);
    }
  }
}

function line(context, points, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  points.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}

function disc(context, x, y, radius, color) {
  context.fillStyle = color;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fill();
}

function ring(context, x, y, radius, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.stroke();
}
