"use strict";
// Marks of points: a colour for the object, a shape and a size for the level, a hole if contested.
const theme = { colors: [], ink: "", paper: "", soft: "", raised: "" };

const readTheme = () => {
  // Canvas takes no light-dark(); an element's computed colour is plain.
  const probe = document.createElement("i");
  document.body.append(probe);
  const plain = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  for (const name of ["ink", "paper", "soft", "raised"]) theme[name] = plain(name);
  theme.colors = Array.from({ length: 8 }, (_, k) => plain(`c${k}`));
  probe.remove();
  sprites.clear();
};

const CORNERS = [0, 4, 4, 3, 6]; // of a level's polygon; 0 is a circle
const TURN = [0, 45, 0, 0, 30]; // degrees; level 1 is a square, level 2 the same on its tip

const corners = (level, radius) => {
  const shape = Math.min(level, 4), count = CORNERS[shape], grown = radius * 1.15;
  return Array.from({ length: count }, (_, k) => {
    const angle = (TURN[shape] + 360 * k / count - 90) * Math.PI / 180;
    return [grown * Math.cos(angle), grown * Math.sin(angle)];
  });
};

const trace = (context, level, radius) => {
  const around = corners(level, radius);
  context.beginPath();
  if (!around.length) context.arc(0, 0, radius, 0, 7);
  around.forEach(([x, y], k) => context[k ? "lineTo" : "moveTo"](x, y));
  context.closePath();
};

const markPath = (level) => { // for SVG, in a box from -8 to 8
  const around = corners(level, 5.5).map((corner) => corner.map((v) => v.toFixed(2)));
  return around.length ? `M${around.join("L")}Z` : "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0Z";
};

// A mark is drawn once. Its copies are written into a layer pixel by pixel, which for ten thousand
// of them takes milliseconds where drawImage takes a tenth of a second without a GPU.
const sprites = new Map();
const sprite = (holed, color, level, radius) => {
  const key = `${holed} ${color} ${level} ${radius} ${size.ratio}`;
  if (!sprites.has(key)) sprites.set(key, drawSprite(holed, color, level, radius));
  return sprites.get(key);
};

const drawSprite = (holed, color, level, radius) => {
  const half = Math.ceil((radius * 1.2 + 2) * size.ratio), side = 2 * half + 1;
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.translate(half + 0.5, half + 0.5);
  context.scale(size.ratio, size.ratio);
  trace(context, level, radius);
  context.fillStyle = color;
  context.strokeStyle = theme.paper;
  context.lineWidth = Math.min(2, radius * 0.7);
  context.stroke();
  context.fill();
  if (holed) {
    context.beginPath();
    context.arc(0, 0, Math.max(radius * 0.45, Math.min(1.1, radius * 0.5)), 0, 7);
    context.fillStyle = theme.paper;
    context.fill();
  }
  const pixels = new Uint32Array(context.getImageData(0, 0, side, side).data.buffer);
  return { half, side, pixels };
};

const layer = { canvas: document.createElement("canvas"), image: null, pixels: null };
layer.context = layer.canvas.getContext("2d");

const clearLayer = () => {
  const width = Math.round(size.width * size.ratio), height = Math.round(size.height * size.ratio);
  if (layer.image?.width !== width || layer.image.height !== height) {
    Object.assign(layer.canvas, { width, height });
    layer.image = layer.context.createImageData(width, height);
    layer.pixels = new Uint32Array(layer.image.data.buffer);
  }
  layer.pixels.fill(0);
};

// Later marks cover earlier ones; of a soft edge that meets another mark, the stronger half does.
const stamp = ({ half, side, pixels }, x, y) => {
  const { width, height } = layer.image;
  const left = Math.round(x * size.ratio) - half, top = Math.round(y * size.ratio) - half;
  const low = Math.max(0, -left), high = Math.min(side, width - left);
  for (let row = Math.max(0, -top); row < Math.min(side, height - top); row++) {
    let from = row * side + low, to = (top + row) * width + left + low;
    for (let column = low; column < high; column++, from++, to++) {
      const alpha = pixels[from] >>> 24;
      if (alpha > 127 || (alpha && !layer.pixels[to])) layer.pixels[to] = pixels[from];
    }
  }
};

const showLayer = (context) => {
  layer.context.putImageData(layer.image, 0, 0);
  context.drawImage(layer.canvas, 0, 0, size.width, size.height);
};
