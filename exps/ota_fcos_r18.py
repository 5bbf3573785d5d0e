"""FCOS-R18 with OTA (q = 5, SimOTA's prior) for small images and a laptop; starts from scratch.

    python tools/train.py -f exps/ota_fcos_r18.py -d cpu -b 8 data_dir=DATA \\
        train_ann=annotations/train.json val_ann=annotations/val.json \\
        train_images=images val_images=images

Expected: AP50 0.64 on the blood cells of BCCD with max_epochs=12 method=ota, in 12 minutes of two
CPU cores; more with the default, which learns faster in short runs (docs/results.md). From
published weights exps/finetune_nano.py reaches 0.92.
"""

from otadet.exp import Exp
from otadet.exp.recipe import Row


class OtaFcosR18(Exp):
    aliases = ("ota_r18",)
    own_data = True

    rows = (
        Row(),
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
