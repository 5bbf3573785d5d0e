"""YOLOX-S with one 1x1 convolution a level as its head: the baseline of the decoupled head.

    python tools/train.py -f exps/yolox_s_coupled.py -d 8 -b 64 --fp16 data_dir=datasets/COCO

Published for a coupled and a decoupled head on COCO val at 640 px, with a Darknet-53 backbone:
AP 38.5 and 39.6 (Ge et al. 2021, Tables 1 and 2); see docs/yolox.md. Ours: not yet measured.
"""

from otadet.exp.yolox import YoloxExp


class YoloxSCoupled(YoloxExp):
    depth = 0.33
    width = 0.5
    head = "coupled"
