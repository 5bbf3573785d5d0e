"""Tables of how many points objects ask for, in docs/assignment.md and docs/crowds.md."""

from __future__ import annotations

import statistics
from typing import Any

from page_tables.base import markdown, results, rounded, spread, table, three

SMALL = 16
"""Pixels below which an object is small here."""


@table
def k_by_size() -> str:
    """Points that objects ask for by their size at the end; positives of small objects."""
    rows = results("k_by_size")["tables"]["rows"]
    last = [row for row in rows if row["step"] == max(r["step"] for r in rows)]
    sizes = [*dict.fromkeys((row["from px"], row["to px"]) for row in last)]
    header = [f"{low:g} to {high:g} px" for low, high in sizes]
    lines = []
    for form in dict.fromkeys(row["form"] for row in last):
        mine = {(r["from px"], r["to px"]): r for r in last if r["form"] == form}
        total = {size: r["objects"] * r["positives"] for size, r in mine.items()}
        small = sum(n for (_, high), n in total.items() if high <= SMALL)
        lines.append([
            f"`{form}`", *(rounded(mine[size]["k"], 1) for size in sizes),
            f"{100 * small / sum(total.values()):.0f} %",
        ])  # fmt: skip
    return markdown(
        ["form, k at step 400", *header, f"positives of objects below {SMALL} px"], lines
    )


NAMES = {
    "ota": ("OTA", "its own points", 20),
    "ota dynamic_q=10": ("OTA", "its own points", 10),
    "ota dynamic_q=5": ("OTA", "its own points", 5),
    "ota dynamic_q=3": ("OTA", "its own points", 3),
    "ota_image_k": ("OTA", "all objects' points", 10),
    "simota": ("SimOTA", "all objects' points", 10),
    "simota dynamic_q=5": ("SimOTA", "all objects' points", 5),
    "simota dynamic_q=3": ("SimOTA", "all objects' points", 3),
}


@table
def ota_q() -> str:
    """OTA and SimOTA by the number of IoUs that k sums."""
    found: dict[str, dict[str, Any]] = {
        method["label"]: method for method in results("ota_study_crowd_q")["methods"]
    }
    rows = [
        [*NAMES[name], *(spread(found[name]["metrics"][key]) for key in ("AP", "AP50", "APs"))]
        for name in NAMES
    ]
    return markdown(["method", "IoUs of", "q", "AP", "AP50", "APs"], rows)


@table
def other_detectors() -> str:
    """OTA in other people's detectors beside their own assignment."""
    rows = results("other_detectors")["tables"]["runs"]
    forms = dict.fromkeys((row["detector"], row["assignment"]) for row in rows)
    lines = []
    for form in forms:
        mine = [row for row in rows if (row["detector"], row["assignment"]) == form]
        means = [three(statistics.mean(row[key] for row in mine)) for key in ("AP", "AP50")]
        lines.append([*form, *means, len(mine)])
    return markdown(["detector", "assignment", "AP", "AP50", "seeds"], lines)
