"use strict";
// Image pairs: a slider between ground truth and detections, the score threshold, side by side.
{
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const pairs = all(".pair");

  const slide = (stage) => {
    const range = stage.querySelector("input");
    if (range) range.oninput = () => stage.style.setProperty("--cut", `${range.value}%`);
  };
  for (const pair of pairs) {
    slide(pair.querySelector(".stage"));
    const button = pair.querySelector("[data-larger]");
    button.onclick = () => {
      button.textContent = pair.classList.toggle("large") ? "smaller" : "larger";
      pair.scrollIntoView({ block: "nearest" });
    };
  }

  // The same image twice; the copies are gone when the pairs are laid upon each other again.
  const split = (apart) => {
    for (const pair of pairs) {
      const [stage, copy] = all(".stage", pair);
      if (apart === Boolean(copy)) continue;
      stage.classList.toggle("only-truth", apart);
      if (!apart) { copy.remove(); continue; }
      const second = stage.cloneNode(true);
      second.classList.replace("only-truth", "only-found");
      stage.after(second);
    }
  };

  // An object is found where the detection that took it is shown.
  const threshold = (score) => {
    for (const g of all(".stage .found g")) g.style.display = +g.dataset.score < score ? "none" : "";
    for (const g of all(".stage .truth g:not(.ignored)"))
      g.setAttribute("class", +g.dataset.score >= score ? "hit" : "missed");
  };

  const tools = document.querySelector(".pair-tools");
  if (tools) {
    const [score, names, apart] = ["score", "names", "split"].map((n) => tools.querySelector(`[data-${n}]`));
    score.oninput = () => {
      score.nextElementSibling.value = (+score.value).toFixed(3);
      threshold(+score.value);
    };
    names.onchange = () => document.body.classList.toggle("names", names.checked);
    apart.onchange = () => { split(apart.checked); threshold(+score.value); };
    addEventListener("beforeprint", () => split(true));
    addEventListener("afterprint", () => split(apart.checked));
  }
}
