// Where the image lies on the screen: screen = image * scale + (x, y), in CSS pixels of the canvas.

import { emit } from "./state.js";

export const view = { scale: 1, x: 0, y: 0, width: 1, height: 1, imageWidth: 1, imageHeight: 1, ratio: 1 };

const MARGIN = 16;
const LARGEST = 40; // screen pixels to one of the image

const smallest = () => Math.min(0.5, whole() / 2);

const whole = () =>
  Math.max(
    1e-3,
    Math.min((view.width - 2 * MARGIN) / view.imageWidth, (view.height - 2 * MARGIN) / view.imageHeight),
  );

export const toImage = (sx, sy) => [(sx - view.x) / view.scale, (sy - view.y) / view.scale];

export const toScreen = (x, y) => [x * view.scale + view.x, y * view.scale + view.y];

/** Shows the whole image. */
export function fit() {
  view.scale = whole();
  view.x = (view.width - view.imageWidth * view.scale) / 2;
  view.y = (view.height - view.imageHeight * view.scale) / 2;
  emit("view");
}

/** Zooms by a factor round a place of the screen, which stays where it is. */
export function zoomAt(sx, sy, factor) {
  const scale = Math.min(LARGEST, Math.max(smallest(), view.scale * factor));
  const real = scale / view.scale;
  view.x = sx - (sx - view.x) * real;
  view.y = sy - (sy - view.y) * real;
  view.scale = scale;
  keepInSight();
}

export function pan(dx, dy) {
  view.x += dx;
  view.y += dy;
  keepInSight();
}

/** Never lose the image: its edge stays at least a little inside of the canvas. */
function keepInSight() {
  const [w, h] = [view.imageWidth * view.scale, view.imageHeight * view.scale];
  view.x = Math.min(view.width - 60, Math.max(60 - w, view.x));
  view.y = Math.min(view.height - 60, Math.max(60 - h, view.y));
  emit("view");
}

export function resize(width, height) {
  const centre = toImage(view.width / 2, view.height / 2);
  const fitted = Math.abs(view.scale - whole()) < 1e-6;
  Object.assign(view, { width, height, ratio: devicePixelRatio || 1 });
  if (fitted) return fit();
  view.x = width / 2 - centre[0] * view.scale;
  view.y = height / 2 - centre[1] * view.scale;
  keepInSight();
}

export function showImage(width, height, anew) {
  const same = view.imageWidth === width && view.imageHeight === height;
  Object.assign(view, { imageWidth: width, imageHeight: height });
  if (anew || !same) fit();
}
