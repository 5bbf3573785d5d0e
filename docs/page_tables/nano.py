"""Tables of OTA's forms under YOLOX's head, in docs/results.md."""

from __future__ import annotations

from typing import Any

from page_tables.base import markdown, results, rounded, spread, table, three

FORMS = {
    "simota": ("SimOTA", "1.5 strides, beyond the box", 10),
    "simota_q5": ("SimOTA", "1.5 strides, beyond the box", 5),
    "simota_q5_repaired": ("SimOTA, every object a point", "1.5 strides, beyond the box", 5),
    "ota": ("OTA", "2.5 strides, inside the box", 20),
    "ota_q10": ("OTA", "2.5 strides, inside the box", 10),
    "ota_q5": ("OTA", "2.5 strides, inside the box", 5),
    "ota_wide_q10": ("OTA", "1.5 strides, beyond the box", 10),
    "ota_wide_q5": ("OTA", "1.5 strides, beyond the box", 5),
    "ota_raised_q10": ("OTA", "2.5 strides, inside the box raised to 16 px", 10),
    "ota_raised_q5": ("OTA", "2.5 strides, inside the box raised to 16 px", 5),
}
"""Matcher, prior and q by name in benchmarks/exchanges.py."""

SETS = ("nuclei", "tiny", "sparse", "bccd")


def _methods(name: str) -> dict[str, dict[str, Any]]:
    found = results(f"nano_{name}")["methods"]
    return {method["label"].removeprefix("exchange_nano variant="): method for method in found}


@table
def nano_forms() -> str:
    """AP of a short fine-tuning by form and set, by falling AP on nuclei."""
    by_set = {name: _methods(name) for name in SETS}
    order = sorted(FORMS, key=lambda form: -_mean(by_set["nuclei"].get(form)))
    rows = [
        [*FORMS[form], *(_score(found.get(form)) for found in by_set.values())] for form in order
    ]
    return markdown(["method", "prior", "q", "nuclei", "tiny", "tiny, fewer", "BCCD"], rows)


def _mean(method: dict[str, Any] | None) -> float:
    return 0.0 if method is None else float(method["metrics"]["AP"]["mean"])


def _score(method: dict[str, Any] | None) -> str:
    return "" if method is None else spread(method["metrics"]["AP"])


def _first(method: dict[str, Any], *keys: str) -> list[str]:
    """Scores of the first seed."""
    return [three(method["metrics"][key]["values"][0]) for key in keys]


HIDDEN = {
    "simota_q5": "SimOTA",
    "simota_q5_repaired": "SimOTA, every object a point",
    "simota_nwd": "SimOTA, NWD in place of IoU in its cost",
    "ota_wide_q5": "OTA",
    "free": "OTA, points cost nothing as background",
    "free_unbalanced": "OTA, unbalanced (KL divergence x 10)",
    "free_partial": "OTA, partial: a price at most",
    "free_partial_own": "OTA, partial, among an object's k cheapest points",
    "eps:0.02": "OTA, eps = 0.02 (0.1 as published)",
    "eps:1": "OTA, eps = 1",
    "cost:nwd": "OTA, NWD in place of IoU in its cost",
}


@table
def nano_hidden() -> str:
    """Forms that may leave labels unserved, on tiny objects that hide each other; one seed."""
    found = _methods("tiny") | _methods("hidden") | _methods("unserved")
    bare = {
        row["assigner"]: f"{row['without a point'] / row['objects']:.0%}"
        for row in results("served")["tables"]["assigners"]
    }
    order = sorted(HIDDEN, key=lambda form: -found[form]["metrics"]["AP"]["values"][0])
    rows = [
        [HIDDEN[form], *_first(found[form], "AP", "AP50"), bare.get(form, "")] for form in order
    ]
    return markdown(["form, q = 5", "AP", "AP50", "objects without a point"], rows)


SOFT = {
    "simota": "SimOTA, q = 10", "simota_q5": "SimOTA, q = 5",
    "ota_wide_q5": "OTA, q = 5, SimOTA's prior",
}  # fmt: skip

OTHERS = {
    ("atss:3", "atss:1", "atss:3"): "ATSS, anchors of the objects' size",
    ("fcos",) * 3: "FCOS",
    ("tal",) * 3: "TAL",
}
"""Forms by set, of one seed."""


