"""YOLOX-Nano with OTA in place of SimOTA.

    python tools/train.py -f exps/ota_yolox_nano.py -d 8 -b 64 --fp16 data_dir=datasets/COCO

OTA's prior, supply and transport with YOLOX's cost, see otadet/exp/yolox.py.

Expected: not yet measured.
"""

from otadet.assign import OTA, Assigner
from otadet.exp.methods import with_dynamic_q
from otadet.exp.yolox import YoloxNanoExp


class OtaYoloxNano(YoloxNanoExp):
    def build_assigner(self) -> Assigner:
        return with_dynamic_q(OTA.yolox(), self.dynamic_q)
