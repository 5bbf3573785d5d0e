"""FCOS-R50 with OTA, the paper's 1x recipe (Ge et al. 2021, section 4.1).

    python tools/train.py -f exps/ota_fcos_r50.py -d 8 -b 16 --fp16 data_dir=datasets/COCO

Expected on COCO val: AP 40.7, AP50 58.4, AP75 44.3 (paper, Table 1, last FCOS row).
Ours: not yet measured.
"""

from otadet.exp import Exp


class OtaFcosR50(Exp):
    aliases = ("ota_r50",)

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
