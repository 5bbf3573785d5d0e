"use strict";
// The images of the page. Each is unpacked when it is first shown.
const site = JSON.parse(document.getElementById("inspection").textContent);
const opened = new Map();

const openImage = (index) => {
  if (!opened.has(index)) opened.set(index, unpack(site.images[index]));
  return opened.get(index);
};

const unpack = async (entry) => {
  const [content, pixels] = await Promise.all([inflate(entry.data), decodeJpeg(entry.jpeg)]);
  for (const snapshot of content.snapshots) {
    snapshot.views.forEach((view, index) => {
      view.name = site.assigners[index];
      prepare(view, content.level.length);
    });
    snapshot.differ = content.level.map((_, p) => snapshot.views.some(
      (view) => Math.max(view.index[p], -1) !== Math.max(snapshot.views[0].index[p], -1)));
  }
  return { ...content, width: entry.width, height: entry.height, name: entry.name, pixels };
};

const inflate = async (text) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
};

const decodeJpeg = async (jpeg) => {
  const image = new Image();
  image.src = `data:image/jpeg;base64,${jpeg}`;
  await image.decode();
  return image;
};

// Find a point's pairs, which are stored point by point.
const prepare = (view, count) => {
  view.first = new Int32Array(count + 1);
  for (const point of view.pairs.point) view.first[point + 1]++;
  for (let p = 0; p < count; p++) view.first[p + 1] += view.first[p];
  view.contested = new Uint8Array(count);
  for (const point of view.ambiguous) view.contested[point] = 1;
  view.soft = view.pairs.share.some((share) => share > 0.01 && share < 0.99);
};

const pairsOf = (view, point) => {
  const { object, parts, background, iou, share, claimed } = view.pairs;
  const found = [];
  for (let k = view.first[point]; k < view.first[point + 1]; k++) {
    const terms = parts.map((part) => part[k]);
    found.push({
      object: object[k], parts: terms, cost: terms.reduce((sum, v) => sum + v, 0),
      background: background[k], iou: iou[k], share: share[k], claimed: claimed[k] === 1,
    });
  }
  return found;
};

const pointsOf = (view, object) => {
  const found = [];
  view.index.forEach((owner, point) => { if (owner === object) found.push(point); });
  return found;
};
