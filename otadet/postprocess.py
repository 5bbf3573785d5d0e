"""Postprocessing of predictions to detections, in evaluation, demo and verification of exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from otadet.choices import NmsKind
from otadet.geometry import Geometry
from otadet.soft_nms import soft_nms
from otadet.types import Detections, Predictions

ScoreRule = Literal["geometric", "product"]
"""Class and quality probabilities combined as sqrt(cls * quality) (OTA) or as their product."""

PointLabels = Literal["all", "best"]
"""Classes of a point that become detections: all above the threshold, or only the best."""


@dataclass(frozen=True)
class Postprocess:
    """Score, threshold, class-wise NMS, and mapping to the image frame.

    Attributes:
        score_threshold: only detections with a larger score go into NMS.
        nms_threshold: IoU above which the lower-scored of two boxes of a class is dropped.
        max_detections: largest number of detections of an image; the best are kept.
        candidates: largest number of points and classes of a level in NMS; the best are kept.
        score_rule: how the quality branch enters the score.
        nms_kind: ``hard`` drops; ``linear`` and ``gaussian`` lower scores instead (soft-NMS).
        soft_sigma: width of ``gaussian``, see :func:`~otadet.soft_nms.soft_nms`.
        point_labels: ``all`` classes of a point above the threshold go into NMS (torchvision,
            OTA), or only its ``best`` (YOLOX).
    """

    score_threshold: float = 0.05
    nms_threshold: float = 0.6
    max_detections: int = 100
    candidates: int = 1000
    score_rule: ScoreRule = "geometric"
    nms_kind: NmsKind = "hard"
    soft_sigma: float = 0.5
    point_labels: PointLabels = "all"

    def __call__(self, preds: Predictions, geometries: Sequence[Geometry]) -> list[Detections]:
        """Compute each image's detections, image frame, by falling score, on the same device."""
        scores = combined_scores(preds.cls_logits, preds.quality_logits, self.score_rule)
        return [
            self.select(boxes.float(), s, preds.points.level, geometry)
            for boxes, s, geometry in zip(preds.boxes, scores, geometries)
        ]

    def select(
        self, boxes: Tensor, scores: Tensor, level: Tensor, geometry: Geometry
    ) -> Detections:
        """Compute the detections of one image from the boxes and scores of its points.

        Args:
            boxes: ``[A, 4]`` float32 xyxy, input frame.
            scores: ``[A, C]``, combined.
            level: ``[A]`` int64 index of the pyramid level.
            geometry: of the image.
        """
        if self.point_labels == "best":
            score, label = scores.max(dim=1)
            point = torch.nonzero(score > self.score_threshold).squeeze(1)
            score, label = score[point], label[point]
        else:
            point, label = torch.nonzero(scores > self.score_threshold, as_tuple=True)
            score = scores[point, label]
        # Only crowded or untrained outputs exceed the budget; then each level keeps its best.
        if len(score) > self.candidates:
            best = torch.cat(
                [
                    members[score[members].topk(min(self.candidates, len(members))).indices]
                    for members in (torch.nonzero(level[point] == v).squeeze(1)
                                    for v in range(int(level[-1]) + 1))
                ]
            )  # fmt: skip
            point, label, score = point[best], label[best], score[best]
        candidates = boxes[point]
        if self.nms_kind != "hard":
            keep, score = soft_nms(
                candidates, score, label, kind=self.nms_kind, iou_threshold=self.nms_threshold,
                sigma=self.soft_sigma, score_threshold=self.score_threshold,
                limit=self.max_detections,
            )  # fmt: skip
            return Detections(geometry.to_image(candidates[keep]), score, label[keep])
        keep = batched_nms(candidates, score, label, self.nms_threshold)[: self.max_detections]
        return Detections(geometry.to_image(candidates[keep]), score[keep], label[keep])


def combined_scores(cls_logits: Tensor, quality_logits: Tensor | None, rule: ScoreRule) -> Tensor:
    """Combine class and quality to scores ``[B, A, C]`` float32 in [0, 1]."""
    cls = cls_logits.float().sigmoid()
    if quality_logits is None:
        return cls
    product = cls * quality_logits.float().sigmoid()[..., None]
    return product.sqrt() if rule == "geometric" else product
