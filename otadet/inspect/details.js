"use strict";
// What is written about a point or an object, the totals, and the list of objects.
const element = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "style") node.style.cssText = value; else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

const format = (value) => {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  const digits = Number.isInteger(value) ? 0 : size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
};

const shownAs = (value) => typeof value === "number" ? format(value) : value ?? "";
const cells = (tag, values) => values.map((value, k) =>
  element(tag, k ? { class: "number" } : {}, shownAs(value)));

// Names of assigners may break after an underscore.
const breakable = (name) => element("span", {},
  ...name.split(/(?<=_)/).flatMap((part, k) => k ? [element("wbr", {}), part] : [part]));

const table = (headings, rows) => {
  const body = rows.map(([attributes, ...row]) => element("tr", attributes, ...cells("td", row)));
  return element("div", { class: "wide" }, element("table", {},
    element("thead", {}, element("tr", {}, ...cells("th", headings))),
    element("tbody", {}, ...body)));
};

const className = (label) => site.classes[label] ?? "object"; // of predictions without classes

const objectName = (object) => element("span", { class: "object", dir: "auto" },
  element("i", { style: `background: var(--c${state.image.colors[object]})` }),
  `#${object + 1} ${className(state.image.labels[object])}`);

const svgMark = (level) => {
  const holder = document.createElement("template");
  holder.innerHTML = '<svg class="mark" viewBox="-8 -8 16 16" aria-hidden="true">'
    + `<path d="${markPath(level)}"/></svg>`;
  return holder.content.firstChild;
};

const details = document.getElementById("details");
let written = "";

const writeDetails = () => {
  const at = focus(), { index, snapshot, alone, kept } = state;
  const key = JSON.stringify([at, kept !== null, index, snapshot, alone]);
  if (key === written) return;
  written = key;
  details.classList.toggle("idle", !at);
  details.classList.toggle("kept", state.kept !== null);
  details.replaceChildren(...(at?.point !== undefined ? aboutPoint(at.point)
    : at?.object !== undefined ? aboutObject(at.object) : [hint]));
};

// The legend, where nothing is looked at.
const hint = document.getElementById("legend");

const views = () => now().views.filter((_, index) => state.alone === null || index === state.alone);

const aboutPoint = (point) => {
  const { x, y, level } = state.image, { boxes, scores, labels } = now();
  const [x1, y1, x2, y2] = boxes[point], name = className(labels[point]);
  const where = `stride ${site.strides[level[point]]}, at ${format(x[point])}, ${format(y[point])} of the input. `;
  const predicted = x2 > x1
    ? `It predicts ${name} ${scores[point].toFixed(2)}, ${format(x2 - x1)} x ${format(y2 - y1)} px (dashed).`
    : "";
  return [
    element("h3", {}, svgMark(level[point]), ` Point ${point}`),
    element("p", { class: "soft small" }, where, predicted),
    ...views().map((view) => pointUnder(view, point)),
  ];
};

const note = (text) => element("p", { class: "soft small" }, text);

const pointUnder = (view, point) => {
  const owner = view.index[point], pairs = pairsOf(view, point);
  const verdict = owner >= 0 ? objectName(owner) : owner === -2 ? "left out of the loss" : "background";
  const tag = view.contested[point] ? element("span", { class: "tag" }, "contested") : null;
  const head = element("h4", {}, `${view.name}: `, verdict, tag);
  if (!pairs.length) return element("section", {}, head, note("No object could have it."));
  const more = view.contenders[point] - pairs.length;
  return element("section", {}, head, costTable(view, owner, pairs, more > 0),
    more > 0 ? note(`and ${more} more`) : null, whyNotTheFirst(view, point, owner, pairs));
};

// Why a point went to another one than the table seems to say.
const whyNotTheFirst = (view, point, owner, pairs) => {
  if (view.given_back.includes(point)) return note("Given so that no object ends without a point.");
  const rest = 1 - pairs.reduce((sum, pair) => sum + pair.share, 0);
  const own = owner === -1 ? rest : pairs[0].share;
  const most = Math.max(rest, ...pairs.map((pair) => pair.share));
  return view.soft && owner !== -2 && own < most - 0.01
    ? note("Shares are compared after division by the largest one that each object, or the background, gives.")
    : null;
};

