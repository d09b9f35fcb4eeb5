// Masks: COCO's compressed run lengths to pixels, to a tinted picture, to an outline. Only the bounding box of a
// mask is ever unpacked, so a small object in a huge image costs little.

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
  /** @param {{size: number[], counts: string}} rle COCO's, size [height, width] */
  constructor(rle) {
    const height = rle.size[0];
    const runs = runLengths(rle.counts);
    [this.x, this.y, this.w, this.h] = boundsOf(runs, height);
    this.data = new Uint8Array(this.w * this.h); // row by row
    this.area = 0;
    let start = 0;
    for (let k = 0; k < runs.length; start += runs[k++]) if (k % 2) this.#fill(start, runs[k], height);
    this.tints = new Map();
    this.paths = null;
  }

  #fill(start, length, height) {
    this.area += length;
    let column = Math.floor(start / height);
    let row = start - column * height;
    while (length > 0) {
      const here = Math.min(length, height - row);
      let cell = (row - this.y) * this.w + column - this.x;
      for (let k = 0; k < here; k++, cell += this.w) this.data[cell] = 1;
      length -= here;
      column += 1;
      row = 0;
    }
  }

  has(x, y) {
    const [column, row] = [Math.floor(x) - this.x, Math.floor(y) - this.y];
    return column >= 0 && row >= 0 && column < this.w && row < this.h && this.data[row * this.w + column] === 1;
  }

  /** A canvas of the bounding box in one color, or null of an empty mask. */
  tinted(color) {
    if (!this.w) return null;
    if (!this.tints.has(color)) this.tints.set(color, this.#paint(color));
    return this.tints.get(color);
  }

  #paint(color) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.w, this.h];
    const context = canvas.getContext("2d");
    const picture = context.createImageData(this.w, this.h);
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

const KEPT = 600;
const cache = new Map();

/** The unpacked mask of run lengths; the same text is unpacked once. */
export function maskOf(rle) {
  const key = `${rle.size[0]}:${rle.counts}`;
  let mask = cache.get(key);
  if (mask) cache.delete(key); // to the end again: the oldest goes first
  else mask = new Mask(rle);
  cache.set(key, mask);
  if (cache.size > KEPT) cache.delete(cache.keys().next().value);
  return mask;
}
