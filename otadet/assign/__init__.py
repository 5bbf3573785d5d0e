"""Label assignment: which object every anchor point serves. See ``docs/assignment.md``."""

from otadet.assign.base import Assigner
from otadet.assign.composed import OTA, Composed, SimOTA
from otadet.assign.costs import BCECost, Cost, FocalCost, GIoUCost, IoUCost
from otadet.assign.priors import CenterBox, ClosestPerLevel, Everywhere, InsideBox, Prior
from otadet.assign.sinkhorn import Sinkhorn
from otadet.assign.supply import DynamicK, FixedK, Supply
from otadet.assign.topk import TopK

__all__ = [
    "OTA",
    "Assigner",
    "BCECost",
    "CenterBox",
    "ClosestPerLevel",
    "Composed",
    "Cost",
    "DynamicK",
    "Everywhere",
    "FixedK",
    "FocalCost",
    "GIoUCost",
    "InsideBox",
    "IoUCost",
    "Prior",
    "SimOTA",
    "Sinkhorn",
    "Supply",
    "TopK",
]
