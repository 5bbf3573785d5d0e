"""Rules that give ambiguous points to one object before the matcher runs (paper, Table 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from otadet.assign.candidates import best_pair
from otadet.assign.matcher import Matcher, MatchProblem, MatchResult
from otadet.assign.sinkhorn import Sinkhorn
from otadet.boxes import area

Rule = Literal["min_area", "max_iou", "min_loss"]


@dataclass(frozen=True)
class ResolveAmbiguous(Matcher):
    """Leave each point with several candidate objects to one of them, then run another matcher.

    ``OTA(match=ResolveAmbiguous("min_area"))`` is the paper's *Min Area f.b. OTA*, in which the
    transport only separates positives from background.

    Attributes:
        rule: the object with the smallest box (FCOS), the largest IoU with the prediction, or the
            smallest cost.
        then: the matcher that follows.
    """

    rule: Rule
    then: Matcher = Sinkhorn()  # noqa: RUF009 - a frozen value

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise ValueError(
                f"ResolveAmbiguous.rule: expected one of {get_args(Rule)}, got {self.rule!r}"
            )

    def __call__(self, problem: MatchProblem) -> MatchResult:
        candidates = problem.candidates
        keeper = best_pair(self._score(problem), candidates.valid, candidates.local,
                           candidates.size)  # fmt: skip
        kept = candidates.won(keeper)
        left = kept.sum(dim=1).to(problem.supply)
        return self.then(
            replace(
                problem,
                candidates=replace(candidates, valid=kept),
                supply=torch.minimum(problem.supply, left),
            )
        )

    def _score(self, problem: MatchProblem) -> Tensor:
        if self.rule == "min_area":
            return -area(problem.batch.gt_boxes)[:, None].expand_as(problem.iou)
        return problem.iou if self.rule == "max_iou" else -problem.cost.object
