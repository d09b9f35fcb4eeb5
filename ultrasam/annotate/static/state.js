// What the page knows, in one place, and who wants to hear of changes. Modules read `state`; whoever changes it
// says so with `emit`.

export const state = {
  session: null,
  items: [],
  classes: [],
  order: [], // ids of the items as the list shows them
  item: null, // id of the open item
  frame: 0,
  frames: new Map(), // "item/frame" -> frame as the server last told
  selected: null, // id of an object, "last" while its first answer is under way, or null
  tool: "prompt",
  sign: 1, // what a plain tap means: 1 inside, 0 outside
  class: 0,
  hidden: new Set(), // ids of objects
  hideAll: false,
  job: null, // a running propagation or search
};

const listeners = new Map();

/** Calls `fn(detail)` at every `emit` of one of the topics (separated by blanks). */
export function on(topics, fn) {
  for (const topic of topics.split(" ")) {
    if (!listeners.has(topic)) listeners.set(topic, new Set());
    listeners.get(topic).add(fn);
  }
}

export function emit(topic, detail) {
  for (const fn of listeners.get(topic) ?? []) fn(detail);
}

export const keyOf = (item, frame) => `${item}/${frame}`;

export const currentItem = () => state.items.find((item) => item.id === state.item) ?? null;

export const currentFrame = () => state.frames.get(keyOf(state.item, state.frame)) ?? null;

export const objects = () => currentFrame()?.objects ?? [];

export const selectedObject = () => objects().find((object) => object.id === state.selected) ?? null;

/** Objects that count: a suggestion does only when it was accepted. */
export const isLabel = (object) => object.source !== "suggested";

export const className = (index) => state.classes[index]?.name ?? "unknown class";

export const classColor = (index) => state.classes[index]?.color ?? "#9aa4b2";

export function select(id) {
  if (state.selected === id) return;
  state.selected = id;
  emit("selection");
}

export function setTool(tool) {
  state.tool = tool;
  emit("tool");
}

/** Keeps a frame that the server sent, and what the list says of its item. */
export function keepFrame(frame) {
  const key = keyOf(frame.item, frame.frame);
  const before = state.frames.get(key);
  // An answer that was overtaken by a newer one says nothing new.
  if (before && before.revision > frame.revision) return before;
  state.frames.set(key, frame);
  const item = state.items.find((one) => one.id === frame.item);
  if (item) countInto(item, frame);
  emit("frame", frame);
  return frame;
}

function countInto(item, frame) {
  const labels = frame.objects.filter(isLabel);
  const others = item.labelled_frames.filter((number) => number !== frame.frame);
  item.labelled_frames = (labels.length ? [...others, frame.frame] : others).sort((a, b) => a - b);
  let count = 0;
  let least = null;
  let known = true;
  for (const number of item.labelled_frames) {
    const one = state.frames.get(keyOf(item.id, number));
    // The server's count stands as long as some labeled frame was never loaded.
    if (!one) known = false;
    for (const object of one?.objects.filter(isLabel) ?? []) {
      count += 1;
      if (object.iou !== null && (least === null || object.iou < least)) least = object.iou;
    }
  }
  if (known) {
    item.objects = count;
    item.iou = least;
  }
  emit("item", item);
}
