// How the page looks and behaves for the one who sits before it; kept by the browser, not with the labels.

import { emit } from "./state.js";

const KEY = "ultrasam.settings";

/** CSS pixels up to which the list lies over the image, as in layout.css. */
export const NARROW = 900;

const DEFAULTS = {
  opacity: 0.4,
  outline: false,
  hover: true,
  brush: 8, // radius, pixels of the image
  theme: "auto",
  level: 0.5, // middle of the shown gray values, 0 to 1
  window: 1, // their width
  list: innerWidth > NARROW,
  panel: true,
  display: null, // open, closed, or as the screen is high
  sort: "order",
};

export const settings = { ...DEFAULTS, ...stored() };

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {}; // a browser without storage, or text of something else: the defaults do
  }
}

/** Changes settings and says so; they are kept where the browser can. */
export function set(changes) {
  Object.assign(settings, changes);
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Private windows may refuse; then the settings last as long as the page.
  }
  applyTheme();
  emit("settings", changes);
}

const light = matchMedia("(prefers-color-scheme: light)");
light.addEventListener("change", applyTheme);

/** Colors the page; "auto" is what the system prefers. */
export function applyTheme() {
  const system = light.matches ? "light" : "dark";
  document.documentElement.dataset.theme = settings.theme === "auto" ? system : settings.theme;
}

export const THEMES = ["auto", "dark", "light"];
