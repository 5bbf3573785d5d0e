"""Streaming writer of detections as COCO JSON or CSV; the file is renamed when complete."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Literal

from otadet.atomic import atomic_path
from otadet.data import Classes
from otadet.errors import InputError
from otadet.outputs import Inputs, check_output
from otadet.texts import csv_text
from otadet.types import Detections

Kind = Literal["json", "csv"]

COLUMNS = (
    "image_id", "file_name", "frame", "label", "score", "x1", "y1", "x2", "y2",
)  # fmt: skip
"""Columns of the CSV file; boxes in pixels of the image."""


class ResultsWriter:
    """Writes detections one by one; the file gets its name when it is complete.

    JSON is COCO's list of results: ``image_id``, ``category_id``, ``bbox`` as x, y, width and
    height, and ``score``; beside them ``file_name``, ``category_name`` and, for videos, ``frame``
    from 0.
    CSV has the columns :data:`COLUMNS`, ``frame`` empty for images.

    Use it as a context manager; after an error there is no file.

    Args:
        path: the file; its folder must exist.
        kind: format of the file.
        classes: names, and ids for JSON.
        inputs: of the command, never replaced.
        guard: put ``'`` in front of names in CSV that a spreadsheet would take for a formula.

    Raises:
        InputError: it cannot be written there, or would replace a file that is no such table.
    """

    def __init__(
        self,
        path: Path,
        kind: Kind,
        classes: Classes,
        inputs: Inputs | None = None,
        guard: bool = True,
    ) -> None:
        if path.is_dir() or not path.parent.is_dir():
            problem = "is a folder" if path.is_dir() else f"the folder {path.parent} does not exist"
            raise InputError(f"{path}: {problem}; expected the name of a file")
        check_output(path, inputs or Inputs(), _is_csv if kind == "csv" else _is_json)
        self.path = path
        self.kind = kind
        self.class_names = classes.names
        self.category_ids = classes.category_ids
        self.count = 0
        self._guard = guard
        self._open = ExitStack()
        try:
            part = self._open.enter_context(atomic_path(path))
            file = part.open("w", newline="", encoding="utf-8")
            self._file: IO[str] = self._open.enter_context(file)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error
        self._csv = csv.writer(self._file)
        if kind == "csv":
            self._csv.writerow(COLUMNS)

    def add(self, found: Detections, image_id: int, name: str, frame: int | None = None) -> None:
        """Write the detections of an image or video frame, image frame, on the CPU."""
        for box, score, label in zip(
            found.boxes.tolist(), found.scores.tolist(), found.labels.tolist()
        ):
            if self.kind == "csv":
                numbers = [f"{v:.2f}" for v in box]
                number = "" if frame is None else frame
                names = [csv_text(each, self._guard) for each in (name, self.class_names[label])]
                self._csv.writerow([image_id, names[0], number, names[1], f"{score:.6f}", *numbers])
            else:
                row = self._row(box, score, label, image_id, name, frame)
                self._file.write(("[\n" if self.count == 0 else ",\n") + json.dumps(row))
            self.count += 1

    def _row(
        self,
        box: list[float],
        score: float,
        label: int,
        image_id: int,
        name: str,
        frame: int | None,
    ) -> dict[str, Any]:
        x1, y1, x2, y2 = box
        return {
            "image_id": image_id,
            "category_id": self.category_ids[label],
            "bbox": [round(v, 3) for v in (x1, y1, x2 - x1, y2 - y1)],
            "score": round(score, 6),
            "file_name": name,
            "category_name": self.class_names[label],
            **({} if frame is None else {"frame": frame}),
        }

    def __enter__(self) -> ResultsWriter:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._open.__exit__(type(error), error, error.__traceback__)
            return
        with self._open:
            if self.kind == "json":
                self._file.write("\n]\n" if self.count else "[]\n")


def _is_csv(path: Path) -> bool:
    """Whether a file has this table's header."""
    with path.open("rb") as file:
        return file.readline(200).rstrip() == ",".join(COLUMNS).encode()


_ROW = re.compile(
    rb'\[\n\{"image_id": -?\d+, "category_id": -?\d+, "bbox": \[[^]]*\], "score": [^,]+, '
    rb'"file_name": "'
)


def _is_json(path: Path) -> bool:
    """Whether a file begins with a row as it is written here, or is an empty list."""
    with path.open("rb") as file:
        head = file.read(400)
    return head == b"[]\n" or _ROW.match(head) is not None


def image_ids(names: Sequence[str]) -> list[int]:
    """Choose image ids: the file names where all are different numbers, as COCO's; else 1, 2, ...

    Args:
        names: of the files.
    """
    stems = [Path(name).stem for name in names]
    if all(stem.isascii() and stem.isdigit() for stem in stems) and len(set(stems)) == len(stems):
        return [int(stem) for stem in stems]
    return list(range(1, len(names) + 1))
