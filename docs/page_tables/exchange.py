"""Tables of docs/results.md."""

from __future__ import annotations

from typing import Any

from page_tables.base import markdown, percent, results, rounded, spread, table, three

BASE = "ota_q5"
PARTS = {
    "ota": "q = 20, OTA as published",
    "supply:q10": "q = 10",
    "supply:q7": "q = 7",
    "supply:q3": "q = 3",
    "supply:q2": "q = 2",
    "supply:q5_image": "q = 5 over all objects' points",
    "supply:q5_all": "q = 5 over all predictions",
    "supply:k1": "k = 1",
    "supply:k3": "k = 3",
    "supply:k5": "k = 5",
    "supply:k10": "k = 10",
    "prior:1.5_open": "1.5 strides, beyond the box (SimOTA's)",
    "prior:2.5_open": "2.5 strides, beyond the box",
    "prior:2.5_raised": "2.5 strides, inside the box raised to 16 px",
    "prior:r3": "r = 3",
    "prior:r5": "r = 5",
    "prior:r7": "r = 7",
    "cost:yolox": "SimOTA's",
    "cost:giou": "GIoU in place of IoU",
    "cost:rtmdet": "RTMDet's",
    "match:converged": "converged",
    "match:exact": "exact, without the entropic term",
    "match:topk": "top k with repair (SimOTA's)",
    "paper": "OTA.paper(), q = 20",
    "simota": "SimOTA",
    "simota_q5": "SimOTA, q = 5",
    "rtmdet": "RTMDet's prior, cost and supply",
    "atss": "ATSS, anchors of 3 strides",
    "tal": "TAL",
    "fcos": "FCOS",
}
"""What is exchanged, by name in benchmarks/exchanges.py."""


def _methods(name: str) -> dict[str, dict[str, Any]]:
    found = results(f"exchange_{name}")["methods"]
    return {method["label"].removeprefix("exchange_fcos variant="): method for method in found}


@table
def exchange_parts() -> str:
    """One part of OTA with q = 5 exchanged, by what it changes."""
    methods = _methods("more") | _methods("parts")
    base = methods[BASE]["metrics"]
    gaps = {name: _gap(name) for name in PARTS}
    rows = [
        [_part(name), PARTS[name], *_scores(methods[name]["metrics"]),
         f"{rounded(100 * gaps[name][0], 1)}",
         f"{rounded(100 * gaps[name][1], 1)} to {rounded(100 * gaps[name][2], 1)}"]
        for name in sorted(PARTS, key=lambda name: -gaps[name][0])
    ]  # fmt: skip
    rows.append(["", "**OTA with q = 5**", *_scores(base), "", ""])
    return markdown(["part", "in its place", "AP", "AP50", "APs", "AP, change", "95 %"], rows)


def _part(name: str) -> str:
    if name == "ota":
        return "supply"
    return name.split(":")[0] if ":" in name else "method"


def _scores(metrics: dict[str, Any]) -> list[str]:
    return [three(metrics[key]["mean"]) for key in ("AP", "AP50", "APs")]


def _gap(name: str) -> tuple[float, float, float]:
    """How much more AP than the base, and the interval over images."""
    for pair in results("exchange_parts")["pairs"] + results("exchange_more")["pairs"]:
        one, other = (pair[key].split("variant=")[1] for key in ("one", "other"))
        if pair["metric"] == "AP" and {one, other} == {name, BASE}:
            mean, low, high = pair["mean"], pair["low"], pair["high"]
            return (mean, low, high) if one == name else (-mean, -high, -low)
    raise KeyError(name)


PAPER = {
    "prior:r3": ("r = 3", 40.6), "prior:r5": ("r = 5", 40.7), "prior:r7": ("r = 7", 40.4),
    "supply:k1": ("k = 1", 36.5), "supply:k5": ("k = 5", 39.5), "supply:k10": ("k = 10", 40.3),
    "ota": ("dynamic k, q = 20", 40.7),
}  # fmt: skip
"""AP in Tables 2 and 4 of the paper, by name in benchmarks/exchanges.py."""


@table
def exchange_paper() -> str:
    """Two tables of the paper beside the same exchanges in the small runs."""
    methods = _methods("parts")
    rows = [
        [2 if name.startswith("prior") else 4, title, rounded(wanted, 1),
         rounded(100 * methods[name]["metrics"]["AP"]["mean"], 1)]
        for name, (title, wanted) in PAPER.items()
    ]  # fmt: skip
    rows.append(
        [4, "dynamic k, q = 5", "", rounded(100 * methods[BASE]["metrics"]["AP"]["mean"], 1)]
    )
    return markdown(["paper's table", "", "AP, paper", "AP, here"], rows)


@table
def exchange_longer() -> str:
    """AP after 200, 800 and 3,000 steps, and what is missing to the base."""
    lengths = [_methods(name) for name in ("parts", "longer", "longest")]
    rows = []
    for name, shown in LONGER.items():
        scores = [_ap(found, name) for found in lengths]
        best = [_ap(found, BASE) for found in lengths]
        rows.append(
            [shown, *("" if ap is None else three(ap) for ap in scores),
             *("" if ap is None or top is None or name == BASE else rounded(100 * (ap - top), 1)
               for ap, top in zip(scores, best))]
        )  # fmt: skip
    header = ["form", "AP, 200 steps", "800", "3,000", "to OTA with q = 5, 200", "800", "3,000"]
    return markdown(header, rows)


