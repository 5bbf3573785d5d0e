// The metadata of an ONNX file, which onnxruntime-web does not show.

const METADATA_PROPS = 14; // number of that field in onnx.proto's ModelProto
const FORMAT = 1; // the version of the entries that this page reads

const isWhole = (value, low, high) => Number.isInteger(value) && low <= value && value <= high;
const isShare = (value) => typeof value === "number" && 0 <= value && value <= 1;
const isList = (value, holds) => Array.isArray(value) && value.length > 0 && value.every(holds);
const isSize = (value) =>
  isList(value, (side) => isWhole(side, 1, 2 ** 20)) &&
  value.length === 2 &&
  value[0] * value[1] <= 2 ** 28;

const isTiles = ({ size, overlap, whole }) =>
  isWhole(size, 32, 2 ** 20) && isWhole(overlap, 0, (size - 1) / 2) && typeof whole === "boolean";

// What the metadata have to hold: place, words for it, and the check.
const RULES = [
  ["class_names", "names", (v) => isList(v, (name) => typeof name === "string")],
  ["output", "detections or points", (v) => v === "detections" || v === "points"],
  ["input.type", "uint8 or float32", (v) => v === "uint8" || v === "float32"],
  ["input.color_order", "RGB or BGR", (v) => v === "RGB" || v === "BGR"],
  ["input.multiple", "1 to 1024", (v) => isWhole(v, 1, 1024)],
  ["resize.rule", "letterbox or shortest", (v) => v === "letterbox" || v === "shortest"],
  ["resize.size", "a height and a width of at most 2^28 pixels", isSize],
  ["resize.padding", "0 to 255", (v) => isWhole(v, 0, 255)],
  ["strides", "numbers from 1 to 1024", (v) => isList(v, (stride) => isWhole(stride, 1, 1024))],
  ["thresholds.score", "0 to 1", isShare],
  ["thresholds.nms", "0 to 1", isShare],
  ["thresholds.max_detections", "1 to a million", (v) => isWhole(v, 1, 1e6)],
  ["thresholds.candidates", "1 to a million", (v) => isWhole(v, 1, 1e6)],
  // Not in older files.
  ["thresholds.default_score", "0 to 1", (v) => v === undefined || isShare(v)],
  ["point_labels", "all or best", (v) => v === undefined || v === "all" || v === "best"],
  ["category_ids", "whole numbers", (v) => v == null || isList(v, Number.isInteger)],
  ["tiles", "a size, an overlap of less than half, whole", (v) => v == null || isTiles(v)],
];

/** A variable-length number of a protobuf at `at`: its value and the place after it. */
function varint(bytes, at) {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    if (at >= bytes.length) throw new RangeError("the file ends early");
    const byte = bytes[at++];
    value += (byte & 127) * factor;
    if (byte < 128) return [value, at];
  }
}

/** Every field of a protobuf message as [number, bytes]; only those of a length have bytes. */
function* fields(bytes) {
  for (let at = 0; at < bytes.length; ) {
    let tag, length;
    [tag, at] = varint(bytes, at);
    const kind = tag % 8;
    if (kind === 0) [, at] = varint(bytes, at);
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      [length, at] = varint(bytes, at);
      if (at + length > bytes.length) throw new RangeError("the file ends early");
      yield [Math.floor(tag / 8), bytes.subarray(at, at + length)];
      at += length;
    } else throw new RangeError("not a protobuf");
  }
}

/**
 * What an ONNX file of otadet says of itself; demo/onnxruntime/README.md lists the entries.
 * @param {Uint8Array} bytes the file
 * @param {string} name for messages
 */
export function metadata(bytes, name) {
  const text = new TextDecoder();
  const entries = {};
  try {
    for (const [number, value] of fields(bytes)) {
      if (number !== METADATA_PROPS) continue;
      const pair = Object.fromEntries(fields(value));
      entries[text.decode(pair[1])] = text.decode(pair[2]);
    }
  } catch (error) {
    throw new Error(`${name}: not an ONNX file (${error.message})`);
  }
  if (!("otadet_export" in entries)) {
    throw new Error(
      `${name}: an ONNX file that otadet did not write (no entry 'otadet_export' in its metadata); ` +
        "make one with tools/export_onnx.py",
    );
  }
  const about = {};
  const shown = ["otadet_export", "otadet_version", "experiment", "quantization"];
  for (const key of [...shown, ...RULES.map(([place]) => place.split(".")[0])]) {
    if (!(key in entries)) continue;
    try {
      about[key] = JSON.parse(entries[key]);
    } catch {
      throw new Error(`${name}: metadata, ${key}: expected JSON`);
    }
  }
  if (!isWhole(about.otadet_export, 1, FORMAT)) {
    throw new Error(
      `${name}: metadata of version ${about.otadet_export}, written by otadet ` +
        `${about.otadet_version}; this page reads up to ${FORMAT}`,
    );
  }
  for (const [place, expected, holds] of RULES) {
    const value = place.split(".").reduce((inner, key) => inner?.[key], about);
    if (!holds(value)) {
      const got = String(JSON.stringify(value)).slice(0, 60);
      throw new Error(`${name}: metadata, ${place}: expected ${expected}, got ${got}`);
    }
  }
  if ((about.category_ids ?? about.class_names).length !== about.class_names.length) {
    throw new Error(`${name}: metadata, category_ids: expected one a class`);
  }
  return about;
}
