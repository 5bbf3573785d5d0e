// How a large image is cut into tiles, and their detections made those of the image.

import { area, common, nms } from "./boxes.js";

const SLACK = 8; // pixels by which a box's centre may miss its tile's core
const TOUCH = 3; // a box that ends so near to an inner border is cut by it
const INSIDE = 0.6; // more of a cut box than this inside a better one: a part of that one

/** Begin and end of each tile along a side, and of its core; the last tile is moved in. */
function spans(length, { size, overlap }) {
  const last = Math.max(0, length - size);
  const starts = [];
  for (let start = 0; start < last; start += size - overlap) starts.push(start);
  starts.push(last);
  const ends = starts.map((start) => Math.min(start + size, length));
  const cuts = [0, ...starts.slice(1).map((start, i) => (start + ends[i]) / 2), length];
  return starts.map((begin, i) => ({ begin, end: ends[i], low: cuts[i], high: cuts[i + 1] }));
}

/**
 * The tiles of an image, row by row: left, top, right, bottom of each, and of its core, the part
 * that no other tile is nearer to.
 * @param {{size: number, overlap: number}} rule
 * @returns {{box: number[], core: number[]}[]}
 */
export function tiles(width, height, rule) {
  const across = spans(width, rule);
  return spans(height, rule).flatMap((y) => across.map((x) => ({
    box: [x.begin, y.begin, x.end, y.end], core: [x.low, y.low, x.high, y.high],
  })));
}

const longer = ({ box }) => Math.max(box[2] - box[0], box[3] - box[1]);

/** Whether a box ends at a border of its tile that is none of the image. */
function isCut({ box }, [left, top, right, bottom], { width, height }) {
  return (left > 0 && box[0] <= left + TOUCH) || (top > 0 && box[1] <= top + TOUCH) ||
    (right < width && box[2] >= right - TOUCH) || (bottom < height && box[3] >= bottom - TOUCH);
}

function isOwn(one, { core }, overlap) {
  const x = (one.box[0] + one.box[2]) / 2, y = (one.box[1] + one.box[3]) / 2;
  return longer(one) > overlap || (
    core[0] - SLACK <= x && x <= core[2] + SLACK && core[1] - SLACK <= y && y <= core[3] + SLACK);
}

const meet = (a, b) => a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3];

/**
 * Detections of tiles, and of the whole image, as those of the image.
 *
 * A tile answers for what has its centre in its core and for what is larger than the overlap. A box
 * that its border cuts gives way to a better one that holds most of it. Then NMS.
 * @param {{box: number[], score: number, label: number}[][]} found of each tile
 * @param {?object[]} whole of a pass over the whole image
 * @param {{nms: number, max_detections: number}} limits
 */
export function merge(found, tiles, image, overlap, whole, limits) {
  const all = found.flatMap((part, source) => part
    .filter((one) => isOwn(one, tiles[source], overlap))
    .map((one) => ({ one, frame: tiles[source].box, cut: isCut(one, tiles[source].box, image) })));
  const everything = [0, 0, image.width, image.height];
  for (const one of whole ?? []) { // smaller objects lie whole in a tile
    if (longer(one) > overlap) all.push({ one, frame: everything, cut: false });
  }
  const isPart = ({ one, frame, cut }) => cut && all.some((other) =>
    other.frame !== frame && meet(other.frame, frame) && other.one.label === one.label &&
    (!other.cut || area(other.one.box) > area(one.box)) &&
    common(other.one.box, one.box) > INSIDE * Math.max(area(one.box), 1e-6));
  const kept = all.filter((each) => !isPart(each)).map(({ one }) => one);
  return nms(kept, limits.nms, limits.max_detections);
}
