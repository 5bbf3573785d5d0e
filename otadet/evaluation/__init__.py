"""How good detections are, in numbers that others know."""

from otadet.evaluation.backends import Backend
from otadet.evaluation.coco import CocoMetrics
from otadet.evaluation.result import METRIC_NAMES, ClassResult, Evaluation, format_table
from otadet.evaluation.store import DetectionColumns, DetectionStore

__all__ = [
    "METRIC_NAMES",
    "Backend",
    "ClassResult",
    "CocoMetrics",
    "DetectionColumns",
    "DetectionStore",
    "Evaluation",
    "format_table",
]
