// The objects of the open frame at the right, and what is known of the chosen one.

import { $, afterPaint, announce, el, icon, iconButton, tint } from "./dom.js";
import { maskOf } from "./masks.js";
import { submit } from "./saving.js";
import { classColor, className, currentFrame, emit, isLabel, objects, on, select, selectedObject, state } from "./state.js";

const SOURCES = {
  prompt: "from prompts",
  brush: "with the brush",
  propagated: "propagated",
  imported: "from the file",
  suggested: "suggested",
};

export const removeObject = (id) => {
  const rest = objects().filter((one) => one.source === "suggested" && one.id !== id);
  const judged = objects().find((one) => one.id === id)?.source === "suggested";
  submit({ kind: "delete", object: id });
  // Judging suggestions goes from one to the next.
  select(judged && rest.length ? rest[0].id : null);
};

export const acceptSuggestion = (id) => {
  const rest = objects().filter((one) => one.source === "suggested" && one.id !== id);
  submit({ kind: "accept_suggestion", object: id });
  if (rest.length) select(rest[0].id);
};

export const toggleHidden = (id) => {
  if (!state.hidden.delete(id)) state.hidden.add(id);
  emit("selection");
};

function sizeText(object) {
  const { measured } = object;
  if (!object.area) return "empty, not in the file";
  if (!measured) return `${object.area.toLocaleString("en")} px`;
  return `${measured.long_mm.toFixed(1)} × ${measured.short_mm.toFixed(1)} mm`;
}

const iouText = (iou) => (iou === null ? "–" : iou.toFixed(2));
const sure = (iou) => (iou === null ? "" : iou >= 0.85 ? "good" : iou >= 0.7 ? "fair" : "poor");

/** How far the mask can be believed: the expected IoU where the model says what its own prediction is worth. */
function trust(object) {
  const value = object.quality ?? object.iou;
  const title = (object.quality ?? null) === null ? "Predicted IoU" : "Expected IoU, from the model's calibration";
  return el("span", { class: `badge ${sure(value)}`, title }, iouText(value));
}

function row(object, number) {
  const name = className(object.class);
  const chosen = object.id === state.selected;
  const hidden = state.hidden.has(object.id);
  const suggested = object.source === "suggested";
  const main = el(
    "button",
    {
      type: "button", class: "object-main", "aria-pressed": String(chosen), dataset: { key: `o${object.id}` },
      onclick: () => select(chosen ? null : object.id),
    },
    tint(el("span", { class: suggested ? "swatch hollow" : "swatch" }), classColor(object.class)),
    el("span", { class: "object-name" }, el("span", { class: "ellipsis" }, name), el("small", {}, `${number} · ${sizeText(object)}`)),
    object.drift && el("span", { class: "badge poor", title: "The propagation may have lost this object: look at it" }, "drift"),
    object.iou !== null && trust(object),
  );
  const buttons = suggested
    ? [
        iconButton("check", `Accept suggestion ${number}, ${name}`, () => acceptSuggestion(object.id)),
        iconButton("close", `Reject suggestion ${number}, ${name}`, () => removeObject(object.id)),
      ]
    : [hidden && icon("eye-off")];
  buttons.forEach((button, k) => suggested && (button.dataset.key = `b${object.id}-${k}`));
  const classes = ["object", chosen && "chosen", hidden && "concealed"].filter(Boolean).join(" ");
  return el("li", { class: classes }, main, ...buttons, chosen && details(object));
}

/** What can be done with the chosen object. */
function actions(object) {
  const hidden = state.hidden.has(object.id);
  const button = (name, words, key, onclick) => el("button", { type: "button", dataset: { key }, onclick }, icon(name), words);
  return el(
    "div",
    { class: "pair" },
    button(hidden ? "eye" : "eye-off", hidden ? "Show" : "Hide", "hide", () => toggleHidden(object.id)),
    button("trash", "Delete", "delete", () => removeObject(object.id)),
  );
}

