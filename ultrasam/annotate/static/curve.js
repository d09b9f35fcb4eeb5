// The line over a cine's scrubber: the area of a class in each frame, which frames have objects, which drift.

import { $ } from "./dom.js";
import { classColor, className, currentItem, isLabel, keyOf, selectedObject, state } from "./state.js";

/** Area (mm² or pixels, null without object) and drift of a class in each frame of the open cine. */
export function course(item, index) {
  return Array.from({ length: item.frames }, (_, frame) => {
    const all = state.frames.get(keyOf(item.id, frame))?.objects.filter(isLabel) ?? [];
    const mine = all.filter((object) => object.class === index);
    const area = mine.reduce((sum, object) => sum + (object.measured?.area_mm2 ?? object.area), 0);
    return { area: mine.length ? area : null, drift: all.some((object) => object.drift) };
  });
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function drawCurve() {
  const item = currentItem();
  const canvas = $("curve");
  if (!item || item.frames < 2 || !canvas.clientWidth) return;
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const index = selectedObject()?.class ?? state.class;
  const points = course(item, index);
  const step = width / item.frames;
  marks(context, item, points, step, height);
  line(context, points, step, height, classColor(index));
  cursor(context, step, height);
  caption(item, index, points[state.frame]);
}

function marks(context, item, points, step, height) {
  const labelled = new Set(item.labelled_frames);
  points.forEach(({ drift }, frame) => {
    if (!labelled.has(frame) && !drift) return;
    context.fillStyle = color(drift ? "--poor" : "--accent");
    // Drift is taller as well as of another color.
    context.fillRect(frame * step, height - (drift ? 10 : 4), Math.max(1.5, step - 0.5), drift ? 10 : 4);
  });
}

function line(context, points, step, height, stroke) {
  const most = Math.max(...points.map(({ area }) => area ?? 0));
  if (!most) return;
  context.strokeStyle = stroke;
  context.lineWidth = 1.75;
  context.lineJoin = "round";
  context.beginPath();
  let open = false;
  points.forEach(({ area }, frame) => {
    if (area === null) return (open = false);
    const [x, y] = [(frame + 0.5) * step, height - 12 - (area / most) * (height - 17)];
    if (open) context.lineTo(x, y);
    else context.moveTo(x - Math.min(1, step / 2), y), context.lineTo(x, y);
    open = true;
  });
  context.stroke();
}

function cursor(context, step, height) {
  context.fillStyle = color("--text");
  context.fillRect((state.frame + 0.5) * step - 1, 0, 2, height);
}

function caption(item, index, point) {
  const unit = item.spacing ? "mm²" : "px";
  const area = point?.area === null || !point ? "no object" : `${point.area.toFixed(item.spacing ? 1 : 0)} ${unit}`;
  $("curve-words").textContent = `Area of ${className(index)}: ${area}`;
}
