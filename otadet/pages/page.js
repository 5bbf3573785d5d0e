"use strict";
// What every page has: light or dark, images that a click enlarges, tables that sort, filters.
{
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  const theme = document.querySelector(".theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  theme.onclick = () => {
    const now = document.documentElement.style.colorScheme || (dark.matches ? "dark" : "light");
    document.documentElement.style.colorScheme = now === "dark" ? "light" : "dark";
  };

  const viewer = document.createElement("dialog");
  viewer.className = "viewer";
  viewer.append(document.createElement("img"), document.createElement("p"));
  document.body.append(viewer);
  let shown = 0;
  const images = all("img.zoomable");
  const show = (index) => {
    shown = (index + images.length) % images.length;
    const image = images[shown];
    viewer.firstChild.src = image.src;
    viewer.firstChild.alt = image.alt;
    viewer.lastChild.textContent = image.closest("figure").textContent.trim();
    if (!viewer.open) viewer.showModal();
  };
  viewer.onclick = () => viewer.close();
  viewer.onkeydown = (event) => {
    if (event.key === "ArrowRight") show(shown + 1);
    if (event.key === "ArrowLeft") show(shown - 1);
  };
  images.forEach((image, index) => {
    image.tabIndex = 0;
    image.setAttribute("role", "button");
    image.onclick = () => show(index);
    image.onkeydown = (event) => { if (event.key === "Enter") show(index); };
  });

  // <th data-sort> sorts by the cells' data-value, or by their text.
  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = Number(text);
    return text === "" ? -Infinity : Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => typeof a === typeof b
    ? (a < b ? -1 : a > b ? 1 : 0)
    : typeof a === "number" ? -1 : 1;
  for (const head of all("th[data-sort]")) {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const up = head.ariaSort === "descending";
      for (const other of head.parentNode.cells) other.ariaSort = null;
      head.ariaSort = up ? "ascending" : "descending";
      const body = head.closest("table").tBodies[0];
      const rows = [...body.rows].map((row) => [value(row, head.cellIndex), row]);
      rows.sort((a, b) => (up ? 1 : -1) * compare(a[0], b[0]));
      body.append(...rows.map((pair) => pair[1]));
    };
  }

  for (const field of all("input[data-filter]")) {
    const rows = all(field.dataset.filter);
    const status = field.closest(".tools").querySelector("[role=status]");
    field.oninput = () => {
      const words = field.value.toLowerCase().split(/\s+/);
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
      const left = rows.filter((row) => !row.hidden).length;
      status.textContent = field.value ? `${left} of ${rows.length}` : "";
    };
  }
}
