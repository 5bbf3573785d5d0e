"""FCOS-R18 with OTA for small pictures and a laptop; starts from nothing.

    python tools/train.py -f exps/ota_fcos_r18.py -d cpu -b 8 data_dir=DATA \\
        train_ann=annotations/train.json val_ann=annotations/val.json \\
        train_images=images val_images=images

Expected: see README.md for the blood cells of BCCD, trained from scratch on two CPU cores.
"""

from otadet.exp import Exp


class OtaFcosR18(Exp):
    aliases = ("ota_r18",)

    backbone = "resnet18"
    fpn_channels = 128
    head_width = 128
    head_convs = 2

    resize = "letterbox"
    input_size = (320, 320)
    test_size = (320, 320)
    crop = 0.5
    color_jitter = True

    max_epochs = 24
    lr = 0.02
    schedule = "cosine"
    warmup_iters = 200
    clip_grad = 10.0
    ema_decay = 0.998
    workers = 2
