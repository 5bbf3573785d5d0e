"""``exps/finetune_nano.py`` under an assigner of ``exchanges.py`` and other targets of its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from exchanges import NANO
from torch import Tensor

from otadet.assign import Assigner
from otadet.criteria import Criterion, YOLOXCriterion
from otadet.criteria.base import Matched
from otadet.exp.finetune import FinetuneExp

Goal = Literal["one", "iou", "square", "relative"]


@dataclass(frozen=True, eq=False)
class OtherTargets(YOLOXCriterion):
    """YOLOX's loss with other targets on positives.

    Attributes:
        objectness: 1 as published, the IoU of the predicted box with its object's, its square, or
            the IoU relative to that of the object's best positive.
        classes: the IoU as published, or 1.
    """

    objectness: Goal = "one"  # type: ignore[assignment]
    classes: Goal = "iou"

    def objectness_goal(self, matched: Matched) -> Tensor:
        """Return ``[B, A]`` in [0, 1]: what a point's objectness learns."""
        return _goal(self.objectness, matched)

    def class_goal(self, matched: Matched) -> Tensor:
        """Return ``[B, A]`` in [0, 1]: what a positive learns for its own class."""
        return _goal(self.classes, matched)


def _goal(goal: Goal, matched: Matched) -> Tensor:
    positive = matched.positive.float()
    iou = positive * matched.assignment.iou
    if goal == "relative":
        index = matched.assignment.gt_index.clamp(min=0)
        best = torch.zeros_like(iou).scatter_reduce_(1, index, iou, "amax")
        return positive * iou / best.gather(1, index).clamp(min=1e-6)
    return {"one": positive, "iou": iou, "square": iou.square()}[goal]


class ExchangeNano(FinetuneExp):
    variant: str = "simota"
    objectness: Goal = "one"  # type: ignore[assignment]
    classes: Goal = "iou"

    def build_assigner(self) -> Assigner:
        """Of ``exchanges.py``."""
        return NANO[self.variant]

    def build_criterion(self) -> Criterion:
        """Make the loss around the assigner."""
        targets = {"objectness": self.objectness, "classes": self.classes}
        return OtherTargets(self.build_assigner(), l1=self.l1, **targets)
