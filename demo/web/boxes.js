// Boxes [x1, y1, x2, y2] of detections {box, score, label}.

export const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);

/** The area that two boxes share. */
export const common = (a, b) =>
  Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) *
  Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));

/** The best `count` of those that no better one of their class overlaps more than `threshold`. */
export function nms(found, threshold, count) {
  const kept = [];
  for (const one of [...found].sort((a, b) => b.score - a.score)) {
    if (kept.length === count) break;
    const hides = (better) => {
      const shared = common(better.box, one.box);
      return shared > threshold * (area(better.box) + area(one.box) - shared);
    };
    if (!kept.some((better) => better.label === one.label && hides(better))) kept.push(one);
  }
  return kept;
}