// The pairs of a point with the terms of their cost, and its cost as background.
const costTable = (view, owner, pairs, cut) => {
  const several = view.parts.length > 1, fate = view.soft ? "share" : "claimed";
  const headings = ["object", "IoU", ...view.parts, ...(several ? ["cost"] : []), fate];
  const rows = pairs.map((pair) => [
    pair.object === owner ? { class: "owner" } : {}, objectName(pair.object), pair.iou.toFixed(2),
    ...pair.parts, ...(several ? [pair.cost] : []),
    view.soft ? pair.share.toFixed(2) : pair.claimed ? "yes" : "",
  ]);
  const { background } = pairs[0], blank = Array(headings.length - 3).fill("");
  const rest = Math.max(0, 1 - pairs.reduce((sum, pair) => sum + pair.share, 0));
  if (background) {
    rows.push([owner === -1 ? { class: "owner" } : {}, "background", ...blank, background,
      view.soft && !cut ? rest.toFixed(2) : ""]);
  }
  return table(headings, rows);
};

const aboutObject = (object) => {
  const [x1, y1, x2, y2] = state.image.boxes[object], list = views();
  // A request is scaled down where an image has too few points for all.
  const scaled = list.some(({ objects: o }) => o.requested[object] !== o.supply[object]);
  const used = [...site.strides.keys()].filter((level) =>
    list.some(({ objects: o }) => o.by_level[object][level]));
  const levels = element("span", { class: "levels" }, ...used.map(svgMark));
  const rows = list.map((view) => {
    const o = view.objects, count = o.positives[object];
    const points = element("span", {}, element("b", {}, count), ` of ${format(o.candidates[object])}`);
    const each = used.map((level) => element("i", {}, o.by_level[object][level]));
    return [count ? {} : { class: "bare" }, breakable(view.name), ...(scaled ? [o.requested[object]] : []),
      o.supply[object], o.received[object], points, element("span", { class: "levels" }, ...each),
      o.cost[object]];
  });
  const bare = list.filter((view) => view.objects.positives[object] === 0)
    .map(({ name, objects }) => objects.uncovered[object] ? `${name} (outside the prior)` : name);
  return [
    element("h3", {}, objectName(object)),
    note(`${format(x2 - x1)} x ${format(y2 - y1)} px of the input. Hollow marks: candidates that it did not get.`),
    table(["", ...(scaled ? ["asked"] : []), "supply", "received", "points", levels, "cost"], rows),
    bare.length ? element("p", { class: "error small" }, `No point: ${bare.join(", ")}.`) : "",
  ];
};

const writeCaptions = () => {
  for (const panel of panels) {
    const view = now().views[panel.view], { positives, without_point: bare, ambiguous } = view.totals;
    const text = `${format(positives)} positives`, also = `, ${format(ambiguous)} contested`;
    panel.caption.replaceChildren(text, element("span", { class: "also" }, also),
      bare ? element("b", { class: "error" }, ` ${format(bare)} without a point`) : "");
    panel.canvas.setAttribute("aria-label",
      `${state.image.name} under ${view.name}: ${text}${also}, ${bare} objects without a point`);
  }
};

const writeTotals = () => {
  document.getElementById("this").textContent = state.image.name
    + (site.snapshots.length > 1 ? `, ${site.snapshots[state.snapshot]}` : "");
  const heads = [...document.querySelectorAll("#now th[data-key]")].map((head) => head.dataset.key);
  document.querySelector("#now tbody").replaceChildren(...now().views.map((view) => element("tr", {},
    ...cells("td", [view.name, ...heads.map((key) => view.totals[key])]))));
};

// Objects without a point first, then those that are furthest from their supply.
const worstFirst = () => {
  const lack = state.image.boxes.map((_, object) => now().views.reduce((sum, { objects: o }) =>
    sum + (o.positives[object] === 0 ? 1000 : 0) + Math.max(0, o.supply[object] - o.positives[object]), 0));
  return [...lack.keys()].sort((a, b) => lack[b] - lack[a]);
};

const writeObjects = () => {
  state.order = worstFirst();
  const { boxes, labels, colors } = state.image;
  document.getElementById("rows").replaceChildren(...state.order.map((object) => {
    const [x1, y1, x2, y2] = boxes[object];
    const button = element("button", { type: "button" }, `#${object + 1}`);
    button.onclick = () => { keep({ object }); show(object); };
    const swatch = element("i", { class: "swatch", style: `background: var(--c${colors[object]})` });
    const area = { class: "number", "data-value": (x2 - x1) * (y2 - y1) };
    const served = now().views.map(({ objects: o }) => {
      const count = o.positives[object], kind = count ? "number" : "number bare";
      const supply = o.supply[object], text = count < supply ? `${count} of ${format(supply)}` : count;
      return element("td", { class: kind, "data-value": count }, text);
    });
    return element("tr", { "data-label": labels[object] },
      element("td", { "data-value": object }, swatch, button),
      element("td", { dir: "auto" }, className(labels[object])),
      element("td", area, `${Math.round(x2 - x1)} x ${Math.round(y2 - y1)}`), ...served);
  }));
};
