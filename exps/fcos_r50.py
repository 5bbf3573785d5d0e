"""FCOS-R50 with its own assignment, and the variants of the OTA paper's Table 1.

    python tools/train.py -f exps/fcos_r50.py -d 8 -b 16 --fp16 data_dir=datasets/COCO

Expected on COCO val: AP 38.9, AP50 57.5, AP75 42.0 with centre-ness (Ge et al. 2021, OTA, Table 1);
38.3 with quality=none, 39.5 with quality=iou, 38.8 with quality=iou radius=none.
Ours: not yet measured.
"""

from math import inf
from typing import ClassVar

from otadet.assign import Assigner, FCOSAssigner
from otadet.exp.paper import PaperExp
from otadet.exp.recipe import Row
from otadet.exp.settings import Ranges


class FcosR50(PaperExp):
    quality = "centerness"
    radius: float | None = 1.5
    """Centre sampling in strides; none takes the whole box."""
    ranges: ClassVar[Ranges] = {"radius": (0.1, inf)}
    rows = (
        Row("", "38.9 / 57.5 / 42.0", "OTA, Table 1"),
        Row("quality=none", "38.3 / 57.1 / 41.3", "OTA, Table 1"),
        Row("quality=iou radius=none", "38.8 / 57.7 / 41.8", "OTA, Table 1"),
        Row("quality=iou", "39.5 / 57.6 / 42.9", "OTA, Table 1"),
    )

    def build_assigner(self) -> Assigner:
        return FCOSAssigner(self.radius, min_positives=0)