function details(object) {
  const facts = [["Made", SOURCES[object.source] ?? object.source]];
  if (object.measured) facts.push(["Area", `${object.measured.area_mm2.toFixed(1)} mm²`]);
  facts.push(["Pixels", object.area.toLocaleString("en")]);
  if (object.iou !== null) facts.push(["Predicted IoU", iouText(object.iou)]);
  if (object.detected !== null) facts.push(["Detector's score", iouText(object.detected)]);
  if ((object.quality ?? null) !== null) facts.push(["Expected IoU", iouText(object.quality)]);
  if (object.clicks) facts.push(["Prompts", String(object.clicks)]);
  const choice = el("select", { "aria-label": "Class of this object", dataset: { key: "class" }, onchange: (event) =>
    submit({ kind: "class", object: object.id, class: Number(event.target.value) }) });
  state.classes.forEach((one, k) => choice.append(el("option", { value: k, selected: k === object.class }, one.name)));
  return el(
    "div",
    { class: "details" },
    el("label", { class: "line" }, el("span", {}, "Class"), choice),
    object.candidates.length > 1 && candidates(object),
    el("dl", {}, ...facts.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)])),
    object.source !== "suggested" && actions(object),
  );
}

function candidates(object) {
  const buttons = object.candidates.map((one, k) =>
    el(
      "button",
      {
        type: "button", class: "candidate", "aria-pressed": String(k === object.candidate), dataset: { key: `c${k}` },
        "aria-label": `Candidate ${k + 1} of ${object.candidates.length}, predicted IoU ${iouText(one.iou)}`,
        onclick: () => submit({ kind: "candidate", object: object.id, candidate: k }),
      },
      miniature(one.mask, classColor(object.class)),
      el("span", {}, iouText(one.iou)),
    ),
  );
  return el("div", { class: "candidates", role: "group", "aria-label": "Candidates of the click" }, ...buttons);
}

/** A candidate in small, within the whole image, so that their sizes compare. */
function miniature(rle, color) {
  const [height, width] = rle.size;
  const scale = Math.min(64 / width, 44 / height);
  const canvas = el("canvas", { width: Math.round(width * scale), height: Math.round(height * scale), "aria-hidden": "true" });
  maskOf(rle, scale).draw(canvas.getContext("2d"), color, scale);
  return canvas;
}

export function nextCandidate(step) {
  const object = selectedObject();
  const count = object?.candidates.length ?? 0;
  if (count < 2) return false;
  submit({ kind: "candidate", object: object.id, candidate: (object.candidate + step + count) % count });
  return true;
}

export function nextObject(step) {
  const list = objects();
  if (!list.length) return;
  const at = list.findIndex((object) => object.id === state.selected);
  const object = list[(at < 0 && step < 0 ? list.length - 1 : at + step + list.length) % list.length];
  select(object.id);
  announce(`Object ${list.indexOf(object) + 1}: ${className(object.class)}`);
}

function render() {
  const key = document.activeElement?.closest?.("#objects") && document.activeElement.dataset.key;
  const list = objects();
  const labels = list.filter(isLabel).length;
  const suggestions = list.length - labels;
  $("objects").replaceChildren(...list.map((object, k) => row(object, k + 1)));
  $("objects-count").textContent = suggestions ? `${labels} + ${suggestions} suggested` : String(labels);
  $("objects-none").hidden = list.length > 0 || !currentFrame();
  $("suggestions").hidden = suggestions === 0;
  if (key) $("objects").querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  $("objects").querySelector(".chosen")?.scrollIntoView({ block: "nearest" });
}

export function judgeAll(accept) {
  const suggested = objects().filter((object) => object.source === "suggested");
  for (const { id } of suggested) submit(accept ? { kind: "accept_suggestion", object: id } : { kind: "delete", object: id });
  select(null);
}

export function startObjects() {
  on("frame selection classes item-opened", afterPaint(render));
  $("accept-all").addEventListener("click", () => judgeAll(true));
  $("reject-all").addEventListener("click", () => judgeAll(false));
  $("objects-none").prepend(icon("pointer"));
}
