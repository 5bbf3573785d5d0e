"""How good detections are, in numbers that others know."""

from otadet.evaluation.backends import Backend
from otadet.evaluation.coco import CocoMetrics
from otadet.evaluation.evaluator import Evaluator, Measure, MeasureFunction
from otadet.evaluation.measures import MetricKind, build_evaluator
from otadet.evaluation.operating import (
    Curve,
    Operating,
    best_operating_point,
    operating_points,
)
from otadet.evaluation.result import (
    METRIC_NAMES,
    ClassResult,
    Evaluation,
    OperatingPoint,
    Table,
    format_table,
    headline,
)
from otadet.evaluation.store import DetectionColumns, DetectionStore

__all__ = [
    "METRIC_NAMES",
    "Backend",
    "ClassResult",
    "CocoMetrics",
    "Curve",
    "DetectionColumns",
    "DetectionStore",
    "Evaluation",
    "Evaluator",
    "Measure",
    "MeasureFunction",
    "MetricKind",
    "Operating",
    "OperatingPoint",
    "Table",
    "best_operating_point",
    "build_evaluator",
    "format_table",
    "headline",
    "operating_points",
]
