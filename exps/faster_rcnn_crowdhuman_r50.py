"""Faster R-CNN-R50 with FPN on CrowdHuman, 30 epochs: the two-stage baseline in crowds.

    python tools/train.py -f exps/faster_rcnn_crowdhuman_r50.py -d 8 -b 16 --fp16

Expected on CrowdHuman val: MR 48.7, AP 86.1, recall 90.4 (Ge et al. 2021, Table 6).
Ours: not yet measured.
"""

from otadet.exp.crowdhuman import CrowdHumanRecipe
from otadet.exp.recipe import Row
from otadet_methods.faster_rcnn import RcnnExp


class FasterRcnnCrowdhumanR50(RcnnExp, CrowdHumanRecipe):
    aliases = ("faster_rcnn_crowdhuman",)

    rows = (Row("", "MR 48.7, AP 86.1, recall 90.4", "OTA, Table 6 (Faster R-CNN with FPN)"),)
