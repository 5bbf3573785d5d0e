// The metadata of an ONNX file, which onnxruntime-web does not show.

const METADATA_PROPS = 14; // number of that field in onnx.proto's ModelProto
const FORMAT = 1; // the version of the entries that this page reads

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
  const about = Object.fromEntries(Object.entries(entries).map(([k, v]) => [k, JSON.parse(v)]));
  if (about.otadet_export > FORMAT) {
    throw new Error(
      `${name}: metadata of version ${about.otadet_export}, written by otadet ` +
        `${about.otadet_version}; this page reads up to ${FORMAT}`,
    );
  }
  return about;
}
