"""A form of a data set: how it is written, and what a reader must find in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from otadet.data import ReadOptions
from tests.data.forms.scenes import ALL, NAMES, TRAIN, VAL


@dataclass(frozen=True)
class Form:
    """One form with what it holds.

    Attributes:
        name: which tool or script writes it so.
        write: writes it into a folder.
        findings: number of places by code, both splits together.
        train: the scenes of training; none: those that a division gives it.
        val: the scenes of validation.
        scenes: of both together.
        names: of the classes painted red and green, and of those without objects.
        order: of the classes; none: that of ``names`` in COCO and YOLO, elsewhere the alphabet's.
        ignored: the objects are ignore regions.
        empty: scenes without objects.
        data: what the user names, relative to the folder.
        how: options of reading.
        tolerance: how far a side may be from where it is painted, pixels.
        error: what the message of a refusal holds, a regular expression.
    """

    name: str
    write: Callable[[Path], None]
    findings: Mapping[str, int] = field(default_factory=dict)
    train: tuple[int, ...] | None = TRAIN
    val: tuple[int, ...] | None = VAL
    scenes: tuple[int, ...] = ALL
    names: tuple[str, ...] = NAMES
    order: tuple[str, ...] | None = None
    ignored: bool = False
    empty: tuple[int, ...] = ()
    data: str = ""
    how: ReadOptions = field(default_factory=ReadOptions)
    tolerance: float = 0.01
    error: str | None = None


FORMS: list[Form] = []


def form(name: str, /, **expected: object) -> Callable[[Callable[[Path], None]], None]:
    """Add the decorated writer to :data:`FORMS`."""

    def add(write: Callable[[Path], None]) -> None:
        FORMS.append(Form(name, write, **expected))  # type: ignore[arg-type]

    return add


DIVIDED: dict[str, object] = {"train": None, "val": None}
"""One split only, which the reader divides."""
