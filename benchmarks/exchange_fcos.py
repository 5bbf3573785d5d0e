"""The network of ``small_fcos.py`` under an assigner of ``exchanges.py`` and other targets."""

from __future__ import annotations

from typing import Literal

from exchanges import FURTHER, PAPER_VARIANTS, VARIANTS
from small_fcos import SmallFcos

from otadet.assign import Assigner
from otadet.criteria import Criterion, FCOSCriterion, Matched, Weights


def iou_targets(matched: Matched) -> Weights:
    """A positive's class learns the IoU of its box, by BCE in place of the focal loss."""
    return Weights(matched.positive.float(), matched.assignment.iou)


def iou_weights(matched: Matched) -> Weights:
    """A positive's class learns the IoU of its box and all its losses weigh by it.

    Of the class that is varifocal loss (Zhang et al. 2021).
    """
    return Weights(matched.assignment.iou, matched.assignment.iou)


TARGETS = {"one": None, "iou": iou_targets, "varifocal": iou_weights}


class ExchangeFcos(SmallFcos):
    variant: str = "ota"
    targets: Literal["one", "iou", "varifocal"] = "one"

    def build_assigner(self) -> Assigner:
        """Of ``exchanges.py``."""
        return (PAPER_VARIANTS | VARIANTS | FURTHER)[self.variant]

    def build_criterion(self) -> Criterion:
        """Make the loss around the assigner."""
        assigner, weigh = self.build_assigner(), TARGETS[self.targets]
        return FCOSCriterion(assigner, quality=self.quality, weigh=weigh)
