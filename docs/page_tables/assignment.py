"""Tables of docs/assignment.md and docs/crowds.md."""

from __future__ import annotations

import statistics

from page_tables.base import asset, markdown, mean, results, table, three


@table
def one_part() -> str:
    """OTA with one part of SimOTA at a time."""
    keys = ["positives an object", "points that change", "positives shared",
            "objects without a point"]  # fmt: skip
    rows = [
        [r["assigner"], f"{r[keys[0]]:.2f}", *(r[k] for k in keys[1:])]
        for r in asset("assignment")["one_part_at_a_time"]
        if not r["assigner"].startswith("SimOTA with") or r["assigner"].endswith("match")
    ]
    header = ["assigner", *keys[:2], "positives shared with OTA", keys[3]]
    return markdown(header, rows)


@table
def center_rules() -> str:
    """Good predictions that each rule uses."""
    keys = ("used as positives", "ignored", "positives", "of which good")
    rows = [[r["rule"], *(r[k] for k in keys)] for r in asset("assignment")["ignored_predictions"]]
    return markdown(["rule", *keys], rows)


@table
def methods() -> str:
    """Every method under one network."""
    rows = results("methods")["tables"]["runs"]
    names = sorted({r["method"] for r in rows if r["set"] == "bccd"})
    cells = [
        [f"`{name}`", *(mean(name, of, key) for of in ("bccd", "crowd") for key in ("AP", "AP50"))]
        for name in names
    ]
    cells.sort(key=lambda row: row[1], reverse=True)
    return markdown(["method", "BCCD AP", "AP50", "crowd AP", "AP50"], cells)


@table
def assign_speed() -> str:
    """OTA and Newton beside the dense form."""
    rows = [
        [r["scene"], f"{r['OTA ms']:.1f}", f"{r['Newton ms']:.1f}", f"{r['dense ms']:,.0f}",
         f"{r['times faster']:.0f}x",
         f"{r['OTA MB']:.1f} / {r['dense MB']:,.0f} ({r['times less']:.0f}x)",
         r["points that differ"]] for r in results("assign")["tables"]["main"]
    ]  # fmt: skip
    return markdown(
        ["scene", "OTA", "Newton", "dense", "faster", "memory: OTA / dense", "points that differ"],
        rows,
    )


# docs/crowds.md


def _crowd(method: str, key: str, seed: int | None = None) -> str:
    rows = [r for r in results("crowd")["tables"]["runs"] if r["method"] == method]
    found = [r[key] for r in rows if seed in (None, r["seed"])]
    text = three(statistics.mean(found))
    return text if len(found) == 1 else f"{text} ± {statistics.stdev(found):.3f}"


_CROWD = {"MR": "MR", "CrowdHumanAP": "AP", "JI": "JI", "CrowdHumanRecall": "recall",
          "AP": "COCO's AP"}  # fmt: skip
_METHODS = (
    "OTA, q = 5", "SimOTA, q = 5", "ATSS, anchors of 3 strides", "SimOTA", "FCOS", "OTA",
    "OTA, converged", "ATSS",
)  # fmt: skip
"""By falling AP."""


@table
def crowd() -> str:
    """CrowdHuman's metrics, mean and deviation of the seeds."""
    rows = [[m, *(_crowd(m, key) for key in _CROWD)] for m in _METHODS]
    return markdown(["method", *_CROWD.values()], rows)


@table
def crowd_bins() -> str:
    """AP by overlap with the nearest neighbour."""
    bins = {"0": "0", "0-0.2": "0 to 0.2", "0.2-0.4": "0.2 to 0.4", "0.4-0.6": "0.4 to 0.6",
            "0.6-1": "over 0.6"}  # fmt: skip
    rows = [[m, *(_crowd(m, f"AP_crowd_{key}") for key in bins)] for m in _METHODS]
    return markdown(["method", *bins.values()], rows)


@table
def crowd_parts() -> str:
    """OTA with one part of SimOTA, seed 0."""
    names = ["OTA", *(f"OTA, SimOTA's {p}" for p in ("prior", "cost", "supply")), "SimOTA"]
    rows = [[m, *(_crowd(m, key, seed=0) for key in _CROWD)] for m in names]
    return markdown(["seed 0", *_CROWD.values()], rows)
