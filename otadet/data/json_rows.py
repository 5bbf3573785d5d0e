"""Columns of a list of JSON objects, checked; faulty values become holes and findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from otadet.data.annotation_table import Floats, Ints
from otadet.data.findings import Finding, Part, Severity, Spot, found
from otadet.data.mask_box import mask_box
from otadet.data.text_file import shown

Key = int | str
"""An id: a number, or text that is no number."""

_LARGEST = 1e15
"""Largest number accepted: beyond it float64 no longer tells neighbours apart."""
_NOTHING: Any = object()
_BOX = "four finite numbers [left, top, width >= 0, height >= 0]"


@dataclass
class Rows:
    """Rows of one list, and the findings met while columns were taken from it.

    Attributes:
        rows: the objects; ``{}`` for one that is none.
        spot: where row ``i`` stands, and what is there.
        split: for findings.
        section: name of the list.
        within_key: of the objects that the rows were found in, with a dot.
        findings: of the columns so far.
    """

    rows: list[dict[str, Any]]
    spot: Callable[[int, str], Spot]
    split: Part
    section: str
    within_key: str = ""
    findings: list[Finding] = field(default_factory=list)
    _faulty: set[int] = field(default_factory=set)

    def take(self, rows: list[Any]) -> None:
        """Take ``rows``, with an empty object in place of each that is none."""
        wrong = [i for i, row in enumerate(rows) if type(row) is not dict]
        self.rows = [row if type(row) is dict else {} for row in rows] if wrong else rows
        self._report("value-invalid", wrong, "expected an object", lambda i: shown(rows[i]))
        self._faulty = set(wrong)

    def within(self, key: str) -> Rows:
        """Return the objects under ``key`` of each row, empty ones where it is missing.

        Their findings join those of this list.
        """
        values = self.values(key)
        self.wrong(key, _where(values, lambda v: v is not None and type(v) is not dict),
                   "an object")  # fmt: skip
        rows = [value if type(value) is dict else {} for value in values]
        return Rows(rows, self.spot, self.split, self.section, f"{key}.", self.findings)

    def values(self, key: str, default: Any = None) -> list[Any]:
        """Return the raw column."""
        return [row.get(key, default) for row in self.rows]

    def wrong(
        self, key: str, bad: Sequence[int], expected: str, code: str = "value-invalid"
    ) -> None:
        """Report rows whose ``key`` is not as expected.

        Rows that are no objects have been reported as such.
        """
        bad = [i for i in bad if i not in self._faulty]
        text = f"key {self.within_key + key!r}: expected {expected}"
        self._report(code, bad, text, lambda i: self._value(i, key))

    def repaired(self, code: str, rows: Sequence[int], key: str, text: str) -> None:
        """Report rows whose ``key`` was taken with another meaning than it has as it stands."""
        text = f"key {self.within_key + key!r}: {text}"
        self._report(code, rows, text, lambda i: self._value(i, key), "repaired")

    def keys(self, key: str) -> list[Key | None]:
        """Read a column of ids: numbers, also as text or as 1.0; other text stays text.

        ``None`` for what is none of these, which is reported.
        """
        values = self.values(key)
        if set(map(type, values)) <= {int} and _fit_64_bits(values):
            return values
        keys = [_key(value) for value in values]
        self.wrong(key, _where(keys, lambda k: k is None), "an integer of 64 bits, or text")
        other = [i for i, (k, v) in enumerate(zip(keys, values)) if type(k) is not type(v)]
        changed = [i for i in other if keys[i] is not None]
        self.repaired("id-as-text", changed, key, "written as text or as 1.0: taken as numbers")
        return keys

    def report_doubles(
        self, key: str, keys: Sequence[Key | None], code: str, severity: Severity, text: str
    ) -> None:
        """Report ids that an earlier row has already."""
        if len(set(keys)) == len(keys):
            return
        first: dict[Key | None, int] = {None: -1}
        twice = [i for i, k in enumerate(keys) if first.setdefault(k, i) != i and k is not None]

        def got(index: int) -> str:
            earlier = first[keys[index]]
            at = self.spot(earlier, "").at
            at = f"{self.section}[{earlier}]" if at == self.spot(index, "").at else at
            return f"{key} {keys[index]} again, first in {at}"

        self._report(code, twice, text, got, severity)

    def strings(self, key: str) -> list[str]:
        """Read a column of non-empty text, with an empty text for what is none; reported."""
        values = self.values(key)
        if set(map(type, values)) == {str} and all(values):
            return values
        bad = _where(values, lambda v: type(v) is not str or not v)
        self.wrong(key, bad, "a non-empty string")
        for index in bad:
            values[index] = ""
        return values

    def numbers(
        self, key: str, default: float, expected: str, low: float = 0.0, whole: bool = False,
        among: tuple[float, ...] | None = None,
    ) -> Floats:  # fmt: skip
        """Read finite numbers from ``low`` on, also as text.

        ``default`` where the key is missing, ``null`` or NaN, or wrong, which is reported.
        """
        values = self.values(key)
        kinds = set(map(type, values))
        if kinds <= {type(None)}:
            return np.full(len(values), default)
        if not kinds <= {int, float, bool, type(None)}:
            values = self._parsed(key, values, expected)
        column = float_column([np.nan if value is None else value for value in values])
        good = np.isnan(column) | ((column >= low) & (column <= _LARGEST))
        if whole:
            good &= np.isnan(column) | (
                np.mod(column, 1, where=good, out=np.zeros_like(column)) == 0
            )
        if among is not None:
            good &= np.isnan(column) | np.isin(column, among)
        if not good.all():
            self.wrong(key, np.flatnonzero(~good).tolist(), expected)
        return np.where(good & ~np.isnan(column), column, default)

    def boxes(self, key: str, mask_key: str = "") -> Floats:
        """Read boxes: left, top, width, height.

        Args:
            key: of the four numbers.
            mask_key: of a polygon or run-length encoding, whose box is taken where a row has no
                box of its own.

        Returns:
            ``[K, 4]``; NaN where they are not four finite numbers with sides of at least 0, which
            is reported.
        """
        values = self.values(key)
        if set(map(type, values)) == {list} and set(map(len, values)) == {4}:
            flat = list(chain.from_iterable(values))
            column = float_column(flat) if set(map(type, flat)) <= {int, float} else None
        else:
            column = None
        if column is None:
            column = self._boxes_one_by_one(key, mask_key, values)
        column = column.reshape(-1, 4)
        bad = ~((np.abs(column) <= _LARGEST).all(axis=1) & (column[:, 2:] >= 0).all(axis=1))
        if bad.any():
            column[bad] = np.nan
            self.wrong(key, np.flatnonzero(bad).tolist(), _BOX, "box-invalid")
        return column

    def _boxes_one_by_one(self, key: str, mask_key: str, values: list[Any]) -> Floats:
        column = np.full((len(values), 4), np.nan)
        of_mask: list[int] = []
        as_text: list[int] = []
        for index, value in enumerate(values):
            if mask_key and (value is None or value == []):
                box = mask_box(self.rows[index].get(mask_key))
                if box is not None:
                    column[index] = box
                    of_mask.append(index)
            elif type(value) is list and len(value) == 4:
                sides = [_number(side) for side in value]
                if None not in sides:
                    column[index] = float_column(sides)
                    if str in set(map(type, value)):
                        as_text.append(index)
        self.repaired("box-from-mask", of_mask, key, f"missing: that around {mask_key!r} is taken")
        self.repaired("number-as-text", as_text, key, "numbers written as text")
        return column

    def _parsed(self, key: str, values: list[Any], expected: str) -> list[Any]:
        numbers = [None if value is None else _number(value) for value in values]
        rows = range(len(values))
        self.wrong(key, [i for i in rows if numbers[i] is None and values[i] is not None], expected)
        as_text = [i for i in rows if type(values[i]) is str and numbers[i] is not None]
        self.repaired("number-as-text", as_text, key, "numbers written as text")
        return numbers

    def _value(self, index: int, key: str) -> str:
        value = self.rows[index].get(key, _NOTHING)
        return "" if value is _NOTHING else shown(value)

    def _report(
        self, code: str, rows: Sequence[int], text: str, value: Callable[[int], str],
        severity: Severity = "error",
    ) -> None:  # fmt: skip
        def spot(index: int) -> Spot:
            got = value(index)
            return self.spot(index, f"got {got}" if got else "the key is missing")

        self.findings += found(code, severity, self.split, rows, text, spot)


def look_up(values: Sequence[Key | None], ids: Sequence[Key | None]) -> Ints:
    """Return the index in ``ids`` of each value, the first of doubles; -1 where there is none."""
    if set(map(type, values)) | set(map(type, ids)) <= {int} and ids:
        wanted, known = np.array(values, np.int64), np.array(ids, np.int64)
        order = np.argsort(known, kind="stable")
        place = np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)
        return np.where(known[order[place]] == wanted, order[place], -1).astype(np.int64)
    first: dict[Key | None, int] = {}
    for index, each in enumerate(ids):
        first.setdefault(each, index)
    first[None] = -1
    return np.array([first.get(value, -1) for value in values], np.int64)


def float_column(values: list[Any]) -> Floats:
    """Return numbers as float64, inf for integers beyond its range."""
    try:
        return np.array(values, np.float64)
    except OverflowError:
        return np.array([np.inf if abs(v) > _LARGEST else v for v in values], np.float64)


def _where(values: list[Any], bad: Callable[[Any], bool]) -> list[int]:
    return [index for index, value in enumerate(values) if bad(value)]


def _fit_64_bits(values: list[int]) -> bool:
    return not values or (min(values) >= -(2**63) and max(values) < 2**63)


def _number(value: object) -> float | int | None:
    """A number, or text that is one; else ``None``."""
    if type(value) in (int, float, bool):
        return value  # type: ignore[return-value]
    if type(value) is not str:
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _key(value: object) -> Key | None:
    if type(value) is float and value % 1 == 0:
        value = int(value)
    if type(value) is str:
        text = value.strip()
        try:
            value = int(text) if text.isascii() else text
        except ValueError:
            value = int(text.partition(".")[0]) if _is_whole(text) else text
    if type(value) is int:
        return value if -(2**63) <= value < 2**63 else None
    return value if type(value) is str and value else None


def _is_whole(text: str) -> bool:
    whole, dot, zeros = text.partition(".")
    return bool(dot) and whole.lstrip("-").isdigit() and len(whole) < 20 and set(zeros) <= {"0"}
