// The server's addresses and what can come back. `Refused` is an answer that says no; `Unreachable` is no answer.

export class Refused extends Error {
  constructor(status, body) {
    super(body?.error ?? `The server answered ${status}.`);
    this.status = status;
    this.body = body ?? {};
  }
}

export class Unreachable extends Error {
  constructor() {
    super("The server does not answer. Is 'ultrasam annotate' still running?");
  }
}

async function ask(path, options = {}) {
  try {
    return await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
}

async function refusal(response) {
  return new Refused(response.status, await response.json().catch(() => null));
}

async function json(path, options) {
  const response = await ask(path, options);
  if (!response.ok) throw await refusal(response);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable(); // the connection broke within the answer
  }
}

const post = (path, body = {}, options = {}) =>
  json(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...options });

const at = (item, frame) => `/api/items/${item}/frames/${frame}`;

export const session = () => json("/api/session");
export const item = (id) => json(`/api/items/${id}`);
export const frame = (item, number) => json(at(item, number));
export const prepare = (item, number) => post(`${at(item, number)}/prepare`);
export const hover = (item, number, x, y, signal) => post(`${at(item, number)}/hover`, { x, y }, { signal });
export const edit = (item, number, base, change) => post(`${at(item, number)}/edits`, { base, edit: change });
export const itemState = (item, changes) => post(`/api/items/${item}/state`, changes);
export const setClasses = (classes) => post("/api/classes", { classes });
export const save = () => post("/api/save");
export const resolve = (keep) => post("/api/conflict", { keep });

export const imageAddress = (item, number, width) => `${at(item, number)}/image${width ? `?width=${width}` : ""}`;

/** All labels in a format: {blob, name, told}; `told` says what is in it, and what the format could not hold. */
export async function exported(format) {
  const response = await ask(`/api/export?format=${format}`);
  if (!response.ok) throw await refusal(response);
  const [, name] = response.headers.get("content-disposition").match(/filename="([^"]+)"/);
  return { blob: await response.blob(), name, told: decodeURIComponent(response.headers.get("x-told")) };
}

/** The picture, at most so wide; images may come from the browser's cache, they never change. */
export const image = (item, number, width) => blob(imageAddress(item, number, width));

/** A part of the picture, {x, y, w, h}, at most so wide. */
export const imagePart = (item, number, { x, y, w, h }, width, signal) =>
  blob(`${imageAddress(item, number, width)}&part=${x},${y},${w},${h}`, signal);

async function blob(address, signal) {
  const response = await ask(address, { cache: "default", signal });
  if (!response.ok) throw await refusal(response);
  return response.blob();
}

export const propagate = (item, body, signal, onEvent) => stream(`/api/items/${item}/propagate`, body, signal, onEvent);
export const automatic = (item, number, body, signal, onEvent) =>
  stream(`${at(item, number)}/automatic`, body, signal, onEvent);

/** Server-sent events of a POST, which the browser's EventSource can't do; ends with the stream or by `signal`. */
async function stream(path, body, signal, onEvent) {
  const response = await ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw await refusal(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : new Unreachable();
    });
    if (done) return;
    rest += value;
    const events = rest.split(/\r?\n\r?\n/);
    rest = events.pop();
    for (const event of events) deliver(event, onEvent);
  }
}

function deliver(event, onEvent) {
  const data = event
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).trim())
    .join("\n");
  if (!data) return;
  const told = JSON.parse(data);
  if (told.error) throw new Refused(200, told);
  onEvent(told);
}
