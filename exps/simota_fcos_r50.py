"""FCOS-R50 with SimOTA in place of OTA, all else as in ota_fcos_r50.py.

    python tools/train.py -f exps/simota_fcos_r50.py -d 8 -b 16 --fp16 data_dir=datasets/COCO

Expected: not yet measured. OTA reaches AP 40.7 on COCO val (Ge et al. 2021, OTA, Table 1).
"""

from otadet.assign import Assigner, SimOTA
from otadet.exp import Exp


class SimotaFcosR50(Exp):
    data_dir = "datasets/COCO"

    backbone = "resnet50"
    backbone_weights = "IMAGENET1K_V1"
    frozen_norm = True
    frozen_stages = 2

    resize = "shortest"
    input_size = (800, 1333)
    test_size = (800, 1333)

    max_iters = 90_000
    lr = 0.01
    milestones = (60 / 90, 80 / 90)
    warmup_iters = 1000
    weight_decay = 1e-4
    ema_decay = 0.0

    def build_assigner(self) -> Assigner:
        return SimOTA()
