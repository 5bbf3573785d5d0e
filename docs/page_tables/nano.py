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
    found = _methods("tiny") | _methods("hidden")
    bare = {
        row["assigner"]: f"{row['without a point'] / row['objects']:.0%}"
        for row in results("served")["tables"]["assigners"]
    }
    scores = {
        form: [found[form]["metrics"][name]["values"][0] for name in ("AP", "AP50")]
        for form in HIDDEN
    }
    rows = [
        [HIDDEN[form], *map(three, scores[form]), bare.get(form, "")]
        for form in sorted(HIDDEN, key=lambda form: -scores[form][0])
    ]
    return markdown(["form, q = 5", "AP", "AP50", "objects without a point"], rows)


LONGER = {"nuclei": "nuclei", "bccd": "BCCD"}


@table
def nano_longer() -> str:
    """AP of SimOTA by q in runs of 150 steps and of three times as many; the first seed."""
    rows = []
    for name, shown in LONGER.items():
        short, longer = _methods(name), _methods(f"{name}_longer")
        for form in ("simota_q5", "simota"):
            values = (each[form]["metrics"]["AP"]["values"][0] for each in (short, longer))
            rows.append([shown, FORMS[form][2], *map(three, values)])
    return markdown(["data", "q", "AP, 150 steps", "450 steps"], rows)


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
