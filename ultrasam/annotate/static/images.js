// Pictures as the browser's bitmaps: the open one, the next ones, and as many of before as fit.

import * as api from "./api.js";
import { keyOf } from "./state.js";

const KEPT_PIXELS = 64e6; // 256 MB
// A larger picture is asked for in this size; masks keep all pixels of the file.
const LARGEST_SHOWN = 16e6;

const bitmaps = new Map(); // key -> Promise of a bitmap
const ready = new Map(); // key -> bitmap

export const peek = (item, frame) => ready.get(keyOf(item.id, frame)) ?? null;

/** A promise of the picture; asked for once. */
export function load(item, frame) {
  const key = keyOf(item.id, frame);
  if (!bitmaps.has(key)) {
    const promise = decode(item, frame).then((bitmap) => keep(key, bitmap));
    promise.catch(() => bitmaps.delete(key));
    bitmaps.set(key, promise);
  } else if (ready.has(key)) {
    keep(key, ready.get(key)); // looked at again: among the youngest
  }
  return bitmaps.get(key);
}

async function decode(item, frame) {
  const shrink = Math.sqrt(LARGEST_SHOWN / (item.width * item.height));
  const width = shrink < 1 ? Math.round(item.width * shrink) : null; // a width of 0 is not known yet
  return createImageBitmap(await api.image(item.id, frame, width));
}

function keep(key, bitmap) {
  ready.delete(key);
  ready.set(key, bitmap);
  let pixels = 0;
  for (const one of ready.values()) pixels += one.width * one.height;
  for (const [old, one] of ready) {
    // The bitmap just asked for is drawn next: it stays, however large.
    if (pixels <= KEPT_PIXELS || old === key) break;
    pixels -= one.width * one.height;
    ready.delete(old);
    bitmaps.delete(old);
  }
  return bitmap;
}
