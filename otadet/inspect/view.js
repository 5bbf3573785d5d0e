"use strict";
// What is shown: image, network, filters, zoom, and the point or object that is looked at.
const state = {
  index: 0, snapshot: site.snapshots.length - 1, image: null,
  levels: new Set(site.strides.keys()), label: -1, which: "all", opacity: 0.5,
  zoom: 1, left: 0, top: 0, // of the whole image; its corner in pixels of a panel
  hovered: null, kept: null, alone: null,
};
const MAX_ZOOM = 40;

const now = () => state.image.snapshots[state.snapshot];
const focus = () => state.kept ?? state.hovered;

const isShown = (view, point) => {
  const owner = view.index[point], { image } = state;
  if (!state.levels.has(image.level[point])) return false;
  if (state.which === "contested" && !view.contested[point]) return false;
  if (state.which === "differ" && !now().differ[point]) return false;
  if (owner < 0) return owner === -2 || view.contested[point] === 1 ? state.label < 0 : false;
  return state.label < 0 || image.labels[owner] === state.label;
};

// Marks to be drawn, by view; anew whenever a filter, the image or the network changes.
const listShown = () => {
  for (const view of now().views) {
    view.shown = [];
    view.index.forEach((_, point) => { if (isShown(view, point)) view.shown.push(point); });
  }
};

// A change of zoom keeps the place (x, y), in pixels of a panel.
const zoomTo = (zoom, x, y, size) => {
  const next = Math.min(Math.max(zoom, 1), MAX_ZOOM), ratio = next / state.zoom;
  state.left = x - (x - state.left) * ratio;
  state.top = y - (y - state.top) * ratio;
  state.zoom = next;
  keepInside(size);
};

const panBy = (x, y, size) => {
  state.left += x;
  state.top += y;
  keepInside(size);
};

// The whole image fills a panel; zoomed in, its border may come near the middle.
const keepInside = ({ width, height }) => {
  const room = 0.4 * (1 - 1 / state.zoom), within = (value, side) =>
    Math.min(room * side, Math.max(value, side * (1 - state.zoom - room)));
  state.left = within(state.left, width);
  state.top = within(state.top, height);
};

const showBox = ([x1, y1, x2, y2], size) => {
  const scale = size.width / state.image.width, least = 3 * site.strides[0], room = 3;
  const across = size.width / Math.max(x2 - x1, least), down = size.height / Math.max(y2 - y1, least);
  const zoom = Math.min(across, down) / (scale * room);
  state.zoom = Math.min(Math.max(zoom, 1), MAX_ZOOM);
  state.left = size.width / 2 - (x1 + x2) / 2 * scale * state.zoom;
  state.top = size.height / 2 - (y1 + y2) / 2 * scale * state.zoom;
  keepInside(size);
};
