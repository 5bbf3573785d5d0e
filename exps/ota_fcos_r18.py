"""FCOS-R18 with OTA (q = 5, SimOTA's prior) for small images and a laptop; starts from scratch.

    python tools/train.py -f exps/ota_fcos_r18.py -d cpu -b 8 data_dir=DATA \\
        train_ann=annotations/train.json val_ann=annotations/val.json \\
        train_images=images val_images=images

Expected: AP 0.53, AP50 0.87 on the blood cells of BCCD with max_epochs=12, in 13 minutes of one
core; AP50 0.64 with method=ota, which learns more slowly (docs/results.md). From published weights
exps/finetune_nano.py reaches AP50 0.92.
"""

from otadet.exp import Exp
from otadet.exp.recipe import Row


class OtaFcosR18(Exp):
    aliases = ("ota_r18",)
    own_data = True

    rows = (
        Row(ours="AP 53, AP50 87 on BCCD, 12 epochs from scratch"),
        Row(words="method=ota", ours="AP50 64 on BCCD, 12 epochs from scratch"),
    )

    method = "ota_short"
    backbone = "resnet18"
    fpn_channels = 96
    head_width = 96
    head_convs = 2

    input_size = (288, 288)
    test_size = (288, 288)
    crop = 0.5
    color_jitter = True

    batch_size = 8
    max_epochs = 16
    lr = 0.001
    lr_batch = 8
    optimizer = "adamw"
    weight_decay = 0.05
    schedule = "cosine"
    warmup_iters = 100
    clip_grad = 10.0
    ema_decay = 0.998
    workers = 2
