"""A bag of anchors for every object: what FreeAnchor, AutoAssign and NoisyAnchors weigh."""

# ruff: noqa: RUF009 - the defaults are frozen values
from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from otadet.assign.base import Assigner
from otadet.assign.candidates import gather
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.matcher import MatchProblem, MatchResult
from otadet.assign.priors import ClosestPerLevel, Prior
from otadet.assign.rules import rule_result, square_anchors
from otadet.assign.topk import cheapest
from otadet.boxes import aligned_iou


@dataclass(frozen=True)
class AnchorBag(Assigner):
    """The ``k`` points of an object's prior whose square anchors have the largest IoU with it.

    A criterion may weigh all of an object's bag, shared points included; as an assignment, a
    point of several bags goes to the largest IoU.

    Attributes:
        k: points an object; ``None`` takes all of the prior's.
        prior: which points may be in the bag. Of squares of one size the closest have the largest
            IoU, so few but the 49 closest of each level can be among the best 50.
        anchor_scale: one square anchor a point, of this many strides.
        min_positives: 1 gives an object that lost its whole bag a point back.
    """

    k: int | None = 50
    prior: Prior = ClosestPerLevel(7, inside_box=True)
    anchor_scale: float = 8.0
    min_positives: int = 1

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Decide for a batch that has at least one object."""
        candidates = self.prior(batch)
        anchors = square_anchors(batch, self.anchor_scale)
        theirs = gather(anchors, candidates.point % batch.num_points)
        iou = aligned_iou(theirs, batch.gt_boxes[:, None])
        if self.k is not None:
            count = torch.full((batch.num_objects,), float(self.k), device=batch.device)
            candidates = replace(candidates, valid=cheapest(-iou, candidates.valid, count))
        return rule_result(batch, candidates, candidates.valid, iou)
