// What a person meant, and what it is for the server once the frame is known on which it happens. A second click may
// come before the first one was answered; it then goes to "last", the object that is being made.

/** The server's edit for an intent, or null when its object is gone. */
export function resolve(intent, frame, lastMade) {
  if (!("object" in intent)) return intent;
  const id = intent.object === "last" ? lastMade ?? null : intent.object;
  const object = frame.objects.find((one) => one.id === id);
  if (intent.kind === "point") return point(intent, object);
  if (intent.kind === "box") return boxed(intent, object);
  if (intent.kind === "brush") return { ...intent, object: object ? object.id : null };
  if (intent.kind === "add") return without(intent, "object");
  return object ? { ...intent, object: object.id } : null;
}

function point({ class: index, at, label }, object) {
  if (!object) return { kind: "add", class: index, box: null, points: [at], labels: [label] };
  const [points, labels] = [[...object.points, at], [...object.labels, label]];
  return { kind: "prompt", object: object.id, box: object.box, points, labels };
}

function boxed({ class: index, box }, object) {
  if (!object) return { kind: "add", class: index, box, points: [], labels: [] };
  return { kind: "prompt", object: object.id, box, points: object.points, labels: object.labels };
}

function without(intent, key) {
  const rest = { ...intent };
  delete rest[key];
  return rest;
}
