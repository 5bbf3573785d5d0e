"""YOLOX-Nano with OTA in place of SimOTA.

    python tools/train.py -f exps/ota_yolox_nano.py -d 8 -b 64 --fp16 data_dir=datasets/COCO

OTA's prior, supply and transport with YOLOX's cost: the class branch of YOLOX learns on positives
only, so that focal loss would read meaning into what it says of the background.

Expected: not yet measured.
"""

from otadet.assign import OTA, Assigner, BCECost, IoUCost
from otadet.exp.yolox import YoloxExp


class OtaYoloxNano(YoloxExp):
    depth = 0.33
    width = 0.25
    depthwise = True

    input_size = (416, 416)
    test_size = (416, 416)
    multiscale = (320, 640)
    mosaic = 0.5
    mosaic_scale = (0.5, 1.5)
    mixup = 0.0

    def build_assigner(self) -> Assigner:
        return OTA(cost=BCECost() + 3.0 * IoUCost(clamp=0.0, add=1e-8))
