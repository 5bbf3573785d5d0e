"""Tables of docs/compare.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otadet.compare.result import Pair
from otadet.compare.wording import verdict
from page_tables.base import markdown, percent, results, spread, table

_SETS = ("nuclei", "crowd")


def _methods() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in _SETS:
        for method in results(f"compare_{name}")["methods"]:
            yield name, method


@table
def compared() -> str:
    """AP of four methods on two sets."""
    rows = [
        [name, f"`{m['label']}`", m["steps"],
         *(spread(m["metrics"][key], percent) for key in ("AP", "AP50", "AP alone", "AP crowded"))]
        for name, m in _methods()
    ]  # fmt: skip
    return markdown(["set", "method", "steps", "AP", "AP50", "alone", "crowded"], rows)


@table
def compared_pairs() -> str:
    """What is shown of each pair."""
    rows = [
        [name, verdict(Pair(**{**pair, "seeds": tuple(pair["seeds"])}))]
        for name in _SETS
        for pair in results(f"compare_{name}")["pairs"]
        if pair["metric"] == "AP"
    ]
    return markdown(["set", "what is shown"], rows)
