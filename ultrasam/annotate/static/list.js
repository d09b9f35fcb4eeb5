// The images at the left: state, filter, order, progress. Only the rows in sight exist, so thousands cost nothing.

import * as api from "./api.js";
import { $, afterPaint, el, icon, visible } from "./dom.js";
import { open } from "./open.js";
import { NARROW, set, settings } from "./settings.js";
import { emit, on, state } from "./state.js";

const ROW = 60; // CSS pixels, as in list.css
const SPARE = 4; // rows beyond both edges
const STATES = {
  todo: ["circle", "to do"],
  accepted: ["check-circle", "accepted"],
  skipped: ["skip-circle", "skipped"],
};

const FILTERS = {
  all: () => true,
  todo: (item) => item.state === "todo",
  accepted: (item) => item.state === "accepted",
  skipped: (item) => item.state === "skipped",
  flagged: (item) => item.flagged,
  labelled: (item) => item.objects > 0,
  empty: (item) => item.objects === 0,
  error: (item) => item.error !== null,
};

const SORTS = {
  order: (a, b) => a.id - b.id,
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  // Images without a predicted IoU have nothing to be unsure of: they come last.
  unsure: (a, b) => (a.iou ?? 2) - (b.iou ?? 2) || a.id - b.id,
};

let sorted = []; // ids; sorted anew when asked for, so that rows don't jump while one works
const rows = new Map(); // id -> element in the page

const byId = (id) => state.items.find((item) => item.id === id);

/** Sorts and filters anew. */
export function arrange() {
  sorted = [...state.items].sort(SORTS[settings.sort] ?? SORTS.order).map((item) => item.id);
  narrow();
}

function narrow() {
  const passes = FILTERS[$("filter").value];
  const words = $("find").value.trim().toLowerCase();
  const items = new Map(state.items.map((item) => [item.id, item]));
  const fits = (item) => passes(item) && (!words || item.name.toLowerCase().includes(words));
  // The open image stays where one sees it until one leaves it.
  state.order = sorted.filter((id) => id === state.item || fits(items.get(id)));
  rows.forEach((row) => row.remove());
  rows.clear();
  $("list-rows").style.height = `${state.order.length * ROW}px`;
  $("list-none").hidden = state.order.length > 0;
  render();
  progress();
}

function render() {
  const box = $("list-scroll");
  const first = Math.max(0, Math.floor(box.scrollTop / ROW) - SPARE);
  const last = Math.min(state.order.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + SPARE);
  const wanted = new Set(state.order.slice(first, last));
  for (const [id, row] of rows) {
    if (wanted.has(id) || row.contains(document.activeElement)) continue;
    row.remove();
    rows.delete(id);
  }
  for (let k = first; k < last; k++) {
    const id = state.order[k];
    if (!rows.has(id)) insert(id, k);
  }
}

function insert(id, index) {
  const row = el("li", { class: "row", "aria-setsize": state.order.length, "aria-posinset": index + 1 });
  row.style.transform = `translateY(${index * ROW}px)`;
  fill(row, byId(id));
  rows.set(id, row);
  // In the order of the list, for those who go through it with Tab.
  const after = [...rows].find(([other, node]) => node.isConnected && state.order.indexOf(other) > index);
  $("list-rows").insertBefore(row, after ? after[1] : null);
}

function fill(row, item) {
  const focused = row.contains(document.activeElement);
  const [sign, words] = STATES[item.state];
  const picture = item.error
    ? el("span", { class: "thumb" }, icon("warning"))
    : row.querySelector("img") ?? el("img", { class: "thumb", alt: "", loading: "lazy", decoding: "async", onerror: () => unseen(item.id), src: api.imageAddress(item.id, 0, 112) });
  const button = el(
    "button",
    { type: "button", class: "row-button", "aria-current": item.id === state.item && "true", title: item.name, onclick: () => choose(item.id) },
    picture,
    el("span", { class: "row-name", dir: "auto" }, ...halves(item.name)),
    el("span", { class: `row-facts ${item.state}` }, icon(sign), el("span", { class: "words" }, words), el("span", {}, facts(item, words))),
    item.flagged && el("span", { class: "row-flag" }, icon("flag"), el("span", { class: "words" }, "flagged")),
  );
  row.replaceChildren(button);
  if (focused) button.focus({ preventScroll: true });
}

/** A picture that did not come: the server knows by now what is wrong with its file. */
async function unseen(id) {
  const told = await api.item(id).catch(() => null);
  if (told?.item.error) emit("item", Object.assign(byId(id), told.item));
}

function choose(id) {
  if (innerWidth <= NARROW) set({ list: false });
  open(id, 0);
}

const FROM_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/;

/** A long name is cut before its end: files of a series differ there. Mixed directions read right in one piece alone. */
function halves(name) {
  if (FROM_RIGHT.test(name)) return [el("span", {}, name)];
  const letters = Array.from(visible(name));
  const tail = Math.min(9, Math.floor(letters.length / 2));
  return [el("span", {}, letters.slice(0, letters.length - tail).join("")), el("span", {}, letters.slice(letters.length - tail).join(""))];
}

function facts(item, words) {
  if (item.error) return item.width ? "partly unreadable" : "cannot be read";
  const parts = item.objects || item.frames > 1 ? [] : [words]; // the icon says it too
  if (item.frames > 1) parts.push(`${item.labelled_frames.length}/${item.frames} fr.`);
  else if (item.objects) parts.push(`${item.objects} obj.`);
  if (item.iou !== null) parts.push(item.iou.toFixed(2));
  return parts.join(" · ");
}

function progress() {
  const done = state.items.filter((item) => item.state !== "todo").length;
  $("progress").max = Math.max(1, state.items.length);
  $("progress").value = done;
  $("progress-words").textContent = `${done} of ${state.items.length} done`;
}

const changed = new Set();

const refresh = afterPaint(() => {
  for (const id of changed) if (rows.has(id)) fill(rows.get(id), byId(id));
  changed.clear();
  progress();
});

function opened() {
  if ($("filter").value !== "all" || $("find").value) narrow();
  for (const [id, row] of rows) {
    const current = id === state.item;
    row.firstChild.toggleAttribute("aria-current", current);
    if (current) row.firstChild.setAttribute("aria-current", "true");
  }
  reveal();
}

function reveal() {
  const box = $("list-scroll");
  const top = state.order.indexOf(state.item) * ROW;
  if (top < box.scrollTop) box.scrollTop = top - ROW / 2;
  else if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + 1.5 * ROW - box.clientHeight;
}

export function startList() {
  $("sort").value = SORTS[settings.sort] ? settings.sort : "order";
  $("list-scroll").addEventListener("scroll", render, { passive: true });
  $("filter").addEventListener("change", arrange);
  $("find").addEventListener("input", narrow);
  $("sort").addEventListener("change", () => {
    set({ sort: $("sort").value });
    arrange();
  });
  new ResizeObserver(render).observe($("list-scroll"));
  on("item", (item) => item && changed.add(item.id) && refresh());
  on("item-opened", ({ anew }) => anew && opened());
  on("items", arrange);
}
