// The detector in a thread of its own, so that the page stays alive while it works.
//
// Takes {id, call, args} and answers {id, value} or {id, error}.

import { Detector } from "./detector.js";

let detector = null;

const calls = {
  /** An ONNX file's bytes; what the file says of itself. The one before stays where it fails. */
  async load(bytes, name) {
    const before = detector;
    detector = await Detector.load(bytes, name);
    await before?.session.release();
    return detector.about;
  },

  /** The detections of an ImageBitmap, see Detector.detect. */
  detect: (image) => detector.detect(pixels(image)),
};

/** RGBA values of an image; what is transparent becomes white. */
function pixels(image) {
  const { width, height } = image;
  const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, width, height);
  pen.drawImage(image, 0, 0);
  image.close();
  return pen.getImageData(0, 0, width, height);
}

addEventListener("message", async ({ data: { id, call, args } }) => {
  try {
    postMessage({ id, value: await calls[call](...args) });
  } catch (error) {
    postMessage({ id, error: error.message });
  }
});
