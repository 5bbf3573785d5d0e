"""Report as one HTML file that loads nothing: findings on images, histograms, samples."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import torch

from otadet.atomic import atomic_write
from otadet.data.annotation_table import Floats, Ints
from otadet.data.files import is_inside
from otadet.data.findings import Finding, Spot, counted
from otadet.data.image_file import MAX_BYTES, decode_image
from otadet.data.large_image import open_image
from otadet.data.windowed_image import overview
from otadet.doctor.report import Report, SplitReport, as_text, verdict
from otadet.errors import InputError
from otadet.pages import Figure, Histogram, histogram, jpeg_base64, render_page
from otadet.regular_file import read_regular
from otadet.rng import generator
from otadet.texts import one_line
from otadet.visualize.boxes import Image, draw_boxes

PAGE = "index.html"

_TEMPLATE = Path(__file__).parent / "page.html.j2"
_SIDE = 480  # pixels of an image's longer side on the page
_SHOWN = 6  # images of a finding
_SAMPLE = 8
_CLASSES = 30  # bars of the chart of classes


def write_html(report: Report, folder: Path) -> Path:
    """Write :data:`PAGE` into ``folder``, which is created where missing; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PAGE
    atomic_write(path, _render(report))
    return path


def _render(report: Report) -> str:
    places = list(report.config.places.values())
    return render_page(
        _TEMPLATE,
        title=one_line(places[0].root) if places else "no data",
        verdict=verdict(report),
        can_train=report.can_train,
        findings=[(finding, _figures(report, finding)) for finding in report.findings],
        splits=[
            (split.records.split, _histograms(split), _classes(split), _samples(split))
            for split in report.splits.values()
        ],
        text=as_text(report),
    )


def _figures(report: Report, finding: Finding) -> list[Figure]:
    """The first images that a finding names, with the boxes in question."""
    by_image: dict[tuple[str, int], list[Spot]] = {}
    for spot in finding.spots:
        if spot.image_index >= 0 and spot.part in report.splits:
            by_image.setdefault((spot.part, spot.image_index), []).append(spot)
    figures = [
        _figure(report.splits[spots[0].part], spots[0].image_index, spots)
        for spots in list(by_image.values())[:_SHOWN]
    ]
    return [figure for figure in figures if figure]


def _histograms(split: SplitReport) -> list[Histogram]:
    objects, sizes = split.objects, split.records.sizes
    sides = np.sqrt(np.prod(objects.boxes[:, 2:] - objects.boxes[:, :2], axis=1))
    sides = sides * split.zoom[objects.image]
    aspect: Floats = sizes[:, 1] / sizes[:, 0]
    made = [
        histogram(objects.counts.astype(np.float64), "objects an image", "objects"),
        histogram(sides, "side of objects at the input size (log)", "px", log=True),
        histogram(split.overlaps.largest, "largest IoU with another object"),
        histogram(aspect, "width / height of images"),
    ]
    return [each for each in made if each]


def _classes(split: SplitReport) -> tuple[list[tuple[str, int, float]], int]:
    """Rows of the chart of classes (name, count, share of the largest), and how many are left."""
    counts = split.statistics.classes
    most = max([*counts.values(), 1])
    names = sorted(counts, key=lambda name: -counts[name])
    rows = [(one_line(name), counts[name], counts[name] / most) for name in names[:_CLASSES]]
    return rows, len(names) - len(rows)


def _samples(split: SplitReport) -> list[tuple[str, list[Figure]]]:
    """Images drawn at random, and the most crowded ones."""
    counts = split.objects.counts
    full = np.flatnonzero(counts)
    drawn = np.sort(generator(0, 0, 0).permutation(full)[:_SAMPLE])
    most = full[np.argsort(-counts[full], kind="stable")][: _SAMPLE // 2]
    sections: tuple[tuple[str, Ints], ...] = (("random images", drawn), ("most crowded", most))
    return [
        (title, [figure for i in chosen.tolist() if (figure := _figure(split, i, []))])
        for title, chosen in sections
        if len(chosen)
    ]


def _figure(split: SplitReport, index: int, spots: Sequence[Spot]) -> Figure | None:
    """Draw an image's boxes, those of ``spots`` in white; ``None`` if it cannot be opened."""
    opened = _opened(split, index)
    if opened is None:
        return None
    image, shrunk = opened
    zoom = _SIDE / max(image.shape[:2])
    size = max(1, round(image.shape[1] * zoom)), max(1, round(image.shape[0] * zoom))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    mine, zoom = split.objects.image == index, zoom / shrunk
    boxes = torch.from_numpy((split.objects.boxes[mine] * zoom).astype(np.float32))
    labels = torch.from_numpy(split.objects.labels[mine])
    canvas = draw_boxes(np.asarray(small, np.uint8), boxes, labels, split.records.names)
    for spot in spots:
        if spot.box_index >= 0:
            _mark(canvas, split.records.boxes[spot.box_index] * zoom)
    name = one_line(split.records.file_names[index])
    about = one_line("; ".join(spot.got for spot in spots if spot.got), 160)
    caption = f"{name}: {about or counted(int(mine.sum()))}"
    return Figure(name, caption, jpeg_base64(canvas))


def _mark(canvas: Image, box: Floats) -> None:
    if not np.isfinite(box).all():
        return
    x1, y1, x2, y2 = np.clip(box, -9999, 9999).round().astype(int).tolist()
    cv2.rectangle(canvas, (x1 - 1, y1 - 1), (x2 + 1, y2 + 1), (0, 0, 0), 6)
    cv2.rectangle(canvas, (x1 - 1, y1 - 1), (x2 + 1, y2 + 1), (255, 255, 255), 3)


def _opened(split: SplitReport, index: int) -> tuple[Image, int] | None:
    """The image as training reads it, or as it is stored where its size is not the stated one.

    Returns:
        The image, and how many times it is shrunk since memory does not hold it.
    """
    records = split.records
    with suppress(InputError):
        if records.load is not None:
            return records.load(index), 1
        name = records.file_names[index]
        if not is_inside(name):
            return None
        path, size = records.images / name, records.sizes[index]
        known = None if np.isnan(size).any() else (int(size[0]), int(size[1]))
        with suppress(InputError):
            return overview(open_image(path, known, split.pixels))
        return decode_image(read_regular(path, "image file", MAX_BYTES), path.name), 1
    return None
