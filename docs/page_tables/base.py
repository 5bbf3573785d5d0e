"""What the tables share: reading the JSON files, rounding, Markdown, and the list of tables."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Cells = Sequence[object]
TABLES: dict[str, Callable[[], str]] = {}


def table(make: Callable[[], str]) -> Callable[[], str]:
    """Register a function that makes the table of its name."""
    TABLES[make.__name__] = make
    return make


def markdown(header: Cells, rows: Iterable[Cells]) -> str:
    """Format a table as GitHub and MyST read it."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def results(name: str) -> dict[str, Any]:
    """Read one file of ``benchmarks/results``."""
    found: dict[str, Any] = json.loads(
        (ROOT / f"benchmarks/results/{name}_cpu.json").read_text(encoding="utf-8")
    )
    return found


def asset(name: str) -> dict[str, Any]:
    """Read one JSON file of ``docs/assets``."""
    found: dict[str, Any] = json.loads(
        (ROOT / f"docs/assets/{name}.json").read_text(encoding="utf-8")
    )
    return found


def runs(name: str, key: str = "row") -> dict[str, dict[str, Any]]:
    """Rows of a file by name."""
    return {run[key]: run for run in results(name)["tables"]["runs"]}


def rounded(value: float, digits: int) -> str:
    """Format a number, halves of the decimal that the file holds away from zero."""
    number = Decimal(repr(round(value, 6)))  # 100 * 0.2835 is 28.349999999999998
    return str(number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def three(value: float) -> str:
    """Format a score."""
    return rounded(value, 3)


def spread(metric: dict[str, Any], form: Callable[[float], str] = three) -> str:
    """Format mean and deviation of a metric of a comparison; of one seed there is none."""
    if metric["deviation"] is None:
        return form(metric["mean"])
    return f"{form(metric['mean'])} ± {form(metric['deviation'])}"


def over_seeds(values: Sequence[float]) -> str:
    """Format a score's mean over seeds, with its deviation where there are several."""
    if len(values) == 1:
        return three(values[0])
    return f"{three(statistics.mean(values))} ± {three(statistics.stdev(values))}"


def percent(value: float) -> str:
    """Format a share as a score of 0 to 100."""
    return rounded(100 * value, 1)


def mean(method: str, of: str, key: str) -> str:
    """Average a metric of ``benchmarks/methods.py`` over the seeds."""
    rows = results("methods")["tables"]["runs"]
    found = [r[key] for r in rows if (r["set"], r["method"]) == (of, method)]
    return three(statistics.mean(found))
