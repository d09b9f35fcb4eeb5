// Mouse, pen and fingers to gestures. One pointer works with the tool; two fingers move and zoom the view, and what
// one of them had begun is given up.

import { $ } from "./dom.js";
import { pan, toImage, zoomAt } from "./view.js";

const pointers = new Map(); // pointerId -> [x, y] on the canvas
let gesture = null; // {move, up, cancel} of a tool
let pinch = null; // {distance, middle}
export const held = { space: false, dragged: false };

/** Starts listening; `tools` has begin(place) -> gesture or null, hover(place), leave(). */
export function listen(tools) {
  const canvas = $("overlay");
  canvas.addEventListener("pointerdown", (event) => down(canvas, tools, event));
  canvas.addEventListener("pointermove", (event) => moved(tools, event));
  canvas.addEventListener("pointerup", (event) => lifted(event, "up"));
  canvas.addEventListener("pointercancel", (event) => lifted(event, "cancel"));
  canvas.addEventListener("pointerleave", () => pointers.size || tools.leave());
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", wheel, { passive: false });
}

export function cancelGesture() {
  gesture?.cancel?.();
  gesture = null;
}

/** Is a gesture under way? Keys that would pull the object from under it wait. */
export const busy = () => gesture !== null;

function place(event) {
  const { left, top } = $("overlay").getBoundingClientRect();
  const [sx, sy] = [event.clientX - left, event.clientY - top];
  const [x, y] = toImage(sx, sy);
  const { altKey: alt, shiftKey: shift, ctrlKey, metaKey, button } = event;
  return { x, y, sx, sy, alt, shift, ctrl: ctrlKey || metaKey, button, touch: event.pointerType === "touch" };
}

function down(canvas, tools, event) {
  const here = place(event);
  pointers.set(event.pointerId, [here.sx, here.sy]);
  canvas.setPointerCapture(event.pointerId);
  canvas.focus({ preventScroll: true });
  if (pointers.size === 2) {
    cancelGesture();
    pinch = pinched();
  } else if (pointers.size === 1) {
    held.dragged = held.space;
    gesture = here.button === 1 || held.space ? panning(here) : tools.begin(here);
  }
  event.preventDefault();
}

function moved(tools, event) {
  const here = place(event);
  if (!pointers.has(event.pointerId)) return tools.hover(here);
  pointers.set(event.pointerId, [here.sx, here.sy]);
  if (pinch && pointers.size >= 2) return follow();
  if (!gesture?.move) return;
  // A fast stroke has places between two frames of the screen; none may be lost.
  const between = gesture.every ? event.getCoalescedEvents?.() ?? [] : [];
  for (const one of between.slice(0, -1)) gesture.move(place(one));
  gesture.move(here);
}

function lifted(event, how) {
  if (!pointers.delete(event.pointerId)) return;
  if (pinch) {
    if (pointers.size === 0) pinch = null; // the finger that stays does nothing until it is lifted too
    else if (pointers.size >= 2) pinch = pinched();
    return;
  }
  const ended = gesture;
  gesture = null;
  ended?.[how]?.(place(event));
}

function panning(from) {
  let [x, y] = [from.sx, from.sy];
  return {
    move(to) {
      pan(to.sx - x, to.sy - y);
      [x, y] = [to.sx, to.sy];
    },
  };
}

export { panning };

function pinched() {
  const [[ax, ay], [bx, by]] = [...pointers.values()];
  return { distance: Math.max(1, Math.hypot(bx - ax, by - ay)), middle: [(ax + bx) / 2, (ay + by) / 2] };
}

function follow() {
  const now = pinched();
  pan(now.middle[0] - pinch.middle[0], now.middle[1] - pinch.middle[1]);
  zoomAt(...now.middle, now.distance / pinch.distance);
  pinch = now;
}

function wheel(event) {
  event.preventDefault();
  const { sx, sy } = place(event);
  const lines = event.deltaMode === 1 ? 30 : 1;
  // A trackpad's pinch comes as a wheel with Ctrl and small steps.
  zoomAt(sx, sy, Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)));
}
