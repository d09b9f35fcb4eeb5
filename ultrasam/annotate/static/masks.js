// Masks: COCO's compressed run lengths to pixels, to a tinted picture, to an outline. Only the bounding box of a
// mask is ever unpacked, so a small object in a huge image costs little; and of a huge image that is shown small only
// every second, fourth, ... row and column.

import { outlineOf } from "./outline.js";

/** COCO's text to run lengths: 5 bits a character, lowest first; from the fourth on the difference to two before. */
export function runLengths(text) {
  const runs = [];
  let at = 0;
  while (at < text.length) {
    let value = 0;
    let shift = 0;
    let code;
    do {
      code = text.charCodeAt(at++) - 48;
      value |= (code & 31) << shift;
      shift += 5;
    } while (code & 32 && at < text.length);
    if (code & 16 && shift < 32) value |= -1 << shift;
    if (runs.length > 2) value += runs[runs.length - 2];
    runs.push(value);
  }
  return runs;
}

/** The smallest box round the ones, [x, y, w, h]; runs go down the columns. */
function boundsOf(runs, height) {
  let [x0, y0, x1, y1] = [Infinity, height, -1, -1];
  let start = 0;
  for (let k = 0; k < runs.length; start += runs[k++]) {
    if (k % 2 === 0 || runs[k] === 0) continue;
    const last = start + runs[k] - 1;
    const [left, right] = [Math.floor(start / height), Math.floor(last / height)];
    x0 = Math.min(x0, left);
    x1 = Math.max(x1, right);
    y0 = left === right ? Math.min(y0, start % height) : 0;
    y1 = left === right ? Math.max(y1, last % height) : height - 1;
  }
  return x1 < 0 ? [0, 0, 0, 0] : [x0, y0, x1 - x0 + 1, y1 - y0 + 1];
}

export class Mask {
  /**
   * @param {{size: number[], counts: string}} rle COCO's, size [height, width]
   * @param {number} step pixels from one unpacked cell to the next, down and across
   */
  constructor(rle, step = 1) {
    const height = rle.size[0];
    const runs = runLengths(rle.counts);
    [this.x, this.y, this.w, this.h] = boundsOf(runs, height); // pixels
    this.step = step;
    [this.columns, this.rows] = [Math.ceil(this.w / step), Math.ceil(this.h / step)];
    this.data = new Uint8Array(this.columns * this.rows); // row by row
    this.area = 0;
    let start = 0;
    for (let k = 0; k < runs.length; start += runs[k++]) if (k % 2 && runs[k]) this.#fill(start, runs[k], height);
    this.tints = new Map();
    this.paths = null;
  }

  #fill(start, length, height) {
    this.area += length;
    const { step, columns } = this;
    const last = start + length - 1;
    const first = Math.floor(start / height) - this.x;
    const end = Math.floor(last / height) - this.x;
    for (let column = Math.ceil(first / step); column * step <= end; column++) {
      const top = (column * step + this.x) * height + this.y; // the cell of row 0
      const from = Math.max(0, Math.ceil((start - top) / step));
      const to = Math.min(this.rows - 1, Math.floor((last - top) / step));
      for (let row = from; row <= to; row++) this.data[row * columns + column] = 1;
    }
  }

  has(x, y) {
    const [column, row] = [Math.floor((x - this.x) / this.step), Math.floor((y - this.y) / this.step)];
    return column >= 0 && row >= 0 && column < this.columns && row < this.rows && this.data[row * this.columns + column] === 1;
  }

  /** Draws the mask in one color where it lies; `scale` is the context's unit for a pixel of the image. */
  draw(context, color, scale = 1) {
    if (!this.w) return;
    if (!this.tints.has(color)) this.tints.set(color, this.#paint(color));
    const [cell, picture] = [this.step * scale, this.tints.get(color)];
    context.drawImage(picture, this.x * scale, this.y * scale, this.columns * cell, this.rows * cell);
  }

  #paint(color) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.columns, this.rows];
    const context = canvas.getContext("2d");
    const picture = context.createImageData(this.columns, this.rows);
    const pixels = new Uint32Array(picture.data.buffer);
    const value = packed(color);
    for (let k = 0; k < pixels.length; k++) if (this.data[k]) pixels[k] = value;
    context.putImageData(picture, 0, 0);
    return canvas;
  }

  /** {smooth, exact}: the border through the middles of the pixels' edges, and along the edges. */
  outline() {
    this.paths ??= outlineOf(this);
    return this.paths;
  }
}

const LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function packed(color) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return (LITTLE ? (255 << 24) | (b << 16) | (g << 8) | r : (r << 24) | (g << 16) | (b << 8) | 255) >>> 0;
}

const HUGE = 4e6; // pixels of an image whose masks are not always unpacked whole
const KEPT = 600;
const cache = new Map();

/** The unpacked mask of run lengths, fine enough for `scale`, screen pixels to one of the image; unpacked once. */
export function maskOf(rle, scale) {
  const step = rle.size[0] * rle.size[1] < HUGE ? 1 : 2 ** Math.max(0, Math.floor(Math.log2(1 / scale)));
  const key = `${step}:${rle.size[0]}:${rle.counts}`;
  let mask = cache.get(key);
  if (mask) cache.delete(key); // to the end again: the oldest goes first
  else mask = new Mask(rle, step);
  cache.set(key, mask);
  if (cache.size > KEPT) cache.delete(cache.keys().next().value);
  return mask;
}
