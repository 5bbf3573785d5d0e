"""A report as one HTML file that needs nothing else: pictures with boxes, and histograms."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

import cv2
import numpy as np
import torch

from otadet.atomic import atomic_write
from otadet.data.annotation_table import Floats
from otadet.data.image_file import decode_image, read_image
from otadet.doctor.examine import Report, Split
from otadet.doctor.findings import Finding, Spot
from otadet.doctor.svg import bars, histogram
from otadet.doctor.text import as_text, verdict
from otadet.errors import InputError
from otadet.rng import generator
from otadet.visualize.boxes import Image, draw_boxes

_SIDE = 480  # pixels of a picture's longer side on the page
_SHOWN = 6  # pictures of a finding
_SAMPLE = 8

_STYLE = """
:root{color-scheme:light dark;--ink:#1c1e21;--soft:#6b7280;--paper:#fff;--line:#e2e5ea;
--bar:#3b76c4;--error:#c62828;--warning:#b26a00;--note:#4b5563}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#9aa3ae;--paper:#16181b;--line:#30343a;
--bar:#6aa3ea;--error:#ff7b72;--warning:#e3a23c;--note:#a3adb8}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1180px;padding:28px 24px 60px;color:var(--ink);
background:var(--paper);font:15px/1.5 system-ui,sans-serif}
h1{font-size:24px;margin:0}h2{font-size:19px;margin:40px 0 10px;border-bottom:1px solid var(--line)}
h3{font-size:16px;margin:28px 0 2px}p{margin:4px 0}a{color:inherit}.soft{color:var(--soft)}
.error{color:var(--error)}.warning{color:var(--warning)}.note{color:var(--note)}
.verdict{font-size:17px;font-weight:600;margin:6px 0 14px}
table{border-collapse:collapse}.list td,.list th{text-align:left;padding:4px 14px 4px 0;
border-bottom:1px solid var(--line);vertical-align:top}
.list td:nth-child(2){white-space:nowrap}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(260px,1fr));gap:14px;margin:10px 0}
figure{margin:0}figcaption{font-size:13px;color:var(--soft);overflow-wrap:anywhere}
.grid img{width:100%;height:220px;object-fit:contain;background:#8883;border-radius:4px;
display:block}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:22px}
.charts figcaption{color:var(--ink);font-weight:600}
svg{width:100%}svg text{font-size:12px;fill:var(--soft)}svg path{stroke:var(--soft)}
.bars rect{fill:var(--bar)}.balance{width:100%;font-size:13px}.balance th{text-align:right;
font-weight:400;padding-right:8px;white-space:nowrap}.balance td:nth-child(2){width:70%}
.balance td:last-child{padding-left:8px;text-align:right}
.balance span{display:block;height:11px;background:var(--bar);min-width:1px}
ul{margin:6px 0;padding-left:20px}li{overflow-wrap:anywhere;font-size:13px}
pre{overflow-x:auto;font-size:12.5px;line-height:1.4;border:1px solid var(--line);padding:12px}
"""


def write_page(report: Report, folder: Path) -> Path:
    """Write ``index.html`` into ``folder``, which is made where missing; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    atomic_write(path, _document(report))
    return path


def _document(report: Report) -> str:
    name = escape(str(next(iter(report.subject.places.values())).root)) if (
        report.subject.places
    ) else "no data"  # fmt: skip
    color = "note" if report.can_train else "error"
    parts = [
        f"<h1>{name}</h1>",
        f"<p class='verdict {color}'>{escape(verdict(report))}</p>",
        _findings(report),
        *(_charts(split) for split in report.splits.values()),
        *(_samples(split) for split in report.splits.values()),
        f"<h2>As text</h2><pre>{escape(as_text(report))}</pre>",
    ]
    head = f"<meta charset='utf-8'><title>{name}</title><style>{_STYLE}</style>"
    view = "<meta name='viewport' content='width=device-width'>"
    body = "\n".join(parts)
    return f"<!doctype html>\n<html lang='en'><head>{view}{head}</head>\n<body>{body}</body></html>"


def _findings(report: Report) -> str:
    rows = "".join(
        f"<tr><td class='{f.severity}'>{f.severity}</td><td><a href='#f{i}'>{f.code}</a></td>"
        f"<td>{f.part}</td><td>{f.count:,}</td><td>{escape(f.text)}</td></tr>"
        for i, f in enumerate(report.findings)
    )
    table = f"<table class='list'>{rows}</table>" if rows else "<p>nothing found</p>"
    each = "".join(_finding(report, f, i) for i, f in enumerate(report.findings))
    return f"<h2>Findings</h2>{table}{each}"


