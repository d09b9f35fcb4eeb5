// What a pointer does with each tool. A tool's `begin` answers with a gesture: move, up, cancel.

import { hasPicture } from "./canvas.js";
import { maskOf } from "./masks.js";
import { calipersHere, keepCaliper, removeCaliper } from "./calipers.js";
import { draft, setDraft } from "./draft.js";
import { handlesOf } from "./marks.js";
import { holdPreview, hoverAt, stopHover } from "./hover.js";
import { panning } from "./pointer.js";
import { submit } from "./saving.js";
import { set, settings } from "./settings.js";
import { currentItem, emit, objects, select, selectedObject, state } from "./state.js";
import { toScreen, view } from "./view.js";

const DRAG = 4; // screen pixels below which a press is a click
const [NEAR, NEAR_FINGER] = [8, 18]; // how close a handle must be

/** Sides keep the order; an image has nothing beyond its edge. */
const inImage = (x, y) => [Math.min(view.imageWidth, Math.max(0, x)), Math.min(view.imageHeight, Math.max(0, y))];
const round = (value) => Math.round(value * 100) / 100;
const boxOf = ([ax, ay], [bx, by]) =>
  [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)].map(round);
const isOutside = ({ x, y }) => x < 0 || y < 0 || x >= view.imageWidth || y >= view.imageHeight;
const far = (from, to) => Math.hypot(to.sx - from.sx, to.sy - from.sy) > DRAG;

export function begin(at) {
  holdPreview();
  draft.cross = null;
  if (!hasPicture()) return null;
  if (at.button > 2) return null;
  return TOOLS[state.tool](at);
}

const TOOLS = {
  prompt: (at) => (at.shift ? pick(at) : editPrompt(at) ?? press(at)),
  select: (at) => editPrompt(at) ?? pick(at) ?? panning(at),
  brush: (at) => stroke(at, at.alt || at.button === 2),
  eraser: (at) => stroke(at, !(at.alt || at.button === 2)),
  caliper: (at) => measure(at),
  levels: (at) => levels(at),
  hand: (at) => panning(at),
};

/** The object at a place; the smallest, as it may lie in another. */
export function objectAt({ x, y }) {
  const there = objects().filter((one) => !state.hidden.has(one.id) && maskOf(one.mask, view.scale * view.ratio).has(x, y));
  return there.sort((a, b) => a.area - b.area)[0] ?? null;
}

function pick(at) {
  const object = objectAt(at);
  select(object?.id ?? null);
  return object ? {} : null;
}

/** A press where nothing is: a click inside or outside, or a box when it is dragged. */
function press(from) {
  const outside = from.alt || from.button === 2;
  const label = outside ? 1 - state.sign : state.sign;
  let dragged = false;
  return {
    move(to) {
      dragged ||= far(from, to);
      if (dragged && !outside) setDraft({ kind: "box", box: boxOf(inImage(from.x, from.y), inImage(to.x, to.y)) });
    },
    up(to) {
      setDraft(null);
      if (!dragged) return click(from, label);
      stopHover();
      const [x1, y1, x2, y2] = boxOf(inImage(from.x, from.y), inImage(to.x, to.y));
      if (!outside && x2 - x1 >= 1 && y2 - y1 >= 1) addBox([x1, y1, x2, y2], to.ctrl);
    },
    cancel: () => setDraft(null),
  };
}

/** A click inside (1) or outside (0) at a place of the image: to the chosen object, else the first of a new one. */
export function click(at, label) {
  if (isOutside(at)) return;
  const chosen = selectedObject();
  const begun = chosen ? chosen.box || chosen.labels.includes(1) : state.selected === "last";
  if (label === 0 && !begun) {
    return emit("notice", { text: "A click outside alone does not say where an object is: click inside or draw a box first." });
  }
  submit({ kind: "point", object: state.selected, class: state.class, at: [round(at.x), round(at.y)], label });
}

/** A new object in a box; with `same` it becomes the box of the chosen one. */
export function addBox(box, same = false) {
  if (same && state.selected !== null) return submit({ kind: "box", object: state.selected, class: state.class, box });
  select(null);
  submit({ kind: "add", object: null, class: state.class, box, points: [], labels: [] });
}

/** Dragging the chosen object's handles and points; a click on a point takes it away. */
function editPrompt(from) {
  const object = selectedObject();
  if (!object || from.button !== 0 || from.alt) return null;
  const near = from.touch ? NEAR_FINGER : NEAR;
  const close = (x, y) => {
    const [sx, sy] = toScreen(x, y);
    return Math.hypot(sx - from.sx, sy - from.sy) <= near;
  };
  const index = object.points.findIndex(([x, y]) => close(x, y));
  if (index >= 0) return movePoint(object, index, from);
  const handle = object.box && handlesOf(object.box).find(([, x, y]) => close(x, y));
  const side = handle?.[0] ?? (object.box && sideAt(object.box, from, near));
  return side ? moveSide(object, side, from) : null;
}

