"""Tables of OTA's forms under YOLOX's head, in docs/results.md."""

from __future__ import annotations

from typing import Any

from page_tables.base import markdown, results, rounded, spread, table

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
    ]  # fmt: skip
    header = ["assigner", "objects without a point", "positives an object", "mean IoU",
              "positives with IoU below 0.3"]  # fmt: skip
    return markdown(header, rows)
