"""RetinaNet-R50 with one square anchor a location and its own assignment, by the IoU of anchors.

    python tools/train.py -f exps/retinanet_r50.py -d 8 -b 16 --fp16 data_dir=datasets/COCO

Expected: not published for this form. RetinaNet with nine anchors has AP 36.5 on COCO val
(README of the official OTA code). Ours: not yet measured.
"""

from otadet.assign import Assigner, MaxIoU
from otadet.exp.paper import PaperExp


class RetinanetR50(PaperExp):
    head = "retinanet"
    quality = "none"

    def build_assigner(self) -> Assigner:
        return MaxIoU(anchor_scale=self.anchor_scale, min_positives=0)
