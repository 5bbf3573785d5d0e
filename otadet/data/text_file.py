"""Read annotation files as text, in the encodings that tools write."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from otadet.data.annotation_table import Floats
from otadet.data.findings import Finding, Part, Spot, found
from otadet.errors import InputError
from otadet.regular_file import read_regular

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
          (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip


class Text(NamedTuple):
    """Content of a text file and the encoding that it was read in."""

    content: str
    encoding: str


def read_text(path: Path) -> str:
    """Read a text file as :func:`read_encoded` does, whatever its encoding."""
    return read_encoded(path).content


def read_encoded(path: Path) -> Text:
    """Read a text file: UTF-8, UTF-16 with a byte order mark, else Latin-1.

    Raises:
        InputError: the file is missing, unreadable, or no text in any of them.
    """
    data = read_regular(path, "annotation file")
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "latin-1"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        # Latin-1 takes any bytes: control characters tell what is no text.
        if encoding != "latin-1" or all(c.isprintable() or c in "\t\r\n\xa0\xad" for c in text):
            return Text(text, encoding)
    raise InputError(f"{path}: expected text in UTF-8, got other bytes")


def encoding_findings(
    encodings: list[str], split: Part, spot: Callable[[int], Spot]
) -> list[Finding]:
    """Return a note on the files that were taken as Latin-1, by index."""
    odd = [index for index, name in enumerate(encodings) if name == "latin-1"]
    return found("encoding", "note", split, odd, "text that is not UTF-8: taken as Latin-1", spot)


def numbers(words: Sequence[str]) -> Floats:
    """Return words as numbers, NaN for other text."""
    try:
        return np.array(list(map(float, words)), np.float64)  # all are, most often
    except ValueError:
        return np.array([_number(word) for word in words], np.float64)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


def read_json(path: Path) -> tuple[Any, str]:
    """Read a JSON file; returns the document and the encoding.

    Raises:
        InputError: the file is missing, unreadable or no JSON (with line and column).
    """
    text, encoding = read_encoded(path)
    try:
        return json.loads(text), encoding
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: broken JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: {json_fault(error)}") from error


def json_fault(error: RecursionError | ValueError) -> str:
    """Say what is wrong with JSON that Python can parse but not hold."""
    if isinstance(error, RecursionError):
        return "JSON is nested too deeply"
    return "expected numbers within 64 bits, got one of thousands of digits"


def shown(value: object) -> str:
    """Format a value for a message, cut to a readable length."""
    try:
        text = repr(value)
    except RecursionError:  # JSON may nest as deeply as this
        return f"a {type(value).__name__} that is nested too deeply"
    return text if len(text) <= 80 else f"{text[:77]}..."
