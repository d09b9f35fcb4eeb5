// The labels as a file of this browser. What a format could not hold is told, and so is why there is none.

import * as api from "./api.js";
import { $, el } from "./dom.js";
import { settled } from "./saving.js";
import { emit } from "./state.js";

async function download(format) {
  await settled();
  try {
    const { blob, name, told } = await api.exported(format);
    const address = URL.createObjectURL(blob);
    el("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    emit("notice", { text: told });
  } catch (error) {
    if (!(error instanceof api.Refused || error instanceof api.Unreachable)) throw error;
    emit("notice", { text: error.message, bad: true });
  }
}

export function startDownload() {
  for (const button of document.querySelectorAll("[data-format]")) {
    button.addEventListener("click", () => {
      $("export").hidePopover();
      download(button.dataset.format);
    });
  }
}
