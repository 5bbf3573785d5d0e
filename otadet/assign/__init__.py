"""Label assignment: which object every anchor point serves. See ``docs/assignment.md``."""

from otadet.assign.atss import ATSS
from otadet.assign.base import Assigner, AssignerOutput
from otadet.assign.candidates import Candidates, build_candidates
from otadet.assign.composed import LLA, OTA, Composed, SimOTA
from otadet.assign.costs import BCECost, Cost, FocalCost, GIoUCost, IoUCost, PairCost
from otadet.assign.detr import BoxL1Cost, DETRMatch, ProbabilityCost
from otadet.assign.exact import Exact, Hungarian
from otadet.assign.fcos import FCOSAssigner
from otadet.assign.flat_batch import FlatBatch
from otadet.assign.matcher import Matcher, MatchProblem, MatchResult
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
    SoftCenter,
    UnionBox,
)
from otadet.assign.report import AssignmentReport
from otadet.assign.resolve_ambiguous import ResolveAmbiguous
from otadet.assign.rules import rule_result
from otadet.assign.sinkhorn import Sinkhorn
from otadet.assign.supply import DynamicK, FixedK, Supply
from otadet.assign.tal import TAL
from otadet.assign.tensors import assign_tensors
from otadet.assign.topk import TopK

__all__ = [
    "ATSS",
    "LLA",
    "OTA",
    "PAA",
    "TAL",
    "Assigner",
    "AssignerOutput",
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
    "FlatBatch",
    "FocalCost",
    "GIoUCost",
    "Hungarian",
    "InsideBox",
    "IoUCost",
    "MatchProblem",
    "MatchResult",
    "Matcher",
    "MaxIoU",
    "Newton",
    "PairCost",
    "Pooled",
    "Prior",
    "ProbabilityCost",
    "ResolveAmbiguous",
    "SimOTA",
    "Sinkhorn",
    "SoftCenter",
    "Supply",
    "TopK",
    "UnionBox",
    "assign_tensors",
    "build_candidates",
    "rule_result",
]
