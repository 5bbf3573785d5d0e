// Images to the network's input, with the same whole-number bilinear arithmetic as OpenCV's, so
// that a browser finds what Python finds.

const BITS = 11; // a weight of 1 is 2^11

/** For each place of the output: its two neighbours in the input and their weights. */
function taps(from, to) {
  const first = new Int32Array(to), second = new Int32Array(to);
  const near = new Int32Array(to), far = new Int32Array(to);
  for (let i = 0; i < to; i++) {
    const place = Math.fround(((i + 0.5) * from) / to - 0.5);
    let low = Math.floor(place);
    let part = Math.fround(place - low);
    if (low < 0) [low, part] = [0, 0];
    if (low >= from - 1) [low, part] = [from - 1, 0];
    first[i] = low;
    second[i] = Math.min(low + 1, from - 1);
    near[i] = Math.round((1 - part) * (1 << BITS));
    far[i] = Math.round(part * (1 << BITS));
  }
  return { first, second, near, far };
}

/**
 * Size of the image inside the input, and of the input, by the file's rule.
 * @returns {{w: number, h: number, width: number, height: number}}
 */
export function plan(about, width, height) {
  let [full_h, full_w] = about.resize.size;
  let w, h;
  if (about.resize.rule === "letterbox") {
    const factor = Math.min(full_h / height, full_w / width);
    [w, h] = [width, height].map((side) => Math.max(1, Math.floor(side * factor)));
  } else { // the shorter side to the first number, the longer to at most the second
    const factor = Math.min(full_h / Math.min(width, height), full_w / Math.max(width, height));
    [w, h] = [width, height].map((side) => Math.max(1, Math.round(side * factor)));
    [full_w, full_h] = [w, h];
  }
  const step = about.input.multiple;
  const up = (side) => Math.ceil(side / step) * step;
  return { w, h, width: up(full_w), height: up(full_h) };
}

/**
 * Planes of the input, [3, height, width], in the type and colour order of the file.
 * @param {{data: Uint8ClampedArray, width: number, height: number}} image RGBA
 */
export function planes(about, image, { w, h, width, height }) {
  const out = new (about.input.type === "uint8" ? Uint8Array : Float32Array)(3 * width * height);
  out.fill(about.resize.padding);
  const across = taps(image.width, w), down = taps(image.height, h);
  const order = about.input.color_order === "RGB" ? [0, 1, 2] : [2, 1, 0];
  const row = (y, line) => { // row y of the image, brought to the new width
    for (let x = 0; x < w; x++) {
      const a = 4 * (y * image.width + across.first[x]);
      const b = 4 * (y * image.width + across.second[x]);
      for (let c = 0; c < 3; c++) {
        line[3 * x + c] = image.data[a + c] * across.near[x] + image.data[b + c] * across.far[x];
      }
    }
  };
  const upper = new Int32Array(3 * w), lower = new Int32Array(3 * w);
  for (let y = 0; y < h; y++) {
    row(down.first[y], upper);
    row(down.second[y], lower);
    for (let x = 0; x < w; x++) {
      for (let c = 0; c < 3; c++) {
        const a = (down.near[y] * (upper[3 * x + c] >> 4)) >> 16;
        const b = (down.far[y] * (lower[3 * x + c] >> 4)) >> 16;
        out[order[c] * width * height + y * width + x] = (a + b + 2) >> 2;
      }
    }
  }
  return out;
}
