"""Small data sets in the forms in which annotation tools and scripts write them."""

from tests.data.forms import (
    coco_contents,
    coco_layouts,
    csv,
    labelme,
    odd,
    voc,
    yolo,
    yolo_contents,
)
from tests.data.forms.form import FORMS, Form

__all__ = [
    "FORMS", "Form", "coco_contents", "coco_layouts", "csv", "labelme", "odd", "voc", "yolo",
    "yolo_contents",
]  # fmt: skip
