"use strict";
// Events: buttons, pointers, keys.
const byId = (id) => document.getElementById(id);

const refresh = () => { listShown(); writeDetails(); draw(); };

const keep = (at) => { state.kept = at; state.hovered = null; writeDetails(); draw(); };

const show = (object) => {
  showBox(state.image.boxes[object], size);
  byId("panels").scrollIntoView({ block: "nearest" });
  moved();
};

const moved = () => {
  for (const { canvas } of panels) canvas.style.touchAction = state.zoom > 1 ? "none" : "pan-y";
  draw();
};

const openAt = async (index) => {
  const count = site.images.length, wanted = (index + count) % count;
  state.index = wanted;
  byId("image").value = wanted;
  const image = await openImage(wanted);
  if (state.index !== wanted) return; // another was chosen meanwhile
  Object.assign(state, { image, zoom: 1, left: 0, top: 0, hovered: null, kept: null });
  offerClasses();
  resize();
  showSnapshot(Math.min(state.snapshot, site.snapshots.length - 1));
  moved();
};

const showSnapshot = (index) => {
  if (index < 0 || index >= site.snapshots.length) return;
  state.snapshot = index;
  if (byId("snapshot")) {
    byId("snapshot").value = index;
    byId("label").value = site.snapshots[index];
  }
  listShown();
  writeCaptions();
  writeTotals();
  writeObjects();
  hideRows();
  written = "";
  refresh();
  drawNow();
  document.documentElement.dataset.shown = `${state.index} ${index}`;
};

const offerClasses = () => {
  const labels = [...new Set(state.image.labels)].sort((a, b) => a - b);
  if (!labels.includes(state.label)) state.label = -1;
  byId("class").replaceChildren(element("option", { value: -1 }, "all"),
    ...labels.map((label) => element("option", { value: label }, className(label))));
  byId("class").value = state.label;
};

const hideRows = () => {
  for (const row of byId("rows").rows) {
    row.hidden = state.label >= 0 && Number(row.dataset.label) !== state.label;
  }
};

const showAlone = (panel) => {
  state.alone = state.alone === panel.view ? null : panel.view;
  for (const other of panels) {
    other.figure.hidden = state.alone !== null && other !== panel;
    other.button.setAttribute("aria-pressed", String(state.alone === other.view));
  }
  byId("panels").classList.toggle("alone", state.alone !== null);
  const before = { ...size };
  resize();
  state.left *= size.width / before.width;
  state.top *= size.width / before.width;
  keepInside(size);
  refresh();
};

const zoomBy = (factor, x = size.width / 2, y = size.height / 2) => {
  zoomTo(state.zoom * factor, x, y, size);
  moved();
};

const zoomOut = () => { Object.assign(state, { zoom: 1, left: 0, top: 0 }); moved(); };

// Objects by the worst first; points of the object that is kept, of the first panel shown.
const step = (list, current, by) => list[(list.indexOf(current) + by + list.length) % list.length];

const nextObject = (by) => {
  const { labels } = state.image, { label, kept } = state;
  const order = state.order.filter((object) => label < 0 || labels[object] === label);
  const object = kept?.object === undefined && by > 0 ? order[0] : step(order, kept?.object, by);
  keep({ object });
  show(object);
};

const nextPoint = (by) => {
  const view = now().views[visiblePanels()[0].view];
  const { point, object = view.index[point ?? -1] } = state.kept ?? {};
  const points = object >= 0 ? pointsOf(view, object) : view.shown;
  if (points.length) keep({ point: point === undefined ? points[0] : step(points, point, by) });
};

const keys = {
  "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: zoomOut,
  n: () => openAt(state.index + 1), N: () => openAt(state.index - 1),
  o: () => nextObject(1), O: () => nextObject(-1), p: () => nextPoint(1), P: () => nextPoint(-1),
  ",": () => showSnapshot(state.snapshot - 1), ".": () => showSnapshot(state.snapshot + 1),
  Escape: () => keep(null),
};
const arrows = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !state.image) return;
  if (event.target.matches("input, select, textarea")) return;
  const pan = state.zoom > 1 && event.target.matches("canvas") && arrows[event.key];
  if (pan) { panBy(...pan, size); draw(); } else if (keys[event.key]) keys[event.key](); else return;
  event.preventDefault();
});