LONGER = {
    BASE: "OTA, q = 5", "supply:k1": "OTA, k = 1 for every object",
    "supply:q10": "OTA, q = 10", "ota": "OTA, q = 20",
}  # fmt: skip


def _ap(methods: dict[str, dict[str, Any]], name: str) -> float | None:
    return float(methods[name]["metrics"]["AP"]["mean"]) if name in methods else None


@table
def short_crowd() -> str:
    """OTA.short() beside other methods in the crowd, by falling AP."""
    names = {**PARTS, "prior:1.5_open": "OTA.short()", "simota": "SimOTA, q = 10",
             "simota_q5": "SimOTA.short(), q = 5"}  # fmt: skip
    found = _named("short_crowd")
    rows = [
        [names[name], *(spread(found[name][key]) for key in ("AP", "AP50", "APs"))]
        for name in sorted(found, key=lambda name: -found[name]["AP"]["mean"])
    ]
    return markdown(["method", "AP", "AP50", "APs"], rows)


SOFT = {
    ("paper_tables", "ota_q5 quality=iou"): ("OTA, q = 5", "1", "IoU"),
    ("soft_targets", "ota_q5 targets=iou"): ("OTA, q = 5", "IoU", "IoU"),
    ("soft_targets", "ota_q5 targets=varifocal"): ("OTA, q = 5", "IoU, a weight too", "IoU"),
    ("paper_tables", "ota_q5 quality=none"): ("OTA, q = 5", "1", "none"),
    ("soft_targets", "ota_q5 targets=iou quality=none"): ("OTA, q = 5", "IoU", "none"),
    ("soft_targets", "ota_q5 targets=varifocal quality=none"): (
        "OTA, q = 5", "IoU, a weight too", "none",
    ),
    ("exchange_parts", "tal"): ("TAL", "1", "IoU"),
    ("soft_targets", "tal targets=iou"): ("TAL", "IoU", "IoU"),
}  # fmt: skip
"""Method, target and quality branch, by study and form."""


@table
def soft_targets() -> str:
    """What a positive's class learns under the FCOS head, by assigner and quality branch."""
    rows = [
        [*words, *(three(_named(study)[form][key]["mean"]) for key in ("AP", "AP50"))]
        for (study, form), words in SOFT.items()
    ]
    return markdown(["method", "a positive's class learns", "quality branch", "AP", "AP50"], rows)


def _named(study: str) -> dict[str, dict[str, Any]]:
    """Metrics of a study's methods by form and settings."""
    return {
        method["label"].removeprefix("exchange_fcos variant="): method["metrics"]
        for method in results(study)["methods"]
    }


ON_CROWD = {
    "ota": "ota", "ota_q5": "ota dynamic_q=5", "simota": "simota",
    "simota_q5": "simota dynamic_q=5",
}  # fmt: skip
"""Names of the finalists in ota_study_crowd_q."""


@table
def exchange_sets() -> str:
    """The finalists on nuclei and in the crowd."""
    nuclei = _methods("nuclei")
    crowd = {method["label"]: method for method in results("ota_study_crowd_q")["methods"]}
    names = {**PARTS, "ota": "OTA, q = 20", "ota_q5": "OTA, q = 5", "simota": "SimOTA, q = 10"}
    keys = ("AP", "APs")
    rows = [
        [names[name], *(spread(nuclei[name]["metrics"][key]) for key in keys),
         *(spread(crowd[ON_CROWD[name]]["metrics"][key]) for key in keys)]
        for name in nuclei
    ]  # fmt: skip
    return markdown(["method", "nuclei AP", "APs", "crowd AP", "APs"], rows)


ABLATION = {
    "fcos quality=none": (1, "FCOS, centre prior", 38.3),
    "fcos quality=centerness": (1, "FCOS, centre prior, centerness", 38.9),
    "fcos_box quality=iou": (1, "FCOS, IoU branch", 38.8),
    "fcos quality=iou": (1, "FCOS, centre prior, IoU branch", 39.5),
    "k10 quality=none": (1, "OTA, centre prior, k = 10", 39.2),
    "k10_box quality=iou": (1, "OTA, IoU branch, k = 10", 39.6),
    "k10 quality=iou": (1, "OTA, centre prior, IoU branch, k = 10", 40.3),
    "ota quality=iou": (1, "OTA, both, dynamic k of q = 20", 40.7),
    "ota_q5 quality=none": (1, "OTA, centre prior, dynamic k of q = 5", None),
    "ota_q5 quality=iou": (1, "OTA, both, dynamic k of q = 5", None),
    "ota_q5 quality=iou head=retinanet anchor_scale=3": (
        1, "OTA, both, q = 5, on RetinaNet (q = 20 in the paper)", 40.7,
    ),
    "min_area quality=iou": (3, "Min Area, then OTA (q = 5; 20 in the paper)", 40.0),
    "max_iou quality=iou": (3, "Max IoU, then OTA", 40.3),
    "min_loss quality=iou": (3, "Min Loss, then OTA", 40.3),
}  # fmt: skip
"""Table and row of the paper and its AP, by form and settings in benchmarks/exchanges.py."""


@table
def exchange_ablation() -> str:
    """The paper's Tables 1 and 3 beside the same in the small runs."""
    found = _named("paper_tables")
    rows = [
        [number, title, "" if wanted is None else rounded(wanted, 1),
         spread(found[name]["AP"], percent), spread(found[name]["AP50"], percent)]
        for name, (number, title, wanted) in ABLATION.items()
    ]  # fmt: skip
    return markdown(["paper's table", "", "AP, paper", "AP, here", "AP50, here"], rows)
