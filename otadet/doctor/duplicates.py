"""Duplicate images: the same bytes, or the same view encoded anew."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from otadet.data.annotation_table import Ints
from otadet.data.findings import Finding, Part, Severity, Spot, found
from otadet.data.records import Bools, Records
from otadet.doctor.check_images import ScannedImage

BITS_APART = 12
"""Of 256 bits of the perceptual hash: encoding anew or a resize changes fewer, another view of
the same place more."""

LEVELS_APART = 3.0
"""Mean difference of the small grey versions, of 255."""

_BANDS = 16  # two hashes that differ in fewer bits share one of so many bands
_CROWD = 50  # images in one band beyond which it tells nothing (margins, black frames)


@dataclass(frozen=True)
class _Entry:
    records: Records
    index: int
    scanned: ScannedImage

    @property
    def path(self) -> Path:
        return self.records.images / self.records.file_names[self.index]

    @property
    def name(self) -> str:
        return f"{self.records.split}: {self.records.file_names[self.index]}"


def check_duplicates(scans: list[tuple[Records, dict[int, ScannedImage]]]) -> list[Finding]:
    """Find copies within a split and across both."""
    entries = [_Entry(records, i, each) for records, scan in scans for i, each in scan.items()]
    same = _by_bytes(entries)
    alike = _by_view(entries)
    codes = ("picture-double", "picture-in-both")
    findings = _report(entries, same, codes, "with the same bytes as", "warning")
    codes = ("picture-alike", "picture-in-both-alike")
    return findings + _report(entries, alike, codes, "that look the same as", "note")


def _by_bytes(entries: list[_Entry]) -> list[tuple[int, int]]:
    """Each later copy with the first one; entries of one file are no copies."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        if entry.scanned.digest:
            groups[entry.scanned.digest].append(number)
    pairs: list[tuple[int, int]] = []
    for group in groups.values():
        files = {(entries[n].records.split, entries[n].path) for n in group}
        if len(files) > 1:
            pairs += [(group[0], n) for n in group[1:]]
    return pairs


def _by_view(entries: list[_Entry]) -> list[tuple[int, int]]:
    numbers = [n for n, entry in enumerate(entries) if entry.scanned.grey is not None]
    if len(numbers) < 2:
        return []
    small = [grey for n in numbers if (grey := entries[n].scanned.grey) is not None]
    grey = np.stack(small).astype(np.int16)
    bits: Bools = (grey[:, :, 1:] > grey[:, :, :-1]).reshape(len(numbers), -1)
    first, second = _candidates(np.packbits(bits, axis=1))
    apart = (bits[first] != bits[second]).sum(axis=1)
    close = apart <= BITS_APART
    first, second = first[close], second[close]
    level = np.abs(grey[first] - grey[second]).mean(axis=(1, 2))
    close = level <= LEVELS_APART
    pairs = [(numbers[a], numbers[b]) for a, b in zip(first[close], second[close])]
    return [(a, b) for a, b in pairs if entries[a].scanned.digest != entries[b].scanned.digest]


def _candidates(packed: npt.NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Pairs of rows that agree in one band of 16 bits; fewer than 16 differing bits leave one."""
    bands = np.ascontiguousarray(packed).view(np.uint16)
    seen: set[tuple[int, int]] = set()
    for column in bands.T[:_BANDS]:
        order = np.argsort(column, kind="stable")
        for run in np.split(order, np.flatnonzero(np.diff(column[order])) + 1):
            if 1 < len(run) <= _CROWD:
                rows = np.sort(run).tolist()
                seen.update((a, b) for i, a in enumerate(rows) for b in rows[i + 1 :])
    table = np.array(sorted(seen), np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _report(
    entries: list[_Entry], pairs: list[tuple[int, int]], codes: tuple[str, str], how: str,
    severity: Severity,
) -> list[Finding]:  # fmt: skip
    findings: list[Finding] = []
    parts: tuple[Part, ...] = ("train", "val", "both")
    for part in parts:
        mine = [pair for pair in pairs if _part(entries, pair) == part]
        both = part == "both"
        text = f"validation images {how} one of training" if both else f"images {how} another"
        findings += found(
            codes[both], "warning" if both else severity, part, range(len(mine)), text,
            partial(_spot, entries, mine),
        )  # fmt: skip
    return findings


def _part(entries: list[_Entry], pair: tuple[int, int]) -> Part:
    first, second = (entries[number].records.split for number in pair)
    return first if first == second else "both"


def _spot(entries: list[_Entry], pairs: list[tuple[int, int]], index: int) -> Spot:
    first, second = (entries[number] for number in pairs[index])
    return second.records.file_spot(second.index, f"as {first.name}")