/** A side of the box may be taken anywhere along it. */
function sideAt([x1, y1, x2, y2], { x, y }, near) {
  const reach = (near * 0.6) / view.scale;
  const [along, up] = [x > x1 && x < x2, y > y1 && y < y2];
  if (along && Math.abs(y - y1) < reach) return "n";
  if (along && Math.abs(y - y2) < reach) return "s";
  if (up && Math.abs(x - x1) < reach) return "w";
  if (up && Math.abs(x - x2) < reach) return "e";
  return null;
}

function reshape(object, from, changed, onClick) {
  let prompt = null;
  return {
    move(to) {
      if (!prompt && !far(from, to)) return;
      prompt = { box: object.box, points: object.points, labels: object.labels, ...changed(to) };
      setDraft({ kind: "prompt", ...prompt });
    },
    up() {
      setDraft(null);
      if (prompt) submit({ kind: "prompt", object: object.id, ...prompt });
      else onClick?.();
    },
    cancel: () => setDraft(null),
  };
}

function moveSide(object, side, from) {
  return reshape(object, from, (to) => {
    let [x1, y1, x2, y2] = object.box;
    const [x, y] = inImage(to.x, to.y);
    if (side.includes("w")) x1 = x;
    if (side.includes("e")) x2 = x;
    if (side.includes("n")) y1 = y;
    if (side.includes("s")) y2 = y;
    const box = boxOf([x1, y1], [x2, y2]);
    return { box: box[2] - box[0] >= 1 && box[3] - box[1] >= 1 ? box : object.box };
  });
}

function movePoint(object, index, from) {
  const others = (list) => list.filter((_, k) => k !== index);
  const moved = (to) => {
    const [x, y] = inImage(to.x, to.y).map(round);
    const last = [Math.min(x, view.imageWidth - 0.01), Math.min(y, view.imageHeight - 0.01)];
    return { points: object.points.map((point, k) => (k === index ? last : point)) };
  };
  return reshape(object, from, moved, () => {
    const prompt = { box: object.box, points: others(object.points), labels: others(object.labels) };
    const remains = prompt.box || prompt.labels.includes(1);
    submit(remains ? { kind: "prompt", object: object.id, ...prompt } : { kind: "delete", object: object.id });
  });
}

function stroke(from, erase) {
  const id = state.selected;
  if (erase && id === null) {
    emit("notice", { text: "Choose the object to erase from first: V, then click it." });
    return null;
  }
  const index = selectedObject()?.class ?? state.class;
  const shape = { kind: "brush", class: index, points: [], radius: settings.brush, erase };
  const add = ({ x, y }) => {
    const last = shape.points.at(-1);
    // Places closer than a quarter of the radius change nothing that one could see.
    if (last && Math.hypot(x - last[0], y - last[1]) < Math.max(0.3, settings.brush / 4)) return;
    shape.points.push([round(x), round(y)]);
    draft.cursor = [x, y];
    setDraft(shape);
  };
  add(from);
  return {
    every: true,
    move: add,
    up() {
      setDraft(null);
      submit({ ...shape, object: id });
    },
    cancel: () => setDraft(null),
  };
}

function measure(from) {
  const near = from.touch ? NEAR_FINGER : NEAR;
  const taken = (point) => {
    const [sx, sy] = toScreen(...point);
    return Math.hypot(sx - from.sx, sy - from.sy) <= near;
  };
  const index = calipersHere().findIndex((one) => taken(one.a) || taken(one.b));
  const old = calipersHere()[index];
  if (from.button === 2) return old ? (removeCaliper(index), null) : null;
  const end = old && taken(old.a) ? "a" : "b";
  const start = inImage(from.x, from.y);
  let moved = false;
  const draw = (caliper) => {
    draft.caliper = caliper;
    emit("marks");
  };
  return {
    move(to) {
      moved ||= far(from, to);
      if (moved) draw({ ...(old ?? { a: start }), index: old ? index : null, [end]: inImage(to.x, to.y) });
    },
    // A press that went nowhere measures nothing.
    up: () => moved && keepCaliper(),
    cancel: () => draw(null),
  };
}

/** Across changes the contrast, up and down the brightness, as on the consoles of scanners. */
function levels(from) {
  const { level, window: width } = settings;
  const limit = (value, low, high) => Math.min(high, Math.max(low, value));
  return {
    move(to) {
      set({
        window: round(limit(width + (to.sx - from.sx) / 400, 0.05, 2)),
        level: round(limit(level + (to.sy - from.sy) / 400, 0, 1)),
      });
    },
  };
}

export function hover(at) {
  draft.cursor = [at.x, at.y];
  if (["brush", "eraser"].includes(state.tool)) emit("marks");
  if (state.tool === "prompt" && state.selected === null && !isOutside(at)) hoverAt(at);
  else if (state.selected !== "last") stopHover();
  emit("cursor", at);
}

export function leave() {
  draft.cursor = null;
  stopHover();
  emit("marks");
  emit("cursor", null);
}