let scrolled = -Infinity; // when the page last moved
addEventListener("scroll", () => { scrolled = performance.now(); }, { passive: true });
const isScrolling = () => performance.now() - scrolled < 300;

const follow = (panel) => {
  const { canvas } = panel, fingers = new Map();
  let dragged = false;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const under = (event) => hit(now().views[panel.view], ...place(event),
    event.pointerType === "touch" ? 18 : REACH);
  const spread = () => {
    const [[ax, ay], [bx, by]] = [...fingers.values()];
    return { middle: [(ax + bx) / 2, (ay + by) / 2], apart: Math.hypot(ax - bx, ay - by) };
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (!fingers.size) dragged = false;
    fingers.set(event.pointerId, place(event));
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const held = fingers.get(event.pointerId), at = place(event);
    if (!held) {
      if (event.pointerType !== "mouse") return;
      state.hovered = under(event);
      writeDetails();
      draw();
    } else if (fingers.size === 2) {
      const before = spread();
      fingers.set(event.pointerId, at);
      const after = spread();
      panBy(after.middle[0] - before.middle[0], after.middle[1] - before.middle[1], size);
      zoomBy(after.apart / Math.max(before.apart, 1), ...after.middle);
      dragged = true;
    } else if (dragged || Math.hypot(at[0] - held[0], at[1] - held[1]) > 4) {
      dragged = true;
      panBy(at[0] - held[0], at[1] - held[1], size);
      fingers.set(event.pointerId, at);
      draw();
    }
  });
  const release = (event) => {
    if (!fingers.delete(event.pointerId) || event.type === "pointercancel" || dragged) return;
    const found = under(event);
    keep(JSON.stringify(found) === JSON.stringify(state.kept) ? null : found);
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { state.hovered = null; writeDetails(); draw(); });
  canvas.addEventListener("dblclick", (event) => zoomBy(2, ...place(event)));
  canvas.addEventListener("wheel", (event) => {
    if (isScrolling() || (state.zoom <= 1 && event.deltaY > 0)) return; // the page scrolls on
    event.preventDefault();
    zoomBy(Math.exp(-Math.max(-120, Math.min(120, event.deltaY)) * 0.004), ...place(event));
  }, { passive: false });
  panel.button.onclick = () => showAlone(panel);
};

panels.forEach(follow);
byId("before").onclick = () => openAt(state.index - 1);
byId("after").onclick = () => openAt(state.index + 1);
byId("image").onchange = (event) => openAt(Number(event.target.value));
byId("in").onclick = () => zoomBy(1.5);
byId("out").onclick = () => zoomBy(1 / 1.5);
byId("whole").onclick = zoomOut;
byId("snapshot")?.addEventListener("input", (event) => showSnapshot(Number(event.target.value)));
byId("which").onchange = (event) => { state.which = event.target.value; refresh(); };
byId("class").onchange = (event) => {
  state.label = Number(event.target.value);
  hideRows();
  refresh();
};
byId("opacity").oninput = (event) => { state.opacity = Number(event.target.value); draw(); };
byId("levels").onchange = (event) => {
  const level = Number(event.target.value);
  if (event.target.checked) state.levels.add(level); else state.levels.delete(level);
  refresh();
};
const repaint = () => { readTheme(); draw(); };
document.querySelector("button.theme").addEventListener("click", () => requestAnimationFrame(repaint));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
new ResizeObserver(() => {
  if (!state.image || !visiblePanels()[0].figure.clientWidth) return;
  resize();
  drawNow();
}).observe(byId("panels"));

byId("filters").open = innerWidth > 1000;
document.querySelectorAll("svg[data-level]").forEach((svg) => {
  const hole = svg.dataset.holed ? '<circle r="2.5"/>' : "";
  svg.innerHTML = `<path d="${markPath(Number(svg.dataset.level))}"/>${hole}`;
});
readTheme();
openAt(0);
