// Changes that the server has not confirmed, kept by the browser over a reload or a crash of the page. Each page keeps
// its own under a name; a page that is gone has let go of the lock of that name, and the next one takes its changes.

const PREFIX = "ultrasam.unsaved.";
const me = PREFIX + Math.random().toString(36).slice(2);

// Without locks (a page that is not on this machine and not encrypted) nobody can tell whose page is still open.
const locks = navigator.locks ?? null;
locks?.request(me, () => new Promise(() => {}));

/** Keeps the changes for the labels file `out`. */
export function keep(out, queue) {
  try {
    localStorage.setItem(me, JSON.stringify({ out, queue }));
  } catch {
    // Storage is full or forbidden: the changes last as long as the page, and the banner says that they are not saved.
  }
}

export function forget() {
  try {
    localStorage.removeItem(me);
  } catch {
    // No storage, nothing kept there.
  }
}

/** The changes that pages of before left for the labels file `out`; they are this page's now. */
export async function inherit(out) {
  if (!locks) return [];
  const open = new Set((await locks.query()).held.map((lock) => lock.name));
  const found = [];
  for (const name of Object.keys(localStorage)) {
    if (!name.startsWith(PREFIX) || open.has(name)) continue;
    const kept = JSON.parse(localStorage.getItem(name) ?? "null");
    if (kept?.out !== out) continue;
    found.push(...kept.queue);
    localStorage.removeItem(name);
  }
  return found;
}
