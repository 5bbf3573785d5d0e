"""Values that options and settings choose from, and defaults; importing them takes no torch."""

from __future__ import annotations

from typing import Literal, get_args

DataFormat = Literal["auto", "coco", "csv", "labelme", "odgt", "voc", "yolo"]
"""Form of annotations; ``auto`` is what the files show."""

Known = Literal["coco", "csv", "labelme", "odgt", "voc", "yolo"]
FORMATS: tuple[Known, ...] = get_args(Known)

FORMAT_NAMES: dict[Known, str] = {
    "coco": "COCO", "csv": "CSV", "labelme": "labelme", "odgt": "odgt", "voc": "VOC",
    "yolo": "YOLO",
}  # fmt: skip
"""What the formats are called in messages."""

Foreign = Literal["cvat", "datumaro", "kitti", "open-images", "vott", "wider-face"]
"""Formats that are converted with the library datumaro."""

Split = Literal["train", "val"]

OdgtBox = Literal["fbox", "vbox", "hbox"]
"""Which of a person's boxes is learned: the whole body, the visible part, or the head."""

Difficult = Literal["ignore", "keep"]
"""VOC's difficult objects: ignore regions of their class, as VOC's metric has it, or objects."""

Unreadable = Literal["stop", "skip"]
"""What to do with an image that cannot be read."""

ImageMode = Literal["link", "copy", "none"]
"""What becomes of the images of a converted data set: symbolic links, copies, or nothing."""

NmsKind = Literal["hard", "linear", "gaussian"]
"""What a better box of its class does to a box: drop it, or lower its score in one of two ways."""

DEFAULT_SCORE = 0.3
"""Score threshold for use where no evaluation has found one; the same in demo/*, which is without
otadet."""

Dynamic = Literal["none", "batch", "hw", "all"]
"""Which axes of an exported network's input are free: none, the batch, height and width, or all."""

HANG_TIMEOUT, HANG_TIMEOUT_DISTRIBUTED = 1800.0, 600.0
"""Seconds without progress after which a run ends: one process; several, of which the others keep
their devices busy waiting."""
