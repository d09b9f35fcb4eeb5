// An image too large to be sent whole comes scaled down; of what one looks at closely its own pixels are fetched.

import * as api from "./api.js";
import { fineness, showDetail } from "./canvas.js";
import { on, state } from "./state.js";
import { toImage, view } from "./view.js";

const STILL = 150; // ms without moving
const MARGIN = 0.25; // of what is in sight, on each side: small moves need nothing new

let timer = 0;
let asking = null; // AbortController
let shown = null; // {item, frame, x, y, w, h}

function sight(margin) {
  const [x1, y1] = toImage(0, 0);
  const [x2, y2] = toImage(view.width, view.height);
  const [dx, dy] = [(x2 - x1) * margin, (y2 - y1) * margin];
  const x = Math.max(0, Math.floor(x1 - dx));
  const y = Math.max(0, Math.floor(y1 - dy));
  return { x, y, w: Math.min(view.imageWidth, Math.ceil(x2 + dx)) - x, h: Math.min(view.imageHeight, Math.ceil(y2 + dy)) - y };
}

const covers = (outer, inner) =>
  outer.x <= inner.x && outer.y <= inner.y && outer.x + outer.w >= inner.x + inner.w && outer.y + outer.h >= inner.y + inner.h;

function soon() {
  clearTimeout(timer);
  if (fineness() >= 1 || view.scale * view.ratio <= fineness() * 1.2) return;
  timer = setTimeout(fetchPart, STILL);
}

async function fetchPart() {
  const { item, frame } = state;
  if (shown?.item === item && shown.frame === frame && covers(shown, sight(0))) return;
  const part = sight(MARGIN);
  if (part.w < 1 || part.h < 1) return;
  asking?.abort();
  asking = new AbortController();
  try {
    const width = Math.ceil(part.w * Math.min(1, view.scale * view.ratio));
    const bitmap = await createImageBitmap(await api.imagePart(item, frame, part, width, asking.signal));
    if (item !== state.item || frame !== state.frame) return;
    shown = { item, frame, ...part };
    showDetail({ bitmap, ...part });
  } catch (error) {
    // The picture is there already, only less fine; who can't be reached is told elsewhere.
    if (error.name !== "AbortError" && !(error instanceof api.Refused || error instanceof api.Unreachable)) throw error;
  }
}

export function startDetail() {
  on("view shown", soon);
  on("item-opened", () => (shown = null));
}
