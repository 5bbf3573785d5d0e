"""FCOS-R50 with ATSS and centre-ness (Zhang et al. 2020), as the OTA paper compares with it.

    python tools/train.py -f exps/atss_r50.py -d 8 -b 16 --fp16 data_dir=datasets/COCO

Expected on COCO val: AP 39.4, AP50 57.5, AP75 42.7; 38.0 with r=5, 37.2 with r=7 (Ge et al. 2021,
OTA, Table 2). Ours: not yet measured.
"""

from math import inf
from typing import ClassVar

from otadet.assign import ATSS, Assigner
from otadet.exp.paper import PaperExp
from otadet.exp.recipe import Row
from otadet.exp.settings import Ranges


class AtssR50(PaperExp):
    quality = "centerness"
    r: int = 3
    """The r^2 closest points of each level are candidates."""
    ranges: ClassVar[Ranges] = {"r": (1, inf)}
    rows = (
        Row("", "39.4 / 57.5 / 42.7", "OTA, Table 2"),
        Row("r=5", "38.0 / 56.7 / 40.4", "OTA, Table 2"),
        Row("r=7", "37.2 / 55.8 / 39.8", "OTA, Table 2"),
    )

    def build_assigner(self) -> Assigner:
        return ATSS(self.r, anchor_scale=self.anchor_scale, min_positives=0)
