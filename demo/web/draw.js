// Boxes with labels that can be read: inside the image, and not on top of each other.

/** The colour of a class: neighbours are far apart on the colour circle, and in lightness. */
export const color = (label) =>
  `hsl(${Math.round(8 + label * 222.5) % 360} 85% ${[46, 34, 58][label % 3]}%)`;

const FONT = "600 13px system-ui, sans-serif";
const [HEIGHT, MARGIN] = [18, 5];

/**
 * Draw the image and its detections as large as the width allows, on every pixel of the screen.
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap} image
 * @param {{box: number[], score: number, label: number}[]} found
 * @param {string[]} names
 * @param {number} width in CSS pixels
 * @param {number} height the most, in CSS pixels
 */
export function draw(canvas, image, found, names, width, height) {
  const scale = Math.min(width / image.width, height / image.height);
  const [w, h] = [image.width * scale, image.height * scale];
  const dense = window.devicePixelRatio || 1;
  canvas.width = Math.round(w * dense);
  canvas.height = Math.round(h * dense);
  Object.assign(canvas.style, { width: `${w}px`, height: `${h}px` });
  const pen = canvas.getContext("2d");
  pen.scale(dense, dense);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, w, h);
  pen.font = FONT;
  pen.textBaseline = "middle";
  for (const { box, label } of [...found].reverse()) { // the best on top
    const [x1, y1, x2, y2] = box.map((side) => side * scale);
    for (const [style, line] of [["#0008", 4], [color(label), 2]]) {
      Object.assign(pen, { strokeStyle: style, lineWidth: line });
      pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
    }
  }
  const taken = [];
  for (const { box, score, label } of found) {
    const text = `${names[label]} ${score.toFixed(2)}`;
    const wide = pen.measureText(text).width + 2 * MARGIN;
    const place = free(box.map((side) => side * scale), wide, [w, h], taken);
    if (!place) continue; // its colour says the class
    taken.push(place);
    pen.fillStyle = color(label);
    pen.fillRect(place[0], place[1], wide, HEIGHT);
    pen.fillStyle = "#fff";
    pen.shadowColor = "#000c";
    pen.shadowBlur = 3;
    pen.fillText(text, place[0] + MARGIN, place[1] + HEIGHT / 2 + 1);
    pen.shadowBlur = 0;
  }
}

/** A place [x1, y1, x2, y2] near the box for a label of this width that no other has, if any. */
function free([x1, y1, x2, y2], wide, [w, h], taken) {
  const inside = (x, y) => {
    const left = Math.max(0, Math.min(x, w - wide));
    const top = Math.max(0, Math.min(y, h - HEIGHT));
    return [left, top, left + wide, top + HEIGHT];
  };
  const places = [
    inside(x1, y1 - HEIGHT), inside(x1, y1), inside(x1, y2), inside(x1, y2 - HEIGHT),
    inside(x2 - wide, y1 - HEIGHT), inside(x2 - wide, y2), inside(x2, y1), inside(x1 - wide, y1),
    ...[2, 3, 4].flatMap((row) => [inside(x1, y1 - row * HEIGHT), inside(x1, y2 + (row - 1) * HEIGHT)]),
  ];
  const apart = (a, b) => a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
  return places.find((place) => taken.every((other) => apart(place, other)));
}