def _finding(report: Report, finding: Finding, number: int) -> str:
    shown: dict[tuple[str, int], list[Spot]] = {}
    for spot in finding.spots:
        if spot.picture >= 0 and spot.part in report.splits:
            shown.setdefault((spot.part, spot.picture), []).append(spot)
    figures = [
        _figure(report.splits[spots[0].part], spots[0].picture, spots)
        for spots in list(shown.values())[:_SHOWN]
    ]
    images = [figure for figure in figures if figure]
    items = "".join(f"<li>{escape(str(spot))}</li>" for spot in finding.spots)
    grid = f"<div class='grid'>{''.join(images)}</div>" if images else ""
    places = f"<details><summary>where</summary><ul>{items}</ul></details>"
    return (
        f"<h3 id='f{number}' class='{finding.severity}'>{finding.code} <span class='soft'>"
        f"{finding.part}, {finding.count:,}</span></h3><p>{escape(finding.text)}</p>"
        f"<p class='soft'>What to do: {escape(finding.advice)}</p>"
        f"{grid}{places if images else f'<ul>{items}</ul>'}"
    )


def _charts(split: Split) -> str:
    draft, objects = split.draft, split.objects
    sides = np.sqrt(np.prod(objects.boxes[:, 2:] - objects.boxes[:, :2], axis=1))
    factor = split.zoom[objects.image]
    aspect: Floats = draft.sizes[:, 1] / draft.sizes[:, 0]
    counts = split.portrait.classes
    charts = [
        histogram(objects.counts.astype(np.float64), "objects a picture", "objects"),
        histogram(sides * factor, "side of objects at the input size (log)", "px", log=True),
        histogram(split.pairs.largest, "largest IoU with a neighbour", ""),
        histogram(aspect, "width / height of pictures", ""),
        bars(list(counts), list(counts.values()), "objects by class"),
    ]
    return f"<h2>{draft.part} in numbers</h2><div class='charts'>{''.join(charts)}</div>"


def _samples(split: Split) -> str:
    counts = split.objects.counts
    full = np.flatnonzero(counts)
    rng = generator(0, 0, 0)
    drawn = np.sort(rng.permutation(full)[:_SAMPLE])
    most = full[np.argsort(-counts[full], kind="stable")][: _SAMPLE // 2]
    part = split.draft.part
    sections = (f"{part}: some pictures", drawn), (f"{part}: the most crowded", most)
    return "".join(
        f"<h2>{title}</h2><div class='grid'>"
        + "".join(_figure(split, index, []) for index in chosen.tolist())
        + "</div>"
        for title, chosen in sections
        if len(chosen)
    )


def _figure(split: Split, index: int, spots: list[Spot]) -> str:
    """A picture with its boxes, those of ``spots`` in white on black; empty where it cannot be
    opened."""
    image = _opened(split, index)
    if image is None:
        return ""
    zoom = _SIDE / max(image.shape[:2])
    size = max(1, round(image.shape[1] * zoom)), max(1, round(image.shape[0] * zoom))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    mine = split.objects.image == index
    boxes = torch.from_numpy((split.objects.boxes[mine] * zoom).astype(np.float32))
    labels = torch.from_numpy(split.objects.labels[mine])
    canvas = draw_boxes(np.asarray(small, np.uint8), boxes, labels, split.draft.names)
    for spot in spots:
        if spot.box >= 0:
            _mark(canvas, split.draft.boxes[spot.box] * zoom)
    data = cv2.imencode(
        ".jpg", cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82]
    )[1]
    text = base64.b64encode(data.tobytes()).decode()
    name = split.draft.file_names[index]
    about = "; ".join(spot.got for spot in spots if spot.got)[:160]
    caption = escape(f"{name}: {about}" if about else f"{name}, {int(mine.sum())} objects")
    return (
        f"<figure><img loading='lazy' alt='{escape(name)}' src='data:image/jpeg;base64,{text}'>"
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _mark(canvas: Image, box: Floats) -> None:
    if not np.isfinite(box).all():
        return
    x1, y1, x2, y2 = np.clip(box, -9999, 9999).round().astype(int).tolist()
    cv2.rectangle(canvas, (x1 - 1, y1 - 1), (x2 + 1, y2 + 1), (0, 0, 0), 6)
    cv2.rectangle(canvas, (x1 - 1, y1 - 1), (x2 + 1, y2 + 1), (255, 255, 255), 3)


def _opened(split: Split, index: int) -> Image | None:
    """The picture as training takes it, or at least as it is."""
    path = split.draft.images / split.draft.file_names[index]
    size = split.draft.sizes[index]
    known = None if np.isnan(size).any() else (int(size[0]), int(size[1]))
    try:
        return read_image(path, known, split.draft.upright)
    except InputError:
        pass
    try:
        return decode_image(path.read_bytes(), path.name)
    except (InputError, OSError):
        return None
