"""Origin and licences of weights that are passed on, as text in their file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from otadet.schema import record, text
from otadet.texts import one_line

LONGEST = 500
"""Most characters of each entry."""


@dataclass(frozen=True)
class Provenance:
    """Where weights come from, and under which licences they may be used.

    Attributes:
        licence: of the weights, as an SPDX identifier.
        origin: the weights that training started from, their copyright and licence.
        data: name and address of the training data.
        data_licence: of the data, as an SPDX identifier.
        data_copyright: line that this licence asks to pass on.
        training: command, date and versions.
        evaluation: the data on which the checkpoint's metrics were measured.
    """

    licence: str
    origin: str
    data: str
    data_licence: str
    data_copyright: str
    training: str
    evaluation: str

    def __str__(self) -> str:
        data = self.data.split(",")[0]
        shown = f"{self.licence}, trained on {data} ({self.data_licence})"
        return f"weights {one_line(shown, LONGEST)}"

    @staticmethod
    def load(entries: dict[str, Any]) -> Provenance:
        """Make it from the entries of a file, which were checked with :data:`SCHEMA`."""
        return Provenance(**{name: entries[name] for name in NAMES})


NAMES = tuple(field.name for field in fields(Provenance))
SCHEMA = record({name: text(LONGEST) for name in NAMES})
"""Check of its entries in a file."""
