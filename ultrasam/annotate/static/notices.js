// What the page has to say: short notices that go by themselves, banners that stay until their cause is gone, and the
// saved state, which never says more than is true.

import * as api from "./api.js";
import { $, el, icon, visible } from "./dom.js";
import { settled, saving, tryNow } from "./saving.js";
import { on, state } from "./state.js";

const SHOWN = 6000; // ms; bad news stays longer

/** Says something for a while; what is not about work that was lost goes with the image that it was said of. */
function notice({ text, bad = false, lost = false }) {
  const close = el("button", { type: "button", class: "tool", "aria-label": "Dismiss" }, icon("close"));
  const note = el("div", { class: bad ? "notice bad" : "notice" }, icon(bad ? "warning" : "info"), el("p", {}, text), close);
  close.addEventListener("click", () => note.remove());
  if (lost) note.dataset.lost = "";
  $("notices").append(note);
  while ($("notices").children.length > 3) $("notices").firstChild.remove();
  setTimeout(() => note.remove(), bad ? 2.5 * SHOWN : SHOWN);
}

let before = null;

/** What was said of the image that one leaves is no news of the next. */
function leaving() {
  if (before !== null && before !== state.item) for (const note of $("notices").querySelectorAll(".notice:not([data-lost])")) note.remove();
  before = state.item;
}

const SAVED = {
  saved: ["cloud-check", "Saved"],
  saving: ["cloud", "Saving…"],
  unsaved: ["cloud-off", "Not saved"],
};

let shown = "";

function renderSaving() {
  const { status, why, waiting } = saving;
  const [sign, words] = SAVED[status];
  const text = status === "unsaved" ? `Not saved (${waiting})` : words;
  if (shown !== `${status}${text}`) {
    shown = `${status}${text}`;
    const box = $("saved");
    box.className = `saved ${status}`;
    box.replaceChildren(icon(sign), el("span", {}, text));
    box.title = status === "saved" ? visible(`All changes are on the disk, for ${state.session?.out ?? ""}`) : why ?? "";
  }
  $("offline").hidden = status !== "unsaved";
  const many = waiting === 1 ? "One change is" : `${waiting} changes are`;
  const told = why ? `${why} ${many} kept in this page and sent again and again until saved.` : "";
  if (why && $("offline-words").textContent !== told) $("offline-words").textContent = told;
}

/** A state of "saving" shorter than a glance is not shown: it would flicker at every click. */
let later = 0;
function onSaving() {
  clearTimeout(later);
  if (saving.status === "saving" && shown.startsWith("saved")) later = setTimeout(renderSaving, 150);
  else renderSaving();
}

export function renderConflict() {
  const { conflict, problem } = state.session;
  $("problem").hidden = !problem || Boolean(conflict);
  if (problem) $("problem-words").textContent = visible(problem);
  $("conflict").hidden = !conflict;
  if (conflict) $("conflict-words").textContent = visible(conflict);
}

async function resolve(keep) {
  await settled();
  try {
    await api.resolve(keep);
    // Theirs may hold other objects in every image: the page starts from what is there now.
    if (keep === "theirs") return location.reload();
    await check();
    notice({ text: "Your labels were written; the other file is kept beside." });
  } catch (error) {
    if (!(error instanceof api.Refused || error instanceof api.Unreachable)) throw error;
    notice({ text: error.message, bad: true });
    await check();
  }
}

const EVERY = 10_000; // ms between two looks at the server
let gone = false;

/** Is the server there, and did another program touch the labels? */
export async function check() {
  try {
    const { conflict, saved, problem } = await api.session();
    Object.assign(state.session, { conflict, saved, problem });
    renderConflict();
    if (gone) tryNow();
    gone = false;
  } catch (error) {
    if (!(error instanceof api.Refused || error instanceof api.Unreachable)) throw error;
    gone = true;
    $("lost-words").textContent = error.status === 403
      ? "The server was started anew: open the address that it printed."
      : error.message;
  }
  $("lost").hidden = !gone || saving.status === "unsaved";
}

export async function saveNow() {
  await settled();
  try {
    const { left_out: empty } = await api.save();
    const lost = empty ? ` ${empty} with an empty mask ${empty === 1 ? "is" : "are"} left out.` : "";
    notice({ text: `Written to ${state.session.out}.${lost}` });
    await check();
  } catch (error) {
    if (!(error instanceof api.Refused || error instanceof api.Unreachable)) throw error;
    notice({ text: error.message, bad: true });
    check();
  }
}

export function startNotices() {
  on("notice", notice);
  on("item-opened", leaving);
  on("saving", onSaving);
  $("offline-retry").addEventListener("click", tryNow);
  $("lost-retry").addEventListener("click", check);
  $("keep-mine").addEventListener("click", () => resolve("mine"));
  $("keep-theirs").addEventListener("click", () => resolve("theirs"));
  addEventListener("focus", check);
  setInterval(() => document.hidden || check(), EVERY);
  $("problem-retry").addEventListener("click", saveNow);
  renderSaving();
  renderConflict();
  for (const text of state.session.notices ?? []) notice({ text });
}
