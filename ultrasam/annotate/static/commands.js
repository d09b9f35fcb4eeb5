// Everything that can be done, with its keys: the bar, the keyboard and the sheet of keys are all made of this table.

import { chooseClass, editClasses } from "./classes.js";
import { pause, play, playing, step } from "./cine.js";
import { setDraft } from "./draft.js";
import { findEverything, propagate, stop } from "./jobs.js";
import { saveNow } from "./notices.js";
import { acceptSuggestion, nextCandidate, nextObject, removeObject } from "./objects.js";
import { go, goToNextTodo, openFrame } from "./open.js";
import { busy, cancelGesture } from "./pointer.js";
import { submit, submitState } from "./saving.js";
import { THEMES, set, settings } from "./settings.js";
import { announce, $ } from "./dom.js";
import { clickAtCross, cornerAtCross } from "./cross.js";
import { currentItem, emit, objects, select, selectedObject, setTool, state } from "./state.js";
import { fit, view, zoomAt } from "./view.js";

const isCine = () => (currentItem()?.frames ?? 1) > 1;
const zoom = (factor) => zoomAt(view.width / 2, view.height / 2, factor);
const within = (value, low, high) => Math.round(Math.min(high, Math.max(low, value)) * 100) / 100;
const resizeBrush = (factor) => {
  const grown = settings.brush * factor;
  set({ brush: within(factor > 1 ? Math.max(grown, settings.brush + 1) : Math.min(grown, settings.brush - 1), 1, 200) });
};

function finish(changes) {
  const item = currentItem();
  if (!item) return;
  const undone = item.state === changes.state;
  submitState(item, undone ? { state: "todo" } : changes);
  announce(undone ? "To do again" : changes.state);
  if (!undone) goToNextTodo();
}

function flag() {
  const item = currentItem();
  if (!item) return;
  submitState(item, { flagged: !item.flagged });
  announce(item.flagged ? "Flagged" : "No longer flagged");
}

/** Escape goes back by one step: out of what the hand does, out of the job, out of the object, to the first tool. */
function back() {
  if (busy()) return cancelGesture();
  if (state.job) return stop();
  setDraft(null);
  if (playing()) return pause();
  if (state.selected !== null) return select(null);
  setTool("prompt");
}

const onSelected = (run) => () => {
  const object = selectedObject();
  if (object) run(object);
};

const tool = (id, label, keys) => ({ id: `tool-${id}`, group: "Tools", label, keys, run: () => setTool(id) });

