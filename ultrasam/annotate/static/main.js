// Start: ask the server what there is, wire the parts, open the image one was at.

import * as api from "./api.js";
import { startCanvas } from "./canvas.js";
import { startCine } from "./cine.js";
import { startClasses } from "./classes.js";
import { forgetCorner } from "./cross.js";
import { startDetail } from "./detail.js";
import { $, visible } from "./dom.js";
import { startDownload } from "./download.js";
import { draft } from "./draft.js";
import { startJobs } from "./jobs.js";
import { startKeys } from "./keys.js";
import { arrange, startList } from "./list.js";
import { check, startNotices } from "./notices.js";
import { startObjects } from "./objects.js";
import { open, stageNote } from "./open.js";
import { listen } from "./pointer.js";
import { guardLeaving, restore } from "./saving.js";
import { applyTheme } from "./settings.js";
import { emit, on, state } from "./state.js";
import { startToolbar } from "./toolbar.js";
import * as tools from "./tools.js";

function startItem() {
  // A reload comes back to where one was: the address says so, without a word of the file's name.
  const [, id, frame] = location.hash.match(/^#(\d+)\/(\d+)$/)?.map(Number) ?? [];
  const item = state.items.find((one) => one.id === id) ?? state.items.find((one) => one.id === state.session.current);
  if (!item) return [state.items[0]?.id ?? null, 0];
  return [item.id, item.id === id && frame < item.frames ? frame : 0];
}

async function start() {
  applyTheme();
  const session = await api.session();
  const { items, classes } = session;
  Object.assign(state, { session, items, classes });
  document.title = `${visible(session.title)} – UltraSam`;
  $("title").textContent = visible(session.title);
  $("about").textContent = visible(`UltraSam ${session.version} · model ${session.model}${session.proposer ? `, suggestions of ${session.proposer}` : ""} · labels ${session.out}`);
  for (const part of [startCanvas, startDetail, startList, startObjects, startClasses, startCine, startJobs, startToolbar, startNotices, startDownload, startKeys]) part();
  listen(tools);
  on("item-opened", () => {
    forgetCorner();
    draft.cross = null;
  });
  on("classes-changed", check);
  arrange();
  emit("classes");
  const [id, frame] = startItem();
  if (id === null) return stageNote("There is no image here.");
  await restore();
  guardLeaving();
  await open(id, frame);
  performance.mark("ultrasam:ready");
  document.documentElement.dataset.ready = "true";
}

start().catch((error) => {
  stageNote(error.message);
  $("stage-note").setAttribute("role", "alert");
  if (!(error instanceof api.Refused || error instanceof api.Unreachable)) throw error;
});
