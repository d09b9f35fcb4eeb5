// The classes: which one the next object gets, their colors and number keys, and the dialog to change them.

import * as api from "./api.js";
import { $, afterPaint, announce, el, iconButton, tint } from "./dom.js";
import { submit } from "./saving.js";
import { className, emit, objects, on, selectedObject, state } from "./state.js";

// Told apart by most color-blind people too (after Okabe and Ito), on black.
const COLORS = ["#56b4e9", "#e69f00", "#2fbf8f", "#f0e442", "#cc79a7", "#ff7043", "#8c9eff", "#b0bec5"];

/** The class of the chosen object, or with none chosen of what comes next. */
export function chooseClass(index) {
  if (index >= state.classes.length) return;
  const object = selectedObject();
  state.class = index;
  if (object && object.class !== index) submit({ kind: "class", object: object.id, class: index });
  else announce(`Class ${className(index)}`);
  emit("classes");
}

function render() {
  const current = selectedObject()?.class ?? state.class;
  $("classes").replaceChildren(
    ...state.classes.map((one, k) =>
      el(
        "li",
        {},
        el(
          "button",
          { type: "button", class: "class", "aria-pressed": String(k === current), onclick: () => chooseClass(k) },
          tint(el("span", { class: "swatch" }), one.color),
          el("span", { class: "ellipsis" }, one.name),
          el("span", { class: "count" }, String(objects().filter((object) => object.class === k).length || "")),
          k < 9 && el("kbd", {}, String(k + 1)),
        ),
      ),
    ),
  );
}

let draft = []; // [{name, color}] of the dialog

function lines() {
  $("class-lines").replaceChildren(
    ...draft.map((one, k) =>
      el(
        "li",
        { class: "class-line" },
        el("input", { type: "color", value: one.color, "aria-label": `Color of class ${k + 1}`, oninput: (event) => (one.color = event.target.value) }),
        el("input", { type: "text", value: one.name, required: true, maxlength: 100, "aria-label": `Name of class ${k + 1}`, oninput: (event) => (one.name = event.target.value) }),
        // Objects name their class by its number, so only the last one can go.
        k > 0 && k === draft.length - 1 && iconButton("trash", `Remove class ${k + 1}`, () => {
          draft.pop();
          lines();
        }),
      ),
    ),
  );
}

function add() {
  const color = COLORS.find((one) => draft.every((other) => other.color !== one)) ?? COLORS[draft.length % COLORS.length];
  draft.push({ name: "", color });
  lines();
  $("class-lines").lastChild.querySelector("input[type=text]").focus();
}

export function editClasses() {
  draft = state.classes.map(({ name, color }) => ({ name, color }));
  $("class-error").textContent = "";
  lines();
  $("class-dialog").showModal();
}

async function confirm(event) {
  event.preventDefault();
  const wanted = draft.map(({ name, color }) => ({ name: name.trim(), color }));
  try {
    const { classes } = await api.setClasses(wanted);
    state.classes = classes;
    state.class = Math.min(state.class, Math.max(0, classes.length - 1));
    $("class-dialog").close();
    emit("classes");
    emit("classes-changed");
  } catch (error) {
    if (!(error instanceof api.Refused || error instanceof api.Unreachable)) throw error;
    $("class-error").textContent = error.message;
  }
}

export function startClasses() {
  on("classes selection frame", afterPaint(render));
  on("selection", () => {
    const object = selectedObject();
    if (object) state.class = object.class;
  });
  $("class-edit").addEventListener("click", editClasses);
  $("class-add").addEventListener("click", add);
  $("class-form").addEventListener("submit", confirm);
  $("class-cancel").addEventListener("click", () => $("class-dialog").close());
}
