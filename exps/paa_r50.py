"""PAA-R50 (Kim and Lee 2020) on RetinaNet with one anchor, without score voting.

    python tools/train.py -f exps/paa_r50.py -d 8 -b 16 --fp16 data_dir=datasets/COCO

Expected on COCO val: AP 40.3, AP50 58.9, AP75 43.4; 40.1 with r=5, 39.5 with r=7 (Ge et al. 2021,
OTA, Table 2). Ours: not yet measured.
"""

from math import inf
from typing import ClassVar

from otadet.assign import PAA, Assigner
from otadet.exp.paper import PaperExp
from otadet.exp.recipe import Row
from otadet.exp.settings import Ranges


class PaaR50(PaperExp):
    head = "retinanet"
    quality = "iou"
    r: int = 3
    """The r^2 points of the least loss on each level are candidates."""
    ranges: ClassVar[Ranges] = {"r": (1, inf)}
    rows = (
        Row("", "40.3 / 58.9 / 43.4", "OTA, Table 2"),
        Row("r=5", "40.1 / 58.4 / 43.4", "OTA, Table 2"),
        Row("r=7", "39.5 / 57.5 / 42.4", "OTA, Table 2"),
    )

    def build_assigner(self) -> Assigner:
        return PAA(self.r * self.r, anchor_scale=self.anchor_scale, min_positives=0)
