"""A report in words: short, the most serious first."""

from __future__ import annotations

from tabulate import tabulate

from otadet.doctor.examine import Report
from otadet.doctor.findings import Finding
from otadet.doctor.portrait import Portrait

PLACES = 3
"""Places that the text names of a finding; JSON and page have more."""


def as_text(report: Report) -> str:
    """All of it, for a terminal."""
    parts = [_head(report), _table(report), _details(report), _numbers(report), verdict(report)]
    return "\n\n".join(part for part in parts if part)


def verdict(report: Report) -> str:
    """The last line."""
    count = {s: sum(f.severity == s for f in report.findings) for s in ("warning", "note")}
    rest = f"{count['warning']} kinds of warning, {count['note']} of note"
    if report.can_train:
        return f"can train; {rest}"
    return f"cannot train: {len(report.errors)} kinds of error; {rest}"


def in_lines(report: Report, limit: int) -> list[str]:
    """Findings above notes in a line each, at most ``limit`` lines."""
    serious = [each for each in report.findings if each.severity != "note"]
    lines = [_line(each) for each in serious[:limit]]
    if len(serious) > limit:
        lines.append(f"and {len(serious) - limit} more kinds of finding; see tools/doctor.py")
    return lines


def _line(finding: Finding) -> str:
    first = f"; first {finding.spots[0]}" if finding.spots else ""
    return f"{finding.part}: {finding.code}: {finding.count} x {finding.text}{first}"


def _head(report: Report) -> str:
    subject = report.subject
    size = " x ".join(map(str, subject.input_size))
    lines = [f"experiment {subject.name}, input {size}, strides {_list(subject.strides)}"]
    lines += [f"{p.split}: {p.annotations} ({p.format})" for p in subject.places.values()]
    if report.quick:
        lines.append("quick: no picture was opened")
    return "\n".join(lines)


def _table(report: Report) -> str:
    if not report.findings:
        return "nothing found"
    rows = [[f.severity, f.code, f.part, f.count, f.text] for f in report.findings]
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
    portraits = {part: split.portrait for part, split in report.splits.items()}
    if not portraits:
        return ""
    columns = [_column(portrait) for portrait in portraits.values()]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    table: str = tabulate(rows, headers=["", *portraits])
    train = report.splits.get("train")
    if train is None or train.portrait.crowding is None:
        return table
    return f"{table}\n\n{train.portrait.crowding.advice}"


def _column(p: Portrait) -> dict[str, str]:
    column = {
        "pictures": f"{p.pictures:,}",
        "objects, ignore regions": f"{p.objects:,}, {p.ignored:,}",
        "classes with objects": f"{sum(n > 0 for n in p.classes.values())} of {len(p.classes)}",
        "width of images, min to max": _span(p.widths),
        "height of images, min to max": _span(p.heights),
        "objects an image: median, max": _median_max(p.objects_a_picture),
        "side of objects, px: 10 %, 50 %, 90 %": _inner(p.sides),
        "the same at the input size": _inner(p.input_sides),
        "objects overlapped by more than IoU 0.5": f"{p.overlapping:.1%}",
        "objects that NMS drops though found": "soft-NMS" if p.merged is None else f"{p.merged:,}",
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
