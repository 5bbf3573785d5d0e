// Detection with an ONNX file of otadet in onnxruntime-web; knows nothing of the page.

import * as ort from "./ort/ort.wasm.min.mjs";
import { nms } from "./boxes.js";
import { metadata } from "./metadata.js";
import { plan, planes } from "./resize.js";
import { merge, tiles } from "./tiles.js";

ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
ort.env.logLevel = "error";

export class Detector {
  /** @param {Uint8Array} bytes an ONNX file; an Error with one line says what is wrong with it */
  static async load(bytes, name) {
    const about = metadata(bytes, name);
    try {
      return new Detector(about, await ort.InferenceSession.create(bytes), name);
    } catch (error) {
      throw new Error(`${name}: not an ONNX file that onnxruntime reads: ${error.message}`);
    }
  }

  constructor(about, session, name) {
    this.about = about;
    this.session = session;
    this.name = name;
  }

  /**
   * Detections by falling score, boxes [x1, y1, x2, y2] in the image's pixels; in tiles, where the
   * file says so and the image is larger than one.
   * @param {ImageData} image
   * @returns {Promise<{found: {box: number[], score: number, label: number}[], resize: number,
   *   network: number, tiles: number}>} with milliseconds, and how many tiles were looked at
   */
  async detect(image) {
    const rule = this.about.tiles; // not in older files
    const { width, height } = image;
    const parts = rule ? tiles(width, height, rule) : [];
    if (parts.length < 2) return { ...await this.look(image), tiles: 1 };
    const looks = [];
    for (const { box: [left, top, right, bottom] } of parts) {
      looks.push(await this.look(crop(image, left, top, right, bottom), left, top, image));
    }
    const whole = rule.whole ? await this.look(image) : null;
    const limits = this.about.thresholds;
    const found = merge(
      looks.map((look) => look.found), parts, image, rule.overlap, whole?.found, limits);
    if (whole) looks.push(whole);
    const sum = (key) => looks.reduce((total, look) => total + look[key], 0);
    return { found, resize: sum("resize"), network: sum("network"), tiles: parts.length };
  }

  /** The same of one pass: over an image, or over its part at `left`, `top`. */
  async look(image, left = 0, top = 0, whole = image) {
    const begin = performance.now();
    const size = plan(this.about, image.width, image.height);
    const input = new ort.Tensor(
      this.about.input.type, planes(this.about, image, size), [1, 3, size.height, size.width],
    );
    const ready = performance.now();
    const out = await this.session.run({ [this.session.inputNames[0]]: input });
    const network = performance.now() - ready;
    if (!fits(this.about, out)) {
      throw new Error(`${this.name}: outputs that its metadata do not describe`);
    }
    const found = this.about.output === "detections" ? given(out) : select(this.about, out, size);
    const [sx, sy] = [size.w / image.width, size.h / image.height];
    const clip = (value, limit) => Math.min(Math.max(value, 0), limit);
    for (const one of found) {
      const [x1, y1, x2, y2] = one.box;
      one.box = [
        clip(x1 / sx + left, whole.width), clip(y1 / sy + top, whole.height),
        clip(x2 / sx + left, whole.width), clip(y2 / sy + top, whole.height),
      ];
    }
    return { found, resize: ready - begin, network };
  }
}

/** A part of an image, RGBA as it is. */
function crop({ data, width }, left, top, right, bottom) {
  const side = right - left;
  const part = new Uint8ClampedArray(4 * side * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const begin = 4 * (y * width + left);
    part.set(data.subarray(begin, begin + 4 * side), 4 * side * (y - top));
  }
  return { data: part, width: side, height: bottom - top };
}

const row = (boxes, index) => Array.from(boxes.data.subarray(4 * index, 4 * index + 4));

/** Whether outputs have the types, shapes and labels that the metadata promise. */
function fits({ output, class_names: names }, { boxes, scores, labels }) {
  const rows = boxes?.dims[1];
  const is = (tensor, type, ...dims) =>
    tensor?.type === type && String(tensor.dims) === String([1, rows, ...dims]);
  if (!is(boxes, "float32", 4)) return false;
  if (output === "points") return is(scores, "float32", names.length);
  return is(scores, "float32") && is(labels, "int64") &&
    labels.data.every((label) => label < names.length);
}

/** The outputs of a file with NMS; unused places have label -1. */
function given({ boxes, scores, labels }) {
  const found = [];
  labels.data.forEach((label, i) => {
    if (label >= 0) found.push({ box: row(boxes, i), score: scores.data[i], label: Number(label) });
  });
  return found;
}

/** Boxes and scores of all points to detections. */
function select({ strides, thresholds, point_labels: labels }, { boxes, scores }, size) {
  const classes = scores.dims[2];
  const levels = [];
  let point = 0;
  for (const stride of strides) {
    const end = point + Math.ceil(size.width / stride) * Math.ceil(size.height / stride);
    const level = [];
    for (; point < end; point++) {
      const row = scores.data.subarray(point * classes, (point + 1) * classes);
      const best = labels === "best" ? row.indexOf(Math.max(...row)) : -1;
      row.forEach((score, label) => {
        const wanted = labels !== "best" || label === best; // older files do not say, and mean all
        if (wanted && score > thresholds.score) level.push({ point, score, label });
      });
    }
    levels.push(level);
  }
  let found = levels.flat();
  if (found.length > thresholds.candidates) { // then each level keeps its best
    found = levels.flatMap((level) =>
      level.sort((a, b) => b.score - a.score).slice(0, thresholds.candidates));
  }
  found = found.map(({ point, score, label }) => ({ box: row(boxes, point), score, label }));
  return nms(found, thresholds.nms, thresholds.max_detections);
}
