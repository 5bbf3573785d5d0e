"""Tables of docs/auto.md: how a given time is kept, and what AP it buys."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from page_tables.base import Cells, markdown, over_seeds, results, table

_SETS = {"bccd": "BCCD", "nuclei": "nuclei"}
_METHODS = {
    "auto": "`--minutes`",
    "finetune_nano": "`finetune_nano`",
    "pixeltable-yolox": "pixeltable-yolox",
    "libreyolo": "LibreYOLO",
}
Row = dict[str, Any]


def _runs() -> list[Row]:
    """Runs that did not fail, by set, minutes, method, company and seed."""
    known = [r for r in results("minutes")["tables"]["runs"]
             if r["data"] in _SETS and "error" not in r]  # fmt: skip
    return sorted(known, key=lambda r: (*_group(r), r["shared"], r["seed"]))


def _group(run: Row) -> tuple[int, float, int, str]:
    """Place of a set, its minutes, its method and the setting behind it."""
    method, _, setting = run["method"].partition(":")
    return (list(_SETS).index(run["data"]), run["minutes"], list(_METHODS).index(method), setting)


def _given(run: Row) -> str:
    """The setting behind its method."""
    _, _, setting = run["method"].partition(":")
    return f"`{setting}`" if setting else ""


def _name(run: Row) -> str:
    return f"{_METHODS[run['method'].split(':')[0]]} {_given(run)}".strip()


@table
def minutes() -> str:
    """How well ``--minutes`` keeps its time."""
    rows: list[Cells] = [
        [_SETS[r["data"]], f"{r['minutes']:g}", _given(r), "yes" if r["shared"] else "no",
         r["load_before"], f"{r['seconds']:.0f}", f"{100 * r['kept']:+.1f} %", r["steps"]]
        for r in _runs() if r["method"].startswith("auto")
    ]  # fmt: skip
    return _measured(["data", "minutes", "given", "one process more", "load before", "seconds",
                      "over the time", "steps"], rows)  # fmt: skip


@table
def minutes_ap() -> str:
    """What AP the minutes buy, of runs that had a core to themselves."""
    alone = [r for r in _runs() if not r["shared"]]
    rows = [_mean_row(list(seeds)) for _, seeds in groupby(alone, _group)]
    return _measured(["data", "minutes", "method", "seeds", "AP", "AP50", "steps", "seconds"], rows)


@table
def minutes_beside() -> str:
    """README: AP of the four methods after eight minutes of one core."""
    eight = [r for r in _runs() if r["minutes"] == 8 and not r["shared"]]
    rows = [
        [shown, *(over_seeds([r["AP"] for r in eight if (r["data"], r["method"]) == (name, method)])
                  for method in _METHODS)]
        for name, shown in _SETS.items()
    ]  # fmt: skip
    return markdown(["AP after 8 minutes of one core", *_METHODS.values()], rows)


def _measured(header: Cells, rows: list[Cells]) -> str:
    """Format a table, or say that its runs are still to come."""
    return markdown(header, rows) if rows else "Not measured yet.\n"


def _mean_row(seeds: list[Row]) -> Cells:
    """One line of runs that differ in the seed."""
    first = seeds[0]
    means = [f"{sum(r[key] for r in seeds) / len(seeds):.0f}" for key in ("steps", "seconds")]
    scores = [over_seeds([r[key] for r in seeds]) for key in ("AP", "AP50")]
    return [_SETS[first["data"]], f"{first['minutes']:g}", _name(first),
            len(seeds), *scores, *means]  # fmt: skip
