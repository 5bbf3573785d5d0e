"""Report of a checked data set: plain values for JSON, and its text for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

import otadet
from otadet.data.annotation_table import Floats
from otadet.data.findings import SEVERITIES, Finding, Part, counted
from otadet.data.formats import origin
from otadet.data.image_options import PLAIN, ImageOptions
from otadet.data.records import Records
from otadet.doctor.config import DoctorConfig
from otadet.doctor.objects import Objects
from otadet.doctor.overlaps import Overlaps
from otadet.doctor.statistics import Statistics
from otadet.exp.values import as_word
from otadet.texts import one_line

_NOUNS = {"repaired": "repair"}
PLACES = 3
"""Places that the text lists of a finding; JSON and HTML have more."""


@dataclass(frozen=True, eq=False)
class SplitReport:
    """One split of the data.

    Attributes:
        records: the annotations as far as they can be read.
        objects: those that training would use.
        overlaps: objects that overlap.
        statistics: of the split.
        zoom: ``[N]`` factor from each image to the network's input.
        pixels: pages, channels and stretch of the image files.
    """

    records: Records
    objects: Objects
    overlaps: Overlaps
    statistics: Statistics
    zoom: Floats
    pixels: ImageOptions = PLAIN


@dataclass(frozen=True, eq=False)
class Report:
    """Result of :func:`~otadet.doctor.checks.check_dataset`.

    Attributes:
        config: data and settings.
        findings: the most serious first.
        splits: those whose annotations could be read.
        quick: no image was opened.
        refusals: error messages of the readers that training uses, by split.
    """

    config: DoctorConfig
    findings: list[Finding]
    splits: dict[Part, SplitReport]
    quick: bool
    refusals: dict[Part, str]

    @property
    def errors(self) -> list[Finding]:
        """Findings with which training is not possible."""
        return [each for each in self.findings if each.severity == "error"]

    @property
    def can_train(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "otadet": otadet.__version__,
            "experiment": self.config.name,
            "input_size": self.config.input_size,
            "strides": self.config.strides,
            "tiles": self.config.choice and self.config.choice.as_dict(),
            "quick": self.quick,
            "can_train": self.can_train,
            "findings": [each.as_dict() for each in self.findings],
            "numbers": {part: split.statistics.as_dict() for part, split in self.splits.items()},
        }


def as_text(report: Report) -> str:
    """Format the whole report for a terminal, the most serious findings first."""
    parts = [_head(report), _table(report), _details(report), _numbers(report), verdict(report)]
    return "\n\n".join(part for part in parts if part)


def verdict(report: Report) -> str:
    """Return whether the data can be trained on, with the number of findings by severity."""
    counts = [
        counted(
            sum(f.severity == severity for f in report.findings), _NOUNS.get(severity, severity)
        )
        for severity in SEVERITIES
    ]
    if report.can_train:
        return f"can train: {', '.join(counts[1:])}"
    return f"cannot train: {', '.join(counts)}"


def in_lines(report: Report, limit: int) -> list[str]:
    """Format errors and warnings in a line each, at most ``limit`` lines."""
    serious = [each for each in report.findings if each.severity in ("error", "warning")]
    lines = [_line(each) for each in serious[:limit]]
    if len(serious) > limit:
        lines.append(f"and {len(serious) - limit} more findings; see tools/doctor.py")
    return lines


def _line(finding: Finding) -> str:
    first = f"; first {finding.spots[0]}" if finding.spots else ""
    return f"{finding.part}: {finding.code}: {finding.count} x {finding.text}{first}"


def _head(report: Report) -> str:
    config = report.config
    size = " x ".join(map(str, config.input_size))
    lines = [f"experiment {config.name}, input {size}, strides {_list(config.strides)}"]
    lines += [
        f"{place.split}: {origin(place, report.findings)}: {one_line(place.annotations)}"
        for place in config.places.values()
    ]
    lines += [f"{part}: {type(d).__name__} of the experiment" for part, d in config.own.items()]
    lines += _tiles(config)
    if report.quick:
        lines.append("quick: no image was opened")
    return "\n".join(lines)


def _tiles(config: DoctorConfig) -> list[str]:
    """Line on the tiles of the settings, or on those that are advised."""
    tile, overlap = config.tile_settings
    choice = config.choice
    if choice is None or (tile is None and choice.tiling is None):
        return []
    if tile is None:
        return [f"tile=auto would take {choice.reason}"]
    if tile != "auto" and overlap is None:
        return [f"tile_overlap=auto would take {choice.reason}"]
    return [f"tile={tile} tile_overlap={as_word(overlap)}: {choice.reason}"]


def _table(report: Report) -> str:
    if not report.findings:
        return "no findings"
    rows = [[f.severity, f.code, f.part, f.count, one_line(f.text)] for f in report.findings]
    table: str = tabulate(
        rows, headers=["", "code", "split", "count", "what"],
        maxcolwidths=[None, None, None, None, 70],
    )  # fmt: skip
    return table


def _details(report: Report) -> str:
    blocks: list[str] = []
    for each in report.findings:
        if each.severity == "note":
            continue
        lines = [f"{each.code} ({each.part}): {each.advice}"]
        lines += [f"    {spot}" for spot in each.spots[:PLACES]]
        if each.count > len(each.spots[:PLACES]):
            lines.append(f"    and {each.count - len(each.spots[:PLACES])} more")
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def _numbers(report: Report) -> str:
    splits = {part: split.statistics for part, split in report.splits.items()}
    if not splits:
        return ""
    columns = [_column(statistics) for statistics in splits.values()]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    table: str = tabulate(rows, headers=["", *splits])
    train = report.splits.get("train")
    if train is None or train.statistics.crowding is None:
        return table
    return f"{table}\n\n{train.statistics.crowding.advice}"


def _column(p: Statistics) -> dict[str, str]:
    column = {
        "images": f"{p.pictures:,}",
        "objects, ignore regions": f"{p.objects:,}, {p.ignored:,}",
        "classes with objects": f"{sum(n > 0 for n in p.classes.values())} of {len(p.classes)}",
        "width of images, min to max": _span(p.widths),
        "height of images, min to max": _span(p.heights),
        "objects an image: median, max": _median_max(p.objects_a_picture),
        "side of objects, px: 10 %, 50 %, 90 %": _inner(p.sides),
        "the same at the input size": _inner(p.input_sides),
        "objects overlapped by more than IoU 0.5": f"{p.overlapping:.1%}",
        "objects that NMS would suppress": "soft-NMS" if p.merged is None else f"{p.merged:,}",
        "input size at which 90 % exceed a stride": f"{p.input_side_for_90 or '-'}",
    }
    shares = p.crowding.contested if p.crowding else {}
    for r in (3, 5, 7):
        share = f"{shares[r]:.1%}" if r in shares else "-"
        column[f"points that several claim, r = {r}"] = share
    return column


def _span(values: list[float]) -> str:
    return f"{values[0]:g} to {values[-1]:g}" if values else "-"


def _median_max(values: list[float]) -> str:
    return f"{values[2]:g}, {values[-1]:g}" if values else "-"


def _inner(values: list[float]) -> str:
    return ", ".join(f"{v:.0f}" for v in values[1:4]) if values else "-"


def _list(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))
