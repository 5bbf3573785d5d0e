"""YOLOX-Nano, 0.91 M parameters: separable convolutions; SimOTA.

    python tools/train.py -f exps/yolox_nano.py -d 8 -b 64 --fp16 data_dir=datasets/COCO

Published on COCO val at 416 px: AP 25.8 (YOLOX's README).
The official weights on 128 images of COCO val, converted (tools/convert_weights.py): AP 33.8,
AP50 49.3; 34.1 and 49.9 with point_labels=all, where a point may have more than its best class.
Ours: not yet measured.
"""

from otadet.exp.recipe import Row
from otadet.exp.yolox import YoloxNanoExp


class YoloxNano(YoloxNanoExp):
    rows = (Row("", "25.8", "YOLOX"),)