@table
def nano_soft() -> str:
    """What objectness learns, by assigner and set."""
    sets = ("nuclei", "tiny", "bccd")
    hard, soft = ([_methods(f"{kind}{name}") for name in sets] for kind in ("", "soft_"))
    rows = []
    for form, shown in SOFT.items():
        rows.append([shown, "1", *(_score(found.get(form)) for found in hard)])
        rows.append(
            [shown, "IoU", *(_score(found.get(f"{form} objectness=iou")) for found in soft)]
        )
    others = [_methods(f"others_{name}") for name in sets]
    for forms, shown in OTHERS.items():
        found = [_score(each[f"{form} objectness=iou"]) for form, each in zip(forms, others)]
        rows.append([shown, "IoU", *found])
    return markdown(["method", "objectness learns", "nuclei", "tiny", "BCCD"], rows)


MORE = {
    "simota_q5": "SimOTA, q = 5",
    "simota_q3": "SimOTA, q = 3",
    "simota_q5_alpha1": "SimOTA, IoU x 1 in the cost (3 as published)",
    "simota_q5_alpha6": "SimOTA, IoU x 6 in the cost",
    "simota_q5_rtmdet": "SimOTA, RTMDet's cost",
    "simota_q5 objectness=iou": "SimOTA, objectness learns the IoU (1 as published)",
    "simota_q5 objectness=square": "SimOTA, objectness learns the IoU squared",
    "simota_q5 objectness=relative": "SimOTA, objectness the IoU relative to the object's best",
    "simota_q5 classes=one": "SimOTA, classes learn 1 (the IoU as published)",
    "simota_q5 objectness=iou classes=one": "SimOTA, objectness the IoU and classes 1",
    "atss": "ATSS",
    "atss:3": "ATSS, anchors of 3 strides",
    "atss:3 objectness=iou": "ATSS, anchors of 3 strides, objectness learns the IoU",
    "tal": "TAL",
    "tal objectness=iou": "TAL, objectness learns the IoU",
    "fcos": "FCOS",
    "fcos objectness=iou": "FCOS, objectness learns the IoU",
}


@table
def nano_more() -> str:
    """Other methods, costs and targets under YOLOX's head; nuclei, one seed, by falling AP."""
    found = _methods("more_nuclei") | _methods("goals") | _methods("others_nuclei")
    keys = ("AP", "AP50", "AP75")
    order = sorted(MORE, key=lambda form: -_mean(found[form]))
    return markdown(["form", *keys], [[MORE[form], *_first(found[form], *keys)] for form in order])


@table
def nano_coco() -> str:
    """The default and its OTA beside SimOTA as published, on 256 images of COCO; one seed."""
    names = {
        "simota": "SimOTA, q = 10, objectness learns 1",
        "simota_q5 objectness=iou": "SimOTA, q = 5, the IoU",
        "ota_wide_q5 objectness=iou": "OTA, q = 5, SimOTA's prior, the IoU",
    }
    found = _methods("coco")
    keys = ("AP", "AP50", "APs")
    rows = [[shown, *_first(found[form], *keys)] for form, shown in names.items()]
    return markdown(["method", *keys], rows)


LONGER = {"nuclei": "nuclei", "bccd": "BCCD"}


@table
def nano_longer() -> str:
    """AP in runs of 150 steps and of three times as many; the first seed."""
    rows = []
    for name, shown in LONGER.items():
        short, longer = _methods(name), _methods(f"{name}_longer")
        if name == "nuclei":
            short, longer = short | _methods("soft_nuclei"), longer | _methods("soft_longer")
        for label in longer:
            form = label.removesuffix(" objectness=iou")
            method, _, q = FORMS[form]
            target = "1" if label == form else "IoU"
            scores = [*_first(short[label], "AP"), *_first(longer[label], "AP")]
            rows.append([shown, method, q, target, *scores])
    header = ["data", "method", "q", "objectness learns", "AP, 150 steps", "450 steps"]
    return markdown(header, rows)


@table
def served() -> str:
    """Points that objects get from some forms, on the same predictions."""
    names = {
        "simota": "SimOTA, q = 10", "simota_q5": "SimOTA, q = 5",
        "simota_q5_repaired": "SimOTA, q = 5, every object a point",
        "ota_q5": "OTA, q = 5", "ota_wide_q5": "OTA, q = 5, SimOTA's prior",
    }  # fmt: skip
    rows = [
        [names[row["assigner"]], f"{row['without a point'] / row['objects']:.0%}",
         rounded(row["positives an object"], 2), rounded(row["mean IoU"], 2),
         f"{row['IoU below 0.3']:.0%}"]
        for row in results("served")["tables"]["assigners"]
        if row["assigner"] in names
    ]  # fmt: skip
    header = ["assigner", "objects without a point", "positives an object", "mean IoU",
              "positives with IoU below 0.3"]  # fmt: skip
    return markdown(header, rows)
