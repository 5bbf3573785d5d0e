"""Drawing: boxes and assignments on images, curves of a run."""

from otadet.visualize.assignment import draw_assignment, draw_assignments
from otadet.visualize.boxes import Labels, class_color, draw_boxes, side_by_side
from otadet.visualize.curves import draw_curves

__all__ = [
    "Labels",
    "class_color",
    "draw_assignment",
    "draw_assignments",
    "draw_boxes",
    "draw_curves",
    "side_by_side",
]
