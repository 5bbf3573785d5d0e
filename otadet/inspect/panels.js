"use strict";
// The panels: one canvas for each assigner, drawn together.
const panels = [...document.querySelectorAll(".panel")].map((figure) => ({
  figure, view: Number(figure.dataset.view), canvas: figure.querySelector("canvas"),
  context: figure.querySelector("canvas").getContext("2d"),
  caption: figure.querySelector("figcaption span"), button: figure.querySelector("button"),
}));
const size = { width: 0, height: 0, ratio: 1 };
const DOTS_FROM = 14; // pixels between neighbouring points, from which the background's are drawn

const visiblePanels = () => panels.filter((panel) => !panel.figure.hidden);

const resize = () => {
  const { width, height } = state.image, room = visiblePanels()[0].figure.clientWidth;
  const most = Math.max(260, innerHeight * 0.78);
  size.width = Math.floor(Math.min(room, most * width / height));
  size.height = Math.max(1, Math.round(size.width * height / width));
  size.ratio = Math.min(devicePixelRatio || 1, 2);
  for (const { canvas } of panels) {
    canvas.width = Math.round(size.width * size.ratio);
    canvas.height = Math.round(size.height * size.ratio);
    canvas.style.width = `${size.width}px`;
  }
  keepInside(size);
};

const scaleNow = () => size.width / state.image.width * state.zoom;

const radii = (scale) => site.strides.map((stride, level) => {
  const wanted = (2.1 + level) * Math.sqrt(site.strides[0] * scale / 8);
  return Math.round(4 * Math.min(wanted, Math.max(1.6, stride * scale * 0.4), 16)) / 4;
});

let waiting = false;
const draw = () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; drawNow(); });
};

const drawNow = () => {
  if (!state.image) return;
  for (const panel of visiblePanels()) drawPanel(panel);
};

const drawPanel = ({ context, view: index }) => {
  const view = now().views[index], scale = scaleNow();
  context.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
  drawImagePart(context, scale);
  drawBoxes(context, view, scale);
  drawDots(context, view, scale);
  drawPoints(context, view, scale);
  const at = focus();
  if (at?.point !== undefined) drawFocusedPoint(context, view, at.point, scale);
  if (at?.object !== undefined) drawFocusedObject(context, view, at.object, scale);
};

const drawImagePart = (context, scale) => {
  const { pixels, width, height } = state.image, shrink = pixels.naturalWidth / width;
  context.fillStyle = theme.raised;
  context.fillRect(0, 0, size.width, size.height);
  const x = Math.max(0, -state.left / scale), y = Math.max(0, -state.top / scale);
  const w = Math.min(width, (size.width - state.left) / scale) - x;
  const h = Math.min(height, (size.height - state.top) / scale) - y;
  context.fillStyle = theme.paper;
  context.fillRect(state.left + x * scale, state.top + y * scale, w * scale, h * scale);
  context.globalAlpha = state.opacity;
  context.drawImage(pixels, x * shrink, y * shrink, w * shrink, h * shrink,
    state.left + x * scale, state.top + y * scale, w * scale, h * scale);
  context.globalAlpha = 1;
};

const placeBox = ([x1, y1, x2, y2], scale) =>
  [state.left + x1 * scale, state.top + y1 * scale, (x2 - x1) * scale, (y2 - y1) * scale];

const isOutside = ([x, y, w, h]) => x > size.width || y > size.height || x + w < 0 || y + h < 0;

const placeOf = (point, scale) =>
  [state.left + state.image.x[point] * scale, state.top + state.image.y[point] * scale];

const colorOf = (object) => theme.colors[state.image.colors[object]];

const strokeCross = (context, [x, y, w, h]) => {
  context.setLineDash([]);
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + w, y + h);
  context.moveTo(x + w, y);
  context.lineTo(x, y + h);
  context.stroke();
};

const drawBoxes = (context, view, scale) => {
  const { boxes, labels, ignore } = state.image;
  const width = Math.min(1.5, Math.max(0.8, 1.25 * scale)); // thin where objects are tiny
  context.lineWidth = width;
  context.strokeStyle = theme.soft;
  for (const box of ignore) {
    context.setLineDash([2, 4]);
    context.strokeRect(...placeBox(box, scale));
    strokeCross(context, placeBox(box, scale));
  }
  boxes.forEach((box, object) => {
    const place = placeBox(box, scale), bare = view.objects.positives[object] === 0;
    if (isOutside(place) || (state.label >= 0 && labels[object] !== state.label)) return;
    context.strokeStyle = colorOf(object);
    context.lineWidth = width;
    context.setLineDash(bare ? [3.5 * width, 2 * width] : []);
    context.strokeRect(...place);
    if (bare) strokeCross(context, place);
  });
  context.setLineDash([]);
};

const hasDots = (level, scale) => state.zoom > 1.4 && state.which === "all" && state.label < 0
  && state.levels.has(level) && site.strides[level] * scale >= DOTS_FROM;

const isPadding = (point) => {
  const { x, y, width, height } = state.image;
  return x[point] > width || y[point] > height;
};

const drawDots = (context, view, scale) => {
  const shown = site.strides.map((_, level) => hasDots(level, scale));
  if (!shown.some(Boolean)) return;
  context.fillStyle = theme.soft;
  state.image.level.forEach((level, point) => {
    if (!shown[level] || view.index[point] >= 0 || isPadding(point)) return;
    const [x, y] = placeOf(point, scale);
    if (x > 0 && y > 0 && x < size.width && y < size.height) context.fillRect(x - 1, y - 1, 2, 2);
  });
};

const drawPoints = (context, view, scale) => {
  const radius = radii(scale), { level, x, y, colors } = state.image, margin = 20;
  const marks = []; // of this frame, by level, hole and colour
  const mark = (its, holed, color) => marks[18 * its + 9 * holed + color] ??= color === 8
    ? sprite(1, theme.soft, its, 0.8 * radius[its])
    : sprite(holed, theme.colors[color], its, radius[its]);
  clearLayer();
  for (const point of view.shown) {
    const px = state.left + x[point] * scale, py = state.top + y[point] * scale;
    if (px < -margin || px > size.width + margin || py < -margin || py > size.height + margin) continue;
    const owner = view.index[point];
    if (owner === -2) drawLeftOut(context, px, py);
    else stamp(mark(level[point], view.contested[point], owner < 0 ? 8 : colors[owner]), px, py);
  }
  showLayer(context);
};

const drawLeftOut = (context, x, y) => {
  context.fillStyle = theme.soft;
  context.fillRect(x - 2.5, y - 0.5, 5, 1);
  context.fillRect(x - 0.5, y - 2.5, 1, 5);
};
