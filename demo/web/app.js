// The page: files in, detections out.

import { color, draw } from "./draw.js";
import { remote } from "./remote.js";

const $ = (id) => document.getElementById(id);
const state = { about: null, image: null, name: "", found: [], hidden: new Set() };
let turn = Promise.resolve(); // one thing after the other

/** Run `work` after what is under way; what goes wrong is one line on the page. */
function soon(work) {
  turn = turn.then(async () => {
    $("error").hidden = true;
    $("stage").classList.add("busy");
    try {
      await work();
    } catch (error) {
      $("error").textContent = error.message;
      $("error").hidden = false;
    }
    $("stage").classList.remove("busy");
  });
}

async function setModel(bytes, name) {
  const size = bytes.length; // the worker takes the bytes
  const about = await remote("load", [bytes, name], [bytes.buffer]);
  Object.assign(state, { about, found: [], hidden: new Set() });
  const { class_names: names, input, thresholds, experiment, quantization } = about;
  $("about").textContent =
    `${name}: ${experiment}${quantization ? ", int8" : ""}, ${names.length} classes, ` +
    `${input.size[1]} x ${input.size[0]} px, ${(size / 1e6).toFixed(1)} MB`;
  $("score").min = Math.max(0.01, thresholds.score);
  $("score").value = thresholds.default_score ?? 0.3; // older files do not say
  $("hint").textContent = "Now drop an image here";
  await detect();
}

async function setPicture(blob, name) {
  let image;
  try {
    image = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(`${name}: not an image that this browser reads`);
  }
  state.image?.close();
  Object.assign(state, { image, name, found: [] });
  if (!state.about) $("hint").textContent = "Now drop a model (.onnx) here";
  await detect();
}

async function detect() {
  const { about, image } = state;
  if (!image) return;
  if (about) {
    const { found, resize, network, tiles } = await remote("detect", [image]);
    state.found = found;
    $("time").textContent = (tiles > 1 ? `${tiles} tiles, ` : "") +
      `${network.toFixed(0)} ms network, ${resize.toFixed(0)} ms resize`;
  }
  for (const id of ["hint", "canvas"]) $(id).hidden = (id === "hint") === Boolean(about);
  $("controls").hidden = !about;
  $("stage").classList.toggle("full", Boolean(about));
  if (about) show();
}

/** Everything that depends on the threshold and on the chosen classes. */
function show() {
  const { class_names: names, category_ids: ids } = state.about;
  const above = state.found.filter((one) => one.score >= Number($("score").value));
  const chosen = above.filter((one) => !state.hidden.has(one.label));
  $("limit").textContent = Number($("score").value).toFixed(3);
  draw($("canvas"), state.image, chosen, names, $("stage").clientWidth, 0.65 * innerHeight);
  legend(above, names);
  const rows = chosen.map(({ box, score, label }) =>
    ({ file: state.name, class: names[label], score, box, ...(ids && { category_id: ids[label] }) }));
  URL.revokeObjectURL($("save").href);
  $("save").href = URL.createObjectURL(
    new Blob([JSON.stringify(rows, null, 1)], { type: "application/json" }));
}

/** A box to tick for each class that occurs, the most frequent first. */
function legend(found, names) {
  const counts = new Map();
  for (const { label } of found) counts.set(label, (counts.get(label) ?? 0) + 1);
  const lines = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([label, count]) => {
    const line = document.createElement("label");
    line.style.setProperty("--color", color(label));
    const tick = Object.assign(document.createElement("input"), {
      type: "checkbox", checked: !state.hidden.has(label),
    });
    tick.addEventListener("change", () => {
      if (tick.checked) state.hidden.delete(label);
      else state.hidden.add(label);
      show();
    });
    line.append(tick, document.createElement("i"), `${names[label]} ${count}`);
    return line;
  });
  $("legend").replaceChildren(...(lines.length ? lines : ["Nothing at this score."]));
}

function take(files) {
  for (const file of files) {
    soon(async () => {
      if (file.name.toLowerCase().endsWith(".onnx")) {
        await setModel(new Uint8Array(await file.arrayBuffer()), file.name);
      } else await setPicture(file, file.name);
    });
  }
}

for (const id of ["model", "image"]) {
  $(id).addEventListener("change", ({ target }) => {
    take(target.files);
    target.value = ""; // so that the same file can be chosen again
  });
}
addEventListener("dragover", (event) => {
  event.preventDefault();
  $("stage").classList.add("over");
});
addEventListener("dragleave", () => $("stage").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  $("stage").classList.remove("over");
  take(event.dataTransfer.files);
});
$("score").addEventListener("input", show);
addEventListener("resize", () => state.about && state.image && show());

// index.html?model=detector.onnx opens a file that lies beside the page.
const address = new URLSearchParams(location.search).get("model");
if (address) {
  soon(async () => {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${address}: ${answer.status} ${answer.statusText}`);
    await setModel(new Uint8Array(await answer.arrayBuffer()), address.split("/").pop());
  });
}
