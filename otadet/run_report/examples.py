"""Validation images beside what was found in them: the worst, the most contested, the best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from otadet.boxes import pairwise_iou
from otadet.data import Dataset, open_sample, overview
from otadet.data.findings import counted
from otadet.doctor.config import InputFrame
from otadet.doctor.crowding import contested_in
from otadet.errors import InputError
from otadet.evaluation import ImageMatches, SavedEvaluation
from otadet.evaluation.flat import Floats, Ints
from otadet.evaluation.matching import FREE
from otadet.pages import ImagePair, Shape, jpeg_base64, shrunk
from otadet.pages.pairs import Kind

SIDE = 640  # pixels of an image's longer side on the page
_SHOWN = {"worst": 6, "most contested": 3, "best": 3}
_ROWS = 200
_LABEL = 24  # characters beside a box
_LEAST = 0.05  # score of detections that the page's slider can show
_MORE = 40  # false alarms below the threshold that it can show

Image = npt.NDArray[np.uint8]


class ImageRow(NamedTuple):
    """One line of the table of images; ``contested`` is the share of contested points."""

    name: str
    objects: int
    hits: int
    false_alarms: int
    missed: int
    f1: float
    contested: float


class ExampleGroup(NamedTuple):
    """Images under one heading, which ``about`` explains."""

    title: str
    about: str
    pairs: list[ImagePair]


def contested_shares(found: SavedEvaluation, frame: InputFrame) -> tuple[Ints, Floats]:
    """``[N]`` contested points of each image, and their share of the points that are claimed."""
    claimed, contested = contested_in(found.gts, frame)
    return contested, contested / np.maximum(claimed, 1)


def image_rows(
    found: SavedEvaluation, matches: ImageMatches, contested: Floats | None
) -> list[ImageRow]:
    """Numbers of the images of the lowest F1."""
    f1, missed, alarms = matches.f1, matches.missed, matches.false_alarms
    hits = matches.hits
    worst = np.lexsort((-(missed + alarms), f1))[:_ROWS].tolist()
    return [
        ImageRow(
            found.gts[i].file_name or f"image {found.gts[i].image_id}", len(found.gts[i]),
            int(hits[i]), int(alarms[i]), int(missed[i]), float(f1[i]),
            -1.0 if contested is None else float(contested[i]),
        )
        for i in worst
    ]  # fmt: skip


def example_groups(
    found: SavedEvaluation, matches: ImageMatches, dataset: Dataset, contested: Ints | None
) -> list[ExampleGroup]:
    """Choose images and draw them.

    Args:
        found: detections and ground truth.
        matches: of these.
        dataset: of these, in the same order.
        contested: ``[N]`` contested points of the images; ``None`` where they are not known.
    """
    objects = matches.hits + matches.missed
    wrong = matches.missed + matches.false_alarms
    orders = {
        "worst": ("lowest F1, of equal ones those with the most errors", np.lexsort(
            (-wrong, matches.f1, wrong == 0))),
        "best": ("highest F1, of equal ones those with the most objects", np.lexsort(
            (-objects, -matches.f1, objects == 0))),
    }  # fmt: skip
    if contested is not None:
        about = "most points that two objects or more could claim (r = 5), whatever is predicted"
        orders = {
            "worst": orders["worst"],
            "most contested": (about, np.argsort(-contested, kind="stable")),
            "best": orders["best"],
        }
    return [
        ExampleGroup(title, about, pairs)
        for title, (about, order) in orders.items()
        if (pairs := _pairs(found, matches, dataset, order[: _SHOWN[title]].tolist()))
    ]


def _pairs(
    found: SavedEvaluation, matches: ImageMatches, dataset: Dataset, chosen: list[int]
) -> list[ImagePair]:
    """The chosen images; one that cannot be read any more is left out."""
    pairs: list[ImagePair] = []
    for index in chosen:
        try:
            image, _ = overview(open_sample(dataset, index)[1])
        except InputError:
            continue
        pairs.append(_pair(found, matches, index, image))
    return pairs


def _pair(found: SavedEvaluation, matches: ImageMatches, index: int, image: Image) -> ImagePair:
    gt, names = found.gts[index], found.class_names
    small = shrunk(image, SIDE)
    zoom = small.shape[1] / gt.size[1]
    hits, alarms = int(matches.hits[index]), int(matches.false_alarms[index])
    caption = f"{counted(hits, 'hit')}, {counted(alarms, 'false alarm')}, "
    caption += f"{matches.missed[index]} missed"
    truth = [
        Shape(_place(box * zoom), "ignored", "", "ignored: detections here do not count", -1)
        for box in gt.ignore_boxes
    ]
    shapes = [*truth, *_objects(matches, index, names, zoom)]
    name = gt.file_name or f"image {gt.image_id}"
    return ImagePair(
        name, caption, jpeg_base64(small, 80), small.shape[1], small.shape[0], shapes,
        _detections(matches, index, names, zoom),
    )  # fmt: skip


def _objects(matches: ImageMatches, index: int, names: tuple[str, ...], zoom: float) -> list[Shape]:
    flat, detection = matches.flat, matches.found_by()
    shapes = []
    for g in np.flatnonzero(flat.objects.image == index).tolist():
        name = names[flat.objects.labels[g]]
        score = float(flat.scores[detection[g]]) if detection[g] != FREE else -1.0
        hit = score >= np.float32(matches.score)
        about = f"{name}, found with score {score:.2f}" if score >= 0 else f"{name}, not found"
        kind: Kind = "hit" if hit else "missed"
        shapes.append(Shape(_place(flat.objects.boxes[g] * zoom), kind, _short(name), about, score))
    return shapes


def _detections(
    matches: ImageMatches, index: int, names: tuple[str, ...], zoom: float
) -> list[Shape]:
    """Hits of any score, and false alarms: those that are shown, and some below the threshold."""
    flat = matches.flat
    mine = np.flatnonzero((flat.detections.image == index) & matches.counts)
    mine = mine[flat.scores[mine] >= _LEAST]
    hit = matches.partner[mine] != FREE
    low = flat.scores[mine] < np.float32(matches.score)
    mine = mine[hit | ~low | (np.cumsum(~hit & low) <= _MORE)]
    shapes = []
    for d in mine.tolist():
        name, score = names[flat.detections.labels[d]], float(flat.scores[d])
        kind: Kind = "false"
        about = f"{name} {score:.2f}, false alarm"
        if matches.partner[d] != FREE:
            object_box = flat.objects.boxes[[matches.partner[d]]]
            iou = pairwise_iou(*map(torch.from_numpy, (flat.detections.boxes[[d]], object_box)))
            about, kind = f"{name} {score:.2f}, IoU {float(iou):.2f}", "hit"
        place, label = _place(flat.detections.boxes[d] * zoom), f"{_short(name)} {score:.2f}"
        shapes.append(Shape(place, kind, label, about, score))
    return shapes


def _place(box: npt.NDArray[np.floating]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box.round(1).tolist()
    return left, top, round(right - left, 1), round(bottom - top, 1)


def _short(name: str) -> str:
    return name if len(name) <= _LABEL else f"{name[: _LABEL - 1]}…"
