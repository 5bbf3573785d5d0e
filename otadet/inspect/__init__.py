"""Inspector: the same image and network under several assigners. See ``docs/inspect.md``."""

from otadet.inspect.measure import inspect_assigner, take_snapshot
from otadet.inspect.methods import assigners_of
from otadet.inspect.values import (
    AssignerView,
    InspectedImage,
    Inspection,
    ObjectCounts,
    Pairs,
    Snapshot,
    Totals,
)

__all__ = [
    "AssignerView",
    "InspectedImage",
    "Inspection",
    "ObjectCounts",
    "Pairs",
    "Snapshot",
    "Totals",
    "assigners_of",
    "inspect_assigner",
    "take_snapshot",
]