export const COMMANDS = [
  tool("prompt", "Click and box", ["p"]),
  tool("select", "Choose an object", ["v"]),
  tool("brush", "Brush", ["b"]),
  tool("eraser", "Eraser", ["e"]),
  tool("caliper", "Calipers", ["m"]),
  tool("levels", "Contrast and brightness by dragging", ["w"]),
  tool("hand", "Move the image", ["d"]),
  { id: "smaller", group: "Tools", label: "Smaller brush", keys: ["["], run: () => resizeBrush(1 / 1.25) },
  { id: "larger", group: "Tools", label: "Larger brush", keys: ["]"], run: () => resizeBrush(1.25) },

  { id: "new", group: "Objects", label: "Next object (let go of this one)", keys: ["n", "Escape"], run: back },
  { id: "sign", group: "Objects", label: "Plain click means inside or outside", keys: ["x"], run: () => { state.sign = 1 - state.sign; emit("tool"); announce(state.sign ? "Click is inside" : "Click is outside"); } },
  { id: "candidate", group: "Objects", label: "Next candidate of an ambiguous click", keys: ["c", "Tab"], run: () => nextCandidate(1) },
  { id: "candidate-back", group: "Objects", label: "Candidate before", keys: ["Shift+c"], run: () => nextCandidate(-1) },
  { id: "object-next", group: "Objects", label: "Choose the next object", keys: ["j"], run: () => nextObject(1) },
  { id: "object-before", group: "Objects", label: "Choose the object before", keys: ["Shift+j"], run: () => nextObject(-1) },
  { id: "delete", group: "Objects", label: "Delete object, reject suggestion", keys: ["Delete", "Backspace"], run: onSelected((object) => removeObject(object.id)) },
  { id: "clear", group: "Objects", label: "Delete all objects of this frame", keys: ["Shift+Delete"], run: () => objects().length && submit({ kind: "clear" }) },
  { id: "auto", group: "Objects", label: "Find everything", keys: ["a"], run: findEverything },
  { id: "yes", group: "Objects", label: "Accept suggestion", keys: ["y"], run: onSelected((object) => object.source === "suggested" && acceptSuggestion(object.id)) },
  { id: "undo", group: "Objects", label: "Undo", keys: ["Ctrl+z"], run: () => submit({ kind: "undo" }) },
  { id: "redo", group: "Objects", label: "Redo", keys: ["Ctrl+Shift+z", "Ctrl+y"], run: () => submit({ kind: "redo" }) },

  { id: "accept", group: "Images", label: "Accept and go on", keys: ["Enter"], run: () => finish({ state: "accepted" }) },
  { id: "skip", group: "Images", label: "Skip and go on", keys: ["k"], run: () => finish({ state: "skipped" }) },
  { id: "flag", group: "Images", label: "Flag for a second look", keys: ["f"], run: flag },
  { id: "next", group: "Images", label: "Next image", keys: ["PageDown", "Shift+ArrowRight"], run: () => go(1) },
  { id: "before", group: "Images", label: "Image before", keys: ["PageUp", "Shift+ArrowLeft"], run: () => go(-1) },
  { id: "save", group: "Images", label: "Write the labels file now", keys: ["Ctrl+s"], run: saveNow },

  { id: "play", group: "Cine", label: "Play, pause", keys: ["Space"], run: () => isCine() && play() },
  { id: "frame-next", group: "Cine", label: "Next frame (image, where there is one frame)", keys: ["ArrowRight"], run: () => (isCine() ? step(1) : go(1)) },
  { id: "frame-before", group: "Cine", label: "Frame before", keys: ["ArrowLeft"], run: () => (isCine() ? step(-1) : go(-1)) },
  { id: "frame-first", group: "Cine", label: "First frame", keys: ["Home"], run: () => openFrame(0) },
  { id: "frame-last", group: "Cine", label: "Last frame", keys: ["End"], run: () => openFrame((currentItem()?.frames ?? 1) - 1) },
  { id: "forward", group: "Cine", label: "Propagate forward", keys: ["r"], run: () => propagate(1) },
  { id: "backward", group: "Cine", label: "Propagate backward", keys: ["Shift+r"], run: () => propagate(-1) },

  { id: "zoom-in", group: "View", label: "Zoom in", keys: ["+", "="], run: () => zoom(1.25) },
  { id: "zoom-out", group: "View", label: "Zoom out", keys: ["-"], run: () => zoom(0.8) },
  { id: "fit", group: "View", label: "Whole image", keys: ["0"], run: fit },
  { id: "less", group: "View", label: "Masks more transparent", keys: ["{"], run: () => set({ opacity: within(settings.opacity - 0.1, 0, 1) }) },
  { id: "more", group: "View", label: "Masks more opaque", keys: ["}"], run: () => set({ opacity: within(settings.opacity + 0.1, 0, 1) }) },
  { id: "outline", group: "View", label: "Outlines only", keys: ["o"], run: () => set({ outline: !settings.outline }) },
  { id: "hide", group: "View", label: "Hide all objects", keys: ["h"], run: () => { state.hideAll = !state.hideAll; emit("selection"); emit("tool"); } },
  { id: "hover", group: "View", label: "Preview under the cursor", keys: ["g"], run: () => set({ hover: !settings.hover }) },
  { id: "levels-reset", group: "View", label: "Contrast and brightness as in the file", keys: ["Shift+w"], run: () => set({ level: 0.5, window: 1 }) },
  { id: "list", group: "View", label: "Show or hide the list", keys: ["l"], run: () => set({ list: !settings.list }) },
  { id: "panel", group: "View", label: "Show or hide the objects", keys: ["i"], run: () => set({ panel: !settings.panel }) },
  { id: "theme", group: "View", label: "Dark, light, as the system", keys: ["t"], run: () => { set({ theme: THEMES[(THEMES.indexOf(settings.theme) + 1) % THEMES.length] }); announce(`Theme ${settings.theme}`); } },
  { id: "help", group: "View", label: "This sheet", keys: ["?"], run: () => $("help").showModal() },
  { id: "class-edit", group: "View", label: "Edit classes", keys: ["Shift+e"], run: editClasses },

  { id: "inside", group: "Without a mouse", label: "Click inside at the cross", keys: ["."], run: () => clickAtCross(1) },
  { id: "outside", group: "Without a mouse", label: "Click outside at the cross", keys: [","], run: () => clickAtCross(0) },
  { id: "corner", group: "Without a mouse", label: "Corner of a box at the cross, twice", keys: ["/"], run: cornerAtCross },
];

for (let k = 0; k < 9; k++) {
  const command = { id: `class-${k}`, group: "Objects", label: `Class ${k + 1}`, keys: [String(k + 1)], run: () => chooseClass(k) };
  COMMANDS.push(k ? { ...command, unlisted: true } : { ...command, label: "Class of this or the next object", shownKeys: "1 – 9" });
}

export const run = (id) => COMMANDS.find((command) => command.id === id).run();
