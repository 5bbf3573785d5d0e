"""One part of each kind, as a user writes them beside an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from otadet.assign import (
    Assigner,
    FlatBatch,
    InsideBox,
    MatchProblem,
    MatchResult,
    build_candidates,
    rule_result,
)
from otadet.criteria import matched_targets, mean_positives
from otadet.evaluation import DetectionColumns, Evaluation, Measure
from otadet.geometry import Geometry
from otadet.losses import focal_loss_rows
from otadet.points import grid_points
from otadet.types import (
    GridLevel,
    GroundTruth,
    LossReport,
    Predictions,
    Sample,
    Target,
)


class Patches(nn.Module):
    """A backbone of strides that are not those of a ResNet."""

    channels = (16, 24, 32)
    strides = (4, 8, 16)

    def __init__(self) -> None:
        super().__init__()
        sizes = zip((3, *self.channels), self.channels, (4, 2, 2))
        self.stages = nn.ModuleList(nn.Conv2d(i, o, k, k) for i, o, k in sizes)

    def forward(self, images: Tensor) -> list[Tensor]:
        features = [images]
        for stage in self.stages:
            features.append(stage(features[-1]).relu())
        return features[1:]


class OneLayerHead(nn.Module):
    """A head of one convolution a level."""

    def __init__(self, channels: Sequence[int], num_classes: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.outputs = nn.ModuleList(nn.Conv2d(c, 4 + num_classes, 1) for c in channels)

    def forward(self, features: list[Tensor]) -> Predictions:
        maps = [layer(f) for layer, f in zip(self.outputs, features)]
        grid = tuple(GridLevel(m.shape[-2], m.shape[-1], s) for m, s in zip(maps, self.strides))
        points = grid_points(grid, maps[0].device)
        raw = torch.cat([m.flatten(2).transpose(1, 2) for m in maps], dim=1).float()
        deltas, logits = raw[..., :4], raw[..., 4:]
        reach = deltas.clamp(max=4).exp() * points.stride[:, None]
        boxes = torch.cat([points.xy - reach[..., :2], points.xy + reach[..., 2:]], dim=-1)
        return Predictions(boxes, logits, None, deltas, points)


@dataclass(frozen=True)
class NearestCentre(Assigner):
    """A point inside several boxes serves the object whose centre is nearest."""

    min_positives: int = 1

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        point, valid = InsideBox().select(batch)
        candidates = build_candidates(batch, point, valid, None)
        index = candidates.point % batch.num_points  # of all images to one image's
        shift = batch.points.xy[index] - batch.gt_centers[:, None]
        return rule_result(batch, candidates, candidates.valid, -shift.square().sum(dim=-1))


class CornerLoss:
    """Focal loss of the classes and the distance between corners, in strides."""

    def __init__(self, assigner: Assigner) -> None:
        self.assigner = assigner

    def __call__(self, preds: Predictions, targets: Sequence[Target]) -> LossReport:
        assignment = self.assigner(preds, targets)
        boxes, labels = matched_targets(assignment, targets)
        positive = assignment.gt_index >= 0
        positives = mean_positives(positive)
        norm = positives.clamp(min=1.0)
        distance = (preds.boxes - boxes).abs().sum(dim=-1) / preds.points.stride
        terms = {
            "cls": focal_loss_rows(preds.cls_logits, labels).sum() / norm,
            "corners": torch.where(positive, distance, 0.0).sum() / norm,
        }
        return LossReport(
            torch.stack(list(terms.values())).sum(),
            {name: term.detach() for name, term in terms.items()},
            positives,
            {"positives": positive.sum(), **assignment.stats},
        )


def count_error(
    gts: Sequence[GroundTruth], class_names: Sequence[str], found: DetectionColumns
) -> Evaluation:
    """Compare the number of detections with the number of objects."""
    objects = sum(len(gt) for gt in gts)
    return Evaluation({"count_error": abs(len(found.scores) - objects) / max(objects, 1)}, ())


COUNTING = Measure(count_error, ("count_error",), lower_is_better={"count_error"})


@dataclass(frozen=True)
class Negative:
    """An augmentation: inverted colours."""

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return replace(sample, image=np.asarray(255 - sample.image, np.uint8))


class TextFileDataset:
    """A data format: lines of ``file class x1 y1 x2 y2`` in one file, images beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skipped: dict[str, int] = {}
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        self.files = sorted({words[0] for words in lines})
        self._names = tuple(sorted({words[1] for words in lines}))
        self._lines = {
            name: [words[1:] for words in lines if words[0] == name] for name in self.files
        }
        shapes = [self._image(index).shape[:2] for index in range(len(self.files))]
        self._sizes = np.array(shapes, np.int64)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._names

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        return self._sizes

    def __len__(self) -> int:
        return len(self.files)

    def load(self, index: int) -> Sample:
        gt, image = self.ground_truth(index), self._image(index)
        return Sample(
            image, gt.boxes, gt.labels, gt.ignore_boxes, index, Geometry.identity(gt.size)
        )

    def ground_truth(self, index: int) -> GroundTruth:
        lines = self._lines[self.files[index]]
        boxes = np.array([words[1:] for words in lines], np.float32).reshape(-1, 4)
        sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)
        height, width = self._sizes[index].tolist()
        return GroundTruth(
            image_id=index,
            file_name=self.files[index],
            size=(height, width),
            boxes=boxes,
            labels=np.array([self._names.index(words[0]) for words in lines], np.int64),
            ignore_boxes=np.zeros((0, 4), np.float32),
            areas=sides.prod(axis=1),
        )

    def _image(self, index: int) -> npt.NDArray[np.uint8]:
        image = cv2.imread(str(self.path.parent / self.files[index]), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise ValueError(f"{self.files[index]}: no image")
        return np.asarray(image, np.uint8)
