"""The rows of a CSV file as text: separators, quotes, and lines that do not fit."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np

from otadet.data.annotation_table import Floats
from otadet.data.csv_header import NAMES, Column, find_columns
from otadet.data.records import Bools
from otadet.data.text_file import numbers, read_encoded
from otadet.errors import InputError

_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class CsvRows:
    """The columns of a file, of ``R`` rows.

    Attributes:
        path: the file.
        columns: ``R`` texts each, without spaces around; empty ones where there is no such column.
        lines: ``R`` numbers of the lines they end in.
        unfit: line and fields of the rows that have another number of fields than the first.
        encoding: of the text.
    """

    path: Path
    columns: dict[Column, list[str]]
    lines: list[int]
    unfit: list[tuple[int, list[str]]]
    encoding: str

    def filled(self, column: Column) -> Bools:
        """Return ``[R]`` where a column is not empty."""
        return np.array(list(map(bool, self.columns[column])), bool)

    def numbers(self, column: Column) -> Floats:
        """Return a column ``[R]`` of numbers; NaN for an empty field and for text."""
        return numbers([text or "nan" for text in self.columns[column]])


def read_csv_rows(path: Path) -> CsvRows:
    """Read a file; its first row decides on the separator and the columns.

    Raises:
        InputError: the file cannot be read, has no rows or a quote that never ends, or its
            columns are not known.
    """
    text, encoding = read_encoded(path)
    rows, lines = _rows(path, text)
    if not rows:
        raise InputError(f"{path}: expected a box a line, got an empty file")
    names = rows[0]
    places, header = find_columns(names, str(path))
    rows, lines = rows[header:], lines[header:]
    fits = [len(row) == len(names) for row in rows]
    unfit = [(lines[i], rows[i]) for i, fit in enumerate(fits) if not fit]
    rows, lines = list(compress(rows, fits)), list(compress(lines, fits))
    fields = list(zip(*rows)) or [()] * len(names)
    columns = {name: list(map(str.strip, fields[place])) for name, place in places.items()}
    nothing = [""] * len(rows)
    return CsvRows(
        path, {name: columns.get(name, nothing) for name in NAMES}, lines, unfit, encoding
    )


def _rows(path: Path, text: str) -> tuple[list[list[str]], list[int]]:
    """The rows that are not blank, and the numbers of their lines."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if any(map(str.strip, row)):
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: broken CSV: {error}") from error
    return rows, lines
