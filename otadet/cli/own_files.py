"""Tell files that otadet has written from others, by what they hold; nothing in them is loaded."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

from otadet.outputs import Inputs, begins_with, check_output

_TAIL = 1 << 22
_EXPORT_MARKS = (b"otadet_export", b"otadet.json")
"""Of an ONNX file's metadata, and of the entry of a torch archive."""


def check_export(output: Path, inputs: Iterable[Path], int8: Path | None) -> None:
    """Check that an export, its report and those of ``int8`` replace older exports alone."""
    known = Inputs(inputs)
    for path in (output, int8):
        if path is not None:
            check_output(path, known, _is_export)
            head = b'{\n  "file": ' + json.dumps(path.name).encode() + b","
            check_output(report_of(path), known, begins_with(head))


def check_checkpoint(output: Path, inputs: Iterable[Path]) -> None:
    """Check that a checkpoint replaces an older one of otadet alone."""
    check_output(output, Inputs(inputs), _is_checkpoint)


def report_of(output: Path) -> Path:
    """Return the file of an export's report."""
    return output.with_name(output.name + ".report.json")


def _is_export(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - _TAIL))
        tail = file.read()
    return any(mark in tail for mark in _EXPORT_MARKS)


def _is_checkpoint(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            name = next((n for n in archive.namelist() if n.endswith("/data.pkl")), None)
            if name is None:
                return False
            with archive.open(name) as file:
                head = file.read(400)
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile):
        return False
    return all(word in head for word in (b"format", b"otadet", b"experiment", b"settings"))
