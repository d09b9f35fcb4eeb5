// The border of a mask as closed lines, so that it is drawn equally thin at every zoom.

// Directions along pixel edges with the mask on the right hand: right, down, left, up.
const STEP = [[1, 0], [0, 1], [-1, 0], [0, -1]];
// For each direction, the two pixels beyond the corner reached: on the left hand and on the right.
const AHEAD = [
  [[0, -1], [0, 0]],
  [[0, 0], [-1, 0]],
  [[-1, 0], [-1, -1]],
  [[-1, -1], [0, -1]],
];

/** Loops of corners [x, y] of a mask (see masks.js), in pixels of the image. */
export function loopsOf({ x, y, columns: w, rows: h, step, data }) {
  const inside = (column, row) => column >= 0 && row >= 0 && column < w && row < h && data[row * w + column] === 1;
  const seen = new Uint8Array(w * h); // pixels whose upper edge was walked along
  const loops = [];
  for (let row = 0; row < h; row++) {
    for (let column = 0; column < w; column++) {
      const cell = row * w + column;
      if (!data[cell] || (row && data[cell - w]) || seen[cell]) continue;
      loops.push(walk(inside, seen, w, column, row).map(([cx, cy]) => [cx * step + x, cy * step + y]));
    }
  }
  return loops;
}

function walk(inside, seen, w, startX, startY) {
  const corners = [];
  let [cx, cy, direction] = [startX, startY, 0];
  do {
    if (direction === 0) seen[cy * w + cx] = 1;
    corners.push([cx, cy]);
    cx += STEP[direction][0];
    cy += STEP[direction][1];
    const [left, right] = AHEAD[direction].map(([dx, dy]) => inside(cx + dx, cy + dy));
    if (left) direction = (direction + 3) % 4; // the mask goes on to the left: turn round its inner corner
    else if (!right) direction = (direction + 1) % 4;
  } while (cx !== startX || cy !== startY || direction !== 0);
  return corners;
}

export function outlineOf(mask) {
  const [smooth, exact] = [new Path2D(), new Path2D()];
  for (const loop of loopsOf(mask)) {
    trace(exact, loop);
    trace(smooth, loop.map(([cx, cy], k) => {
      const [nx, ny] = loop[(k + 1) % loop.length];
      return [(cx + nx) / 2, (cy + ny) / 2];
    }));
  }
  return { smooth, exact };
}

function trace(path, points) {
  points.forEach(([px, py], k) => (k ? path.lineTo(px, py) : path.moveTo(px, py)));
  path.closePath();
}
