"""YOLOX-Tiny, 5.06 M parameters; SimOTA, without mosaic yet.

    python tools/train.py -f exps/yolox_tiny.py -d 8 -b 64 --fp16 data_dir=datasets/COCO

Published on COCO val at 416 px: AP 32.8 (YOLOX's README, with mosaic).
Ours: not yet measured.
"""

from otadet.exp.yolox import YoloxExp


class YoloxTiny(YoloxExp):
    depth = 0.33
    width = 0.375

    input_size = (416, 416)
    test_size = (416, 416)
