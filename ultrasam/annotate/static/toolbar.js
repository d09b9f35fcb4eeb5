// The bars: buttons that run commands, sliders, and what they show of the present state.

import { COMMANDS, run } from "./commands.js";
import { $, afterPaint, visible } from "./dom.js";
import { stopHover } from "./hover.js";
import { NARROW, set, settings } from "./settings.js";
import { currentFrame, currentItem, on, state } from "./state.js";
import { view } from "./view.js";

/** Every button with data-run runs that command, and tells its key in the tooltip. */
function wire() {
  for (const button of document.querySelectorAll("[data-run]")) {
    const command = COMMANDS.find((one) => one.id === button.dataset.run);
    const [key] = command.keys;
    button.title = `${button.getAttribute("aria-label") ?? command.label} (${key.length === 1 ? key.toUpperCase() : key})`;
    button.addEventListener("click", () => run(command.id));
  }
}

const SLIDERS = {
  opacity: (value) => ({ opacity: value }),
  brush: (value) => ({ brush: value }),
  // To the right is more contrast and more brightness, whatever that means for window and level.
  contrast: (value) => ({ window: 1 / value }),
  brightness: (value) => ({ level: 1 - value }),
};

function sliders() {
  for (const [id, change] of Object.entries(SLIDERS)) {
    $(`set-${id}`).addEventListener("input", (event) => set(change(Number(event.target.value))));
  }
  for (const name of ["outline", "hover"]) {
    $(`set-${name}`).addEventListener("change", (event) => set({ [name]: event.target.checked }));
  }
  // On a low screen the objects need the room; whoever opens or closes it decides for good.
  $("display").open = settings.display ?? (innerHeight >= 800 && innerWidth > NARROW);
  $("display").addEventListener("toggle", () => set({ display: $("display").open }));
  $("set-theme").addEventListener("change", (event) => set({ theme: event.target.value }));
}

function renderSettings() {
  $("set-opacity").value = settings.opacity;
  $("set-brush").value = settings.brush;
  $("set-contrast").value = 1 / settings.window;
  $("set-brightness").value = 1 - settings.level;
  $("set-outline").checked = settings.outline;
  $("set-hover").checked = settings.hover;
  $("set-theme").value = settings.theme;
  $("brush-words").textContent = `${Math.round(settings.brush * 2)} px`;
  document.body.classList.toggle("no-list", !settings.list);
  document.body.classList.toggle("no-panel", !settings.panel);
  for (const [id, shown] of [["list", settings.list], ["panel", settings.panel]]) {
    document.querySelector(`[data-run="${id}"]`).setAttribute("aria-pressed", String(shown));
  }
}

function renderTool() {
  for (const button of document.querySelectorAll("[data-run^='tool-']")) {
    button.setAttribute("aria-pressed", String(button.dataset.run === `tool-${state.tool}`));
  }
  const brush = ["brush", "eraser"].includes(state.tool);
  $("brush-size").hidden = !brush;
  const sign = document.querySelector("[data-run=sign]");
  sign.hidden = state.tool !== "prompt";
  sign.setAttribute("aria-pressed", String(state.sign === 0));
  document.querySelector("[data-run=hide]").setAttribute("aria-pressed", String(state.hideAll));
  $("overlay").dataset.tool = state.tool;
}

function renderItem() {
  const item = currentItem();
  if (!item) return;
  const at = state.order.indexOf(item.id);
  $("item-name").textContent = $("item-name").title = visible(item.name);
  const size = item.error ? "" : ` · ${item.width} × ${item.height}`;
  $("item-facts").textContent = `${at + 1} of ${state.order.length}${size}`;
  document.querySelector("[data-run=accept]").setAttribute("aria-pressed", String(item.state === "accepted"));
  document.querySelector("[data-run=accept]").classList.toggle("primary", item.state !== "accepted");
  $("accept-words").textContent = item.state === "accepted" ? "Accepted" : "Accept";
  document.querySelector("[data-run=skip]").setAttribute("aria-pressed", String(item.state === "skipped"));
  document.querySelector("[data-run=flag]").setAttribute("aria-pressed", String(item.flagged));
}

function renderHistory() {
  const frame = currentFrame();
  document.querySelector("[data-run=undo]").disabled = !frame?.can_undo;
  document.querySelector("[data-run=redo]").disabled = !frame?.can_redo;
}

/** A round length of about a fifth of the screen's width, in mm. */
function renderScale() {
  const spacing = currentItem()?.spacing;
  $("zoom-words").textContent = `${Math.round(view.scale * 100)} %`;
  $("scale").hidden = !spacing;
  if (!spacing) return;
  const pixelsPerMm = view.scale / spacing[0];
  const length = [0.5, 1, 2, 5, 10, 20, 50, 100, 200].filter((mm) => mm * pixelsPerMm < view.width / 5).pop() ?? 0.5;
  $("scale-bar").style.width = `${length * pixelsPerMm}px`;
  $("scale-words").textContent = `${length} mm`;
}

function renderCursor(at) {
  const inside = at && at.x >= 0 && at.y >= 0 && at.x < view.imageWidth && at.y < view.imageHeight;
  $("cursor-words").textContent = inside ? `${Math.floor(at.x)}, ${Math.floor(at.y)}` : "";
}

export function startToolbar() {
  wire();
  sliders();
  on("settings", renderSettings);
  on("settings", () => settings.hover || stopHover());
  on("tool", renderTool);
  on("item item-opened items", afterPaint(renderItem));
  on("frame item-opened", afterPaint(renderHistory));
  on("view item-opened", renderScale);
  on("cursor", renderCursor);
  renderSettings();
  renderTool();
}
