"use strict";
// Curves. Every <figure class="chart"> holds its data as JSON (charts.py); charts of one group
// share cursor, zoom, smoothing and scale.
{
  const HEIGHT = 230, LEFT = 52, RIGHT = 14, TOP = 8, BOTTOM = 34, NOTCH = 4;
  const groups = new Map();
  const svg = document.createElement("template");
  svg.innerHTML = "<svg></svg>";
  const namespace = svg.content.firstChild.namespaceURI;

  const add = (parent, tag, attributes, text) => {
    const node = document.createElementNS(namespace, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  };

  // Round numbers that divide a range into about `count` parts.
  const ticks = (low, high, count) => {
    const raw = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].find((m) => m * power >= raw) * power;
    const marks = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) marks.push(k * step);
    return marks;
  };
  const decades = (low, high) => {
    const marks = [];
    for (let p = Math.floor(low); p <= Math.ceil(high); p++)
      for (const m of high - low > 3 ? [1] : [1, 2, 5]) marks.push(p + Math.log10(m));
    return marks.filter((mark) => mark >= low && mark <= high);
  };
  const short = (v) => v === null || v === undefined ? "" : Math.abs(v) >= 1e5 || (v && Math.abs(v) < 1e-3)
    ? v.toExponential(2).replace(/\.?0+e/, "e").replace("+", "") : String(+v.toPrecision(4));

  // Exponential moving average that starts unbiased, as TensorBoard's.
  const smoothed = (y, weight) => {
    let sum = 0, norm = 0;
    return y.map((v) => {
      if (v === null) return null;
      sum = weight * sum + (1 - weight) * v;
      norm = weight * norm + (1 - weight);
      return sum / norm;
    });
  };

  const nearest = (x, at) => {
    let low = 0, high = x.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (x[middle] < at) low = middle; else high = middle;
    }
    return Math.abs(x[low] - at) <= Math.abs(x[high] - at) ? low : high;
  };

  class Group {
    constructor(name) {
      this.charts = [];
      this.weight = 0;
      this.log = false;
      this.view = null;
      [this.low, this.high] = [Infinity, -Infinity];
      for (const tools of document.querySelectorAll("[data-charts]")) {
        if (tools.dataset.charts !== name) continue;
        const smooth = tools.querySelector("[data-smooth]");
        if (smooth) smooth.oninput = () => {
          this.weight = +smooth.value;
          smooth.nextElementSibling.value = smooth.value;
          this.draw();
        };
        const log = tools.querySelector("[data-log]");
        log.onchange = () => { this.log = log.checked; this.draw(); };
        tools.querySelector("[data-reset]").onclick = () => this.zoom(null);
      }
    }
    include(low, high) {
      this.low = Math.min(this.low, low);
      this.high = Math.max(this.high, high);
    }
    get full() { return this.low < this.high ? [this.low, this.high] : [this.low - 1, this.low + 1]; }
    zoom(view) { this.view = view; this.draw(); }
    draw() { for (const chart of this.charts) chart.draw(); }
    point(at) { for (const chart of this.charts) chart.point(at); }
  }

  class Chart {
    constructor(figure, group) {
      this.data = JSON.parse(figure.querySelector("script").textContent);
      this.group = group;
      group.charts.push(this);
      this.series = this.data.series.filter((s) => s.x.length);
      this.svg = add(figure, "svg", { role: "img", tabindex: 0, "aria-label": this.data.title });
      figure.querySelector("figcaption").after(this.svg);
      this.legend(figure);
      this.listen();
      for (const s of this.series) group.include(s.x[0], s.x.at(-1));
      new ResizeObserver(() => this.draw()).observe(figure);
    }

    legend(figure) {
      const box = document.createElement("div");
      box.className = "legend";
      this.svg.after(box);
      for (const s of this.series) {
        const button = document.createElement("button"), line = document.createElement("i");
        line.style.borderColor = `var(--c${s.color})`;
        if (s.dashed) line.className = "dashed";
        s.value = document.createElement("output");
        button.type = "button";
        button.ariaPressed = "true";
        button.append(line, s.name, " ", s.value);
        button.onclick = () => {
          s.off = !s.off;
          button.ariaPressed = String(!s.off);
          this.draw();
        };
        box.append(button);
      }
      this.place = document.createElement("span");
      this.place.className = "soft";
      box.append(this.place);
    }

    range() { return this.group.view ?? this.group.full; }
    toX(x) { const [a, b] = this.range(); return LEFT + (x - a) / (b - a) * this.room; }
    fromX(px) { const [a, b] = this.range(); return a + (px - LEFT) / this.room * (b - a); }
    level(y) { return this.logs ? Math.log10(y) : y; }
    toY(y) {
      const [a, b] = this.span;
      return TOP + (1 - (this.level(y) - a) / (b - a)) * (HEIGHT - TOP - BOTTOM);
    }

    // Vertical range of what is visible; from 0 unless values are negative or the scale is logarithmic.
    fit(visible) {
      const [a, b] = this.range();
      let low = Infinity, high = -Infinity;
      for (const s of visible)
        for (const values of s.low ? [s.drawn, s.low, s.high] : [s.drawn])
          values.forEach((v, i) => {
            if (v === null || s.x[i] < a || s.x[i] > b || (this.group.log && v <= 0)) return;
            low = Math.min(low, v);
            high = Math.max(high, v);
          });
      this.logs = this.group.log && low > 0;
      if (low > high) [low, high] = [0, 1];
      if (this.logs) {
        const [l, h] = [Math.log10(low), Math.log10(high)];
        this.span = [l - 0.03 * (h - l || 1), h + 0.03 * (h - l || 1)];
        return;
      }
      low = Math.min(0, low);
      high = this.data.yMax && high > 0.5 * this.data.yMax ? Math.max(high, this.data.yMax) : high + 0.05 * (high - low);
      this.span = [low, high > low ? high : low + 1];
    }

    draw() {
      this.width = this.svg.clientWidth || 420;
      this.room = this.width - LEFT - RIGHT;
      this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
      this.svg.setAttribute("height", HEIGHT);
      this.svg.replaceChildren();
      for (const s of this.series)
        s.drawn = s.smooth && this.group.weight ? smoothed(s.y, this.group.weight) : s.y;
      const visible = this.series.filter((s) => !s.off);
      this.fit(visible);
      this.axes();
      const clip = `clip-${[...groups.values()].indexOf(this.group)}-${this.group.charts.indexOf(this)}`;
      add(add(this.svg, "clipPath", { id: clip }), "rect",
        { x: LEFT, y: TOP - NOTCH, width: this.room, height: HEIGHT - TOP - BOTTOM + 2 * NOTCH });
      const plot = add(this.svg, "g", { "clip-path": `url(#${clip})` });
      for (const s of visible) this.curve(plot, s);
      for (const mark of this.data.marks) this.mark(mark);
      this.above = add(this.svg, "g", {});
      this.point(null);
    }

    axes() {
      const bottom = HEIGHT - BOTTOM, [a, b] = this.range(), [low, high] = this.span;
      const across = this.logs ? decades(low, high) : ticks(low, high, 4);
      for (const level of across) {
        const y = TOP + (1 - (level - low) / (high - low)) * (bottom - TOP);
        add(this.svg, "path", { class: "axis", d: `M${LEFT} ${y}H${this.width - RIGHT}` });
        add(this.svg, "text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" },
          short(this.logs ? 10 ** level : level));
      }
      for (const x of ticks(a, b, Math.max(3, this.room / 70))) {
        add(this.svg, "path", { class: "axis", d: `M${this.toX(x)} ${bottom}v4` });
        add(this.svg, "text", { x: this.toX(x), y: bottom + 16, "text-anchor": "middle" }, short(x));
      }
      add(this.svg, "text", { x: this.width - RIGHT, y: HEIGHT - 3, "text-anchor": "end" }, this.data.xName);
    }

    path(s, y) {
      let d = "", pen = "M";
      y.forEach((v, i) => {
        if (v === null || (this.logs && v <= 0)) { pen = "M"; return; }
        d += `${pen}${this.toX(s.x[i]).toFixed(1)} ${this.toY(v).toFixed(1)}`;
        pen = "L";
      });
      return d;
    }

    curve(plot, s) {
      const color = `var(--c${s.color})`, raw = s.drawn !== s.y;
      if (s.low && !raw) {
        const back = { x: [...s.x].reverse() };
        const d = this.path(s, s.low) + this.path(back, [...s.high].reverse()).replace("M", "L");
        add(plot, "path", { class: "band", d }).style.fill = color;
      }
      if (raw) add(plot, "path", { class: "curve raw", d: this.path(s, s.y) }).style.stroke = color;
      const line = add(plot, "path", { class: "curve", d: this.path(s, s.drawn) });
      line.style.stroke = color;
      if (s.dashed) line.style.strokeDasharray = "6 4";
      if (!s.dots && s.x.length > 1) return;
      s.y.forEach((v, i) => {
        if (v === null || (this.logs && v <= 0)) return;
        add(plot, "circle", { cx: this.toX(s.x[i]), cy: this.toY(v), r: 3 }).style.fill = color;
      });
    }

    mark({ x, label }) {
      const [a, b] = this.range();
      if (x < a || x > b) return;
      const right = this.toX(x) > this.width / 2;
      add(this.svg, "path", { class: "mark", d: `M${this.toX(x)} ${TOP}V${HEIGHT - BOTTOM}` });
      add(this.svg, "text", { x: this.toX(x) + (right ? -5 : 5), y: HEIGHT - BOTTOM - 6,
        "text-anchor": right ? "end" : "start" }, label);
    }

    // Show the values at a place of the axis; without one, the last values.
    point(at) {
      this.at = at;
      this.above.replaceChildren();
      this.place.textContent = at === null ? "" : `at ${this.data.xName} ${short(at)}`;
      if (at !== null) {
        const x = this.toX(at);
        add(this.above, "path", { class: "cursor", d: `M${x} ${TOP}V${HEIGHT - BOTTOM}` });
      }
      for (const s of this.series) {
        const i = at === null ? s.x.length - 1 : nearest(s.x, at);
        s.value.value = at === null && !this.data.last ? "" : short(s.drawn[i]);
        const v = s.drawn[i];
        if (at === null || s.off || v === null || (this.logs && v <= 0)) continue;
        add(this.above, "circle", { cx: this.toX(s.x[i]), cy: this.toY(v), r: 4 }).style.fill = `var(--c${s.color})`;
      }
    }

    // The nearest x of any visible curve.
    snap(px) {
      const at = this.fromX(px), shown = this.series.filter((s) => !s.off);
      const found = shown.map((s) => s.x[nearest(s.x, at)]);
      return found.sort((a, b) => Math.abs(a - at) - Math.abs(b - at))[0] ?? null;
    }

    listen() {
      const svg = this.svg, fingers = new Map();
      const px = (event) => event.clientX - svg.getBoundingClientRect().left;
      const clamp = (x) => Math.min(Math.max(x, this.range()[0]), this.range()[1]);
      let start = null, pinch = null;
      svg.onpointerdown = (event) => {
        fingers.set(event.pointerId, px(event));
        if (fingers.size === 2) pinch = [...fingers.values()].map((p) => this.fromX(p));
        if (event.pointerType !== "mouse") return;
        start = px(event);
        svg.setPointerCapture(event.pointerId);
      };
      svg.onpointermove = (event) => {
        if (fingers.has(event.pointerId)) fingers.set(event.pointerId, px(event));
        if (fingers.size === 2) return this.pinch(pinch, [...fingers.values()]);
        this.group.point(this.snap(px(event)));
        if (start === null || Math.abs(px(event) - start) < 5) return;
        const [a, b] = [start, px(event)].sort((p, q) => p - q);
        add(this.above, "rect", { class: "zoom", x: a, y: TOP, width: b - a, height: HEIGHT - TOP - BOTTOM });
      };
      svg.onpointerup = svg.onpointercancel = (event) => {
        fingers.delete(event.pointerId);
        if (start !== null && Math.abs(px(event) - start) >= 5)
          this.group.zoom([start, px(event)].map((p) => clamp(this.fromX(p))).sort((p, q) => p - q));
        start = null;
      };
      svg.onpointerleave = () => { if (start === null) this.group.point(null); };
      svg.ondblclick = () => this.group.zoom(null);
      svg.onkeydown = (event) => this.key(event);
    }

    // Two fingers keep the values that they were put on.
    pinch([x1, x2], [p1, p2]) {
      if (Math.abs(p1 - p2) < 10) return;
      const unit = (x2 - x1) / (p2 - p1), first = x1 - (p1 - LEFT) * unit;
      const [low, high] = this.group.full;
      this.group.zoom([Math.max(first, low), Math.min(first + this.room * unit, high)]);
    }

    key(event) {
      const s = this.series.find((each) => !each.off);
      if (!s) return;
      const at = this.at ?? this.range()[1], i = nearest(s.x, at), [a, b] = this.range();
      if (event.key === "ArrowLeft") this.group.point(s.x[Math.max(i - 1, 0)]);
      else if (event.key === "ArrowRight") this.group.point(s.x[Math.min(i + 1, s.x.length - 1)]);
      else if (event.key === "+") this.group.zoom([at - (at - a) / 2, at + (b - at) / 2]);
      else if (event.key === "Escape" || event.key === "0") this.group.zoom(null);
      else return;
      event.preventDefault();
    }
  }

  document.querySelectorAll("figure.chart").forEach((figure, index) => {
    const name = JSON.parse(figure.querySelector("script").textContent).group || `chart ${index}`;
    if (!groups.has(name)) groups.set(name, new Group(name));
    new Chart(figure, groups.get(name));
  });
}
