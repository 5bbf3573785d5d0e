"""Label assignment: which object every anchor point serves. See ``docs/assignment.md``."""

from otadet.assign.atss import ATSS
from otadet.assign.bag import AnchorBag
from otadet.assign.base import Answer, Assigner
from otadet.assign.candidates import Candidates
from otadet.assign.composed import LLA, OTA, Composed, SimOTA
from otadet.assign.costs import BCECost, Cost, FocalCost, GIoUCost, IoUCost, PairCost
from otadet.assign.detr import BoxL1Cost, DETRMatch, ProbabilityCost
from otadet.assign.exact import Exact, Hungarian
from otadet.assign.fcos import FCOSAssigner
from otadet.assign.fovea import FoveaBox
from otadet.assign.fsaf import FSAF
from otadet.assign.match import Match, Problem, Solution
from otadet.assign.max_iou import MaxIoU
from otadet.assign.newton import Newton
from otadet.assign.paa import PAA
from otadet.assign.priors import (
    CenterBox,
    ClosestPerLevel,
    Everywhere,
    InsideBox,
    Pooled,
    Prior,
    UnionBox,
)
from otadet.assign.proposals import ProposalIoU
from otadet.assign.report import AssignmentReport
from otadet.assign.scene import Scene
from otadet.assign.settled import Settled
from otadet.assign.sinkhorn import Sinkhorn
from otadet.assign.supply import DynamicK, FixedK, Supply
from otadet.assign.tal import TAL
from otadet.assign.topk import TopK

__all__ = [
    "ATSS",
    "FSAF",
    "LLA",
    "OTA",
    "PAA",
    "TAL",
    "AnchorBag",
    "Answer",
    "Assigner",
    "AssignmentReport",
    "BCECost",
    "BoxL1Cost",
    "Candidates",
    "CenterBox",
    "ClosestPerLevel",
    "Composed",
    "Cost",
    "DETRMatch",
    "DynamicK",
    "Everywhere",
    "Exact",
    "FCOSAssigner",
    "FixedK",
    "FocalCost",
    "FoveaBox",
    "GIoUCost",
    "Hungarian",
    "InsideBox",
    "IoUCost",
    "Match",
    "MaxIoU",
    "Newton",
    "PairCost",
    "Pooled",
    "Prior",
    "ProbabilityCost",
    "Problem",
    "ProposalIoU",
    "Scene",
    "Settled",
    "SimOTA",
    "Sinkhorn",
    "Solution",
    "Supply",
    "TopK",
    "UnionBox",
]
