"""Extract and check columns of a list of JSON objects; errors name the faulty object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from otadet.data.annotation_table import Floats, Ints
from otadet.errors import InputError

_LARGEST = 1e15
"""Largest number accepted: beyond it float64 no longer tells neighbours apart."""


def load_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        InputError: the file is missing, unreadable, no JSON (with line and column), or a list.
    """
    text = read_text(path)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: broken JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except RecursionError as error:
        raise InputError(f"{path}: JSON is nested too deeply") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected a JSON object, got {shown(document)}")
    return document


def read_text(path: Path) -> str:
    """Read an annotation file in UTF-8, with or without a byte order mark.

    Raises:
        InputError: the file is missing, unreadable, or not in UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: annotation file not found") from None
    except OSError as error:
        raise InputError(f"{path}: annotation file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected text in UTF-8, got other bytes") from error


def shown(value: object) -> str:
    """Format a value for a message, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


@dataclass(frozen=True)
class Rows:
    """One list of the file, for example all annotations.

    Attributes:
        path: the file.
        section: the list's key.
        kind: what one row is called in messages.
        rows: the JSON objects.
    """

    path: Path
    section: str
    kind: str
    rows: list[dict[str, Any]]

    @staticmethod
    def of(path: Path, document: dict[str, Any], section: str, kind: str) -> Rows:
        """Read the list ``document[section]``; InputError where it is not a list of objects."""
        if section not in document:
            found = ", ".join(sorted(document)) or "nothing"
            raise InputError(f"{path}: key {section!r} is missing (found: {shown(found)[1:-1]})")
        rows = document[section]
        if not isinstance(rows, list):
            raise InputError(f"{path}: key {section!r}: expected a list, got {shown(rows)}")
        for index, row in enumerate(rows):
            if type(row) is not dict:
                raise InputError(
                    f"{path}: {section}[{index}]: expected an object, got {shown(row)}"
                )
        return Rows(path, section, kind, rows)

    def fault(self, index: int, key: str, expected: str) -> InputError:
        """Return the error that ``key`` of row ``index`` is not as ``expected``."""
        row = self.rows[index]
        got = f"got {shown(row[key])}" if key in row else "the key is missing"
        return InputError(f"{self.where(index)}, key {key!r}: expected {expected}, {got}")

    def where(self, index: int) -> str:
        """Return the file and the row, by its ids where it has them."""
        row = self.rows[index]
        name = f"{self.kind} id {shown(row['id'])}" if "id" in row else f"{self.section}[{index}]"
        image = f" (image id {shown(row['image_id'])})" if "image_id" in row else ""
        return f"{self.path}: {name}{image}"

    def check(
        self, values: Iterable[object], good: Callable[[Any], bool], key: str, expected: str
    ) -> None:
        """Raise :meth:`fault` for the first of ``values`` that is not ``good``."""
        for index, value in enumerate(values):
            if not good(value):
                raise self.fault(index, key, expected)

    def integers(self, key: str) -> Ints:
        """Read an int64 column; a missing key, another type or more than 64 bits is an error."""
        expected = "an integer"
        values = [row.get(key) for row in self.rows]
        if any(kind is not int for kind in set(map(type, values))):
            self.check(values, lambda v: type(v) is int, key, expected)
        try:
            return np.array(values, np.int64)
        except OverflowError:
            self.check(values, lambda v: abs(v) < 2**63, key, f"{expected} of 64 bits")
            raise

    def unique_integers(self, key: str) -> Ints:
        """Read a column as :meth:`integers`, in which every number occurs once."""
        column = self.integers(key)
        order = np.argsort(column, kind="stable")
        twice = np.flatnonzero(np.diff(column[order]) == 0)
        if len(twice):
            first, second = order[twice[0]], order[twice[0] + 1]
            raise InputError(
                f"{self.path}: {self.kind} id {column[second]} is a duplicate: expected "
                f"unique ids, got the same for {self.section}[{first}] and {self.section}[{second}]"
            )
        return column

    def strings(self, key: str) -> list[str]:
        """Read a column of non-empty strings."""
        values: list[str] = [row.get(key, "") for row in self.rows]
        if any(type(value) is not str or not value for value in values):
            self.check(values, lambda v: type(v) is str and v != "", key, "a non-empty string")
        return values

    def numbers(self, key: str, default: float, expected: str, *, low: float = 0.0) -> Floats:
        """Read a float64 column of finite numbers from ``low``, ``default`` where missing.

        A missing key and ``null`` both count as none.
        """
        values = [row.get(key) for row in self.rows]
        absent = np.array([value is None for value in values], bool)
        values = [default if value is None else value for value in values]
        if not set(map(type, values)) <= {int, float, bool}:
            self.check(values, lambda v: type(v) in (int, float, bool), key, expected)
        column = _float_column(values)
        good = absent | ((column >= low) & (column <= _LARGEST))
        if not good.all():
            raise self.fault(int(np.argmin(good)), key, expected)
        return column

    def boxes(self, key: str) -> Floats:
        """Return ``[K, 4]`` float64 left, top, width, height: finite, no side negative."""
        expected = "four finite numbers [left, top, width >= 0, height >= 0]"
        values = [row.get(key) for row in self.rows]
        if not set(map(type, values)) <= {list} or not {len(v) for v in values if v} <= {4}:
            self.check(values, lambda v: type(v) is list and len(v) == 4, key, expected)
        flat: list[Any] = list(chain.from_iterable(values))  # type: ignore[arg-type]
        if len(flat) != 4 * len(values) or not set(map(type, flat)) <= {int, float}:
            self.check(
                values,
                lambda v: len(v) == 4 and all(type(n) in (int, float) for n in v),
                key,
                expected,
            )
        column = _float_column(flat).reshape(-1, 4)
        good = (np.abs(column) <= _LARGEST).all(axis=1) & (column[:, 2:] >= 0).all(axis=1)
        if not good.all():
            raise self.fault(int(np.argmin(good)), key, expected)
        return column


def _float_column(values: list[Any]) -> Floats:
    try:
        return np.array(values, np.float64)
    except OverflowError:  # an integer beyond the range of float64
        return np.array([v if abs(v) <= _LARGEST else np.inf for v in values], np.float64)
