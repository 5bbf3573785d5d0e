"""Columns out of JSON objects of which some are wrong: the right ones, and who the others are.

What counts as right is what :class:`otadet.data.json_rows.Rows` accepts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from otadet.data.annotation_table import Floats, Ints
from otadet.data.findings import Finding, Part, Spot, found
from otadet.data.json_rows import shown

_LARGEST = 1e15  # as otadet.data.json_rows has it
_NOTHING: Any = object()


@dataclass
class Loose:
    """Rows of one list, and the faults met while columns were taken from it.

    Attributes:
        rows: the objects; ``{}`` for one that is none.
        spot: where row ``i`` stands, and what is there.
        part: split, for findings.
        section: what messages call the list.
        findings: of the columns so far.
    """

    rows: list[dict[str, Any]]
    spot: Callable[[int, str], Spot]
    part: Part
    section: str
    findings: list[Finding] = field(default_factory=list)
    _objects: set[int] | None = None

    def drop_others(self, rows: list[Any]) -> None:
        """Take ``rows``, with an empty object in place of each that is none."""
        wrong = [i for i, row in enumerate(rows) if type(row) is not dict]
        self.rows = [row if type(row) is dict else {} for row in rows] if wrong else rows
        text = f"{self.section}: expected an object, got something else"
        self.findings += found(
            "value-invalid", "error", self.part, wrong, text,
            lambda i: self.spot(i, f"got {shown(rows[i])}"),
        )  # fmt: skip
        self._objects = None if not wrong else set(range(len(rows))) - set(wrong)

    def values(self, key: str, default: Any = None) -> list[Any]:
        """Return the raw column."""
        return [row.get(key, default) for row in self.rows]

    def wrong(self, key: str, bad: list[int], expected: str, code: str = "value-invalid") -> None:
        """Report rows whose ``key`` is not as expected.

        Rows that are no objects have been reported as such.
        """
        if self._objects is not None:
            bad = [i for i in bad if i in self._objects]
        self.findings += found(
            code, "error", self.part, bad, f"{self.section}, key {key!r}: expected {expected}",
            lambda i: self.spot(i, self._got(i, key)),
        )  # fmt: skip

    def _got(self, index: int, key: str) -> str:
        value = self.rows[index].get(key, _NOTHING)
        return "the key is missing" if value is _NOTHING else f"got {shown(value)}"

    def integers(self, key: str) -> tuple[Ints, list[int]]:
        """Read the column, -1 for what is no integer of 64 bits, and where; it is reported."""
        values = self.values(key)
        bad: list[int] = []
        if set(map(type, values)) <= {int}:
            try:
                return np.array(values, np.int64), bad
            except OverflowError:
                pass
        bad = [i for i, v in enumerate(values) if type(v) is not int or abs(v) >= 2**63]
        for index in bad:
            values[index] = -1
        self.wrong(key, bad, "an integer")
        return np.array(values, np.int64), bad

    def unique(self, key: str, code: str) -> Ints:
        """Read a column as :meth:`integers`; duplicates are reported under ``code``."""
        column, bad = self.integers(key)
        good = np.setdiff1d(np.arange(len(column)), bad)
        order = good[np.argsort(column[good], kind="stable")]
        twice = np.sort(order[1:][np.diff(column[order]) == 0])
        first = {int(column[i]): int(i) for i in order[::-1]}
        self.findings += found(
            code, "error", self.part, twice, f"{self.section}: the same id more than once",
            lambda i: self.spot(
                i, f"{key} {column[i]} again, first in {self.section}[{first[int(column[i])]}]"
            ),
        )  # fmt: skip
        return column

    def strings(self, key: str) -> list[str]:
        """Read the column with an empty text for what is none; reported."""
        values = self.values(key)
        bad = [i for i, v in enumerate(values) if type(v) is not str or not v]
        for index in bad:
            values[index] = ""
        self.wrong(key, bad, "a non-empty string")
        return values

    def numbers(
        self, key: str, default: float, expected: str, low: float = 0.0, whole: bool = False,
        among: tuple[float, ...] | None = None,
    ) -> Floats:  # fmt: skip
        """Read finite numbers from ``low``; ``default`` where missing, ``null`` or wrong."""
        values = self.values(key)
        if set(map(type, values)) <= {type(None)}:
            return np.full(len(values), default)
        bad = [
            i
            for i, v in enumerate(values)
            if v is not None
            and not (
                type(v) in (int, float, bool)
                and low <= v <= _LARGEST
                and not (whole and v % 1)
                and (among is None or v in among)
            )
        ]
        for index in bad:
            values[index] = None
        self.wrong(key, bad, expected)
        return np.array([default if v is None else v for v in values], np.float64)

    def boxes(self, key: str) -> Floats:
        """Return boxes ``[K, 4]``: left, top, width, height.

        NaN where they are not four finite numbers with sides of at least 0, which is reported.
        """
        values = self.values(key)
        if set(map(type, values)) == {list} and set(map(len, values)) == {4}:
            flat = list(chain.from_iterable(values))
            all_right = set(map(type, flat)) <= {int, float}
        else:
            flat, all_right = [], False
        if all_right:
            column = _floats(flat).reshape(-1, 4)
        else:
            column = np.full((len(values), 4), np.nan)
            for index, value in enumerate(values):
                if type(value) is list and len(value) == 4:
                    numbers = set(map(type, value)) <= {int, float}
                    column[index] = _floats(value) if numbers else np.nan
        bad = ~((np.abs(column) <= _LARGEST).all(axis=1) & (column[:, 2:] >= 0).all(axis=1))
        column[bad] = np.nan
        expected = "four finite numbers [left, top, width >= 0, height >= 0]"
        self.wrong(key, np.flatnonzero(bad).tolist(), expected, "box-invalid")
        return column


def _floats(values: list[Any]) -> Floats:
    try:
        return np.array(values, np.float64)
    except OverflowError:  # an integer beyond the range of float64
        return np.array([v if abs(v) <= _LARGEST else np.inf for v in values], np.float64)


def places_of(values: Ints, ids: Ints) -> Ints:
    """Index in ``ids`` of each value, the first of doubles; -1 where there is none."""
    if not len(ids):
        return np.full(len(values), -1, np.int64)
    order = np.argsort(ids, kind="stable")
    place = np.minimum(np.searchsorted(ids[order], values), len(ids) - 1)
    return np.where(ids[order[place]] == values, order[place], -1).astype(np.int64)
