"use strict";
// The point or object that is looked at: found under the pointer, and drawn in every panel.
const REACH = 10; // pixels from the pointer to a point

// The nearest point that is drawn, else the smallest box around (x, y), pixels of a panel.
const hit = (view, x, y, reach = REACH) => {
  const point = nearestPoint(view, x, y, reach);
  if (point !== null) return { point };
  const object = smallestBox(x, y);
  return object === null ? null : { object };
};

const nearestPoint = (view, x, y, reach) => {
  const scale = scaleNow();
  let best = reach, found = null;
  const look = (point) => {
    const [px, py] = placeOf(point, scale), distance = Math.hypot(px - x, py - y);
    if (distance < best) [best, found] = [distance, point];
  };
  view.shown.forEach(look);
  state.image.level.forEach((level, point) => {
    if (view.index[point] < 0 && hasDots(level, scale) && !isPadding(point)) look(point);
  });
  return found;
};

const smallestBox = (x, y) => {
  const scale = scaleNow(), { boxes, labels } = state.image;
  let least = Infinity, found = null;
  boxes.forEach((box, object) => {
    const [left, top, width, height] = placeBox(box, scale);
    const inside = x >= left && y >= top && x <= left + width && y <= top + height;
    if (!inside || width * height >= least) return;
    if (state.label < 0 || labels[object] === state.label) [least, found] = [width * height, object];
  });
  return found;
};

// A stroke that is seen on any image.
const haloed = (context, width, color, path) => {
  for (const [wide, stroke] of [[width + 2, theme.paper], [width, color]]) {
    context.beginPath();
    path();
    context.lineWidth = wide;
    context.strokeStyle = stroke;
    context.stroke();
  }
};

const boldBox = (context, object, scale, width) => haloed(context, width, colorOf(object),
  () => context.rect(...placeBox(state.image.boxes[object], scale)));

// From a point to the centre of an object.
const lineTo = (context, point, object, scale, width) => {
  const [x, y, w, h] = placeBox(state.image.boxes[object], scale);
  haloed(context, width, colorOf(object), () => {
    context.moveTo(...placeOf(point, scale));
    context.lineTo(x + w / 2, y + h / 2);
  });
};

// Marks of some points once more, above lines.
const drawAbove = (context, view, points, scale) => {
  const radius = radii(scale), { level } = state.image;
  clearLayer();
  for (const point of points) {
    const its = level[point];
    const mark = sprite(view.contested[point], colorOf(view.index[point]), its, radius[its]);
    stamp(mark, ...placeOf(point, scale));
  }
  showLayer(context);
};

const drawFocusedPoint = (context, view, point, scale) => {
  const owner = view.index[point], [x, y, w, h] = placeBox(now().boxes[point], scale);
  context.lineWidth = 1.5;
  context.strokeStyle = theme.ink;
  context.setLineDash([4, 3]);
  if (w > 0) context.strokeRect(x, y, w, h); // what it predicts
  context.setLineDash([]);
  for (const pair of pairsOf(view, point).reverse()) {
    const width = pair.object === owner ? 3 : 1.5;
    if (!pair.claimed && pair.object !== owner) continue;
    boldBox(context, pair.object, scale, width);
    lineTo(context, point, pair.object, scale, width);
  }
  if (owner >= 0) drawAbove(context, view, [point], scale);
  haloed(context, 2.5, theme.ink, () => context.arc(...placeOf(point, scale), 11, 0, 7));
};

const drawFocusedObject = (context, view, object, scale) => {
  const points = pointsOf(view, object);
  boldBox(context, object, scale, 3);
  for (const point of points) lineTo(context, point, object, scale, 1.5);
  drawCandidates(context, view, object, scale);
  drawAbove(context, view, points, scale);
};

// Hollow marks: candidates that the object did not get.
const drawCandidates = (context, view, object, scale) => {
  const { object: objects, point: points, share } = view.pairs, { level } = state.image;
  const radius = radii(scale);
  context.lineWidth = 1.5;
  context.strokeStyle = colorOf(object);
  objects.forEach((other, k) => {
    const point = points[k], its = level[point];
    if (other !== object || view.index[point] === object || !state.levels.has(its)) return;
    context.save();
    context.globalAlpha = Math.max(0.5, share[k]);
    context.translate(...placeOf(point, scale));
    trace(context, its, radius[its]);
    context.stroke();
    context.restore();
  });
};
