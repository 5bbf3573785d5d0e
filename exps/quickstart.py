"""A small FCOS with OTA on generated shapes: from scratch, in minutes on a CPU.

    make quickstart

Expected: AP50 of at least 0.85 on images that were not trained on.
"""

from otadet.exp import Exp
from otadet.exp.recipe import Row


class Quickstart(Exp):
    rows = (Row(ours="AP50 90 on generated images"),)

    backbone = "resnet10"
    extra_levels = False
    fpn_channels = 64
    head_width = 64
    head_convs = 2

    shapes_classes = ("circle", "triangle", "cross")
    shapes_train = 2400
    shapes_val = 100
    shapes_size = (128, 128)
    shapes_object = (20.0, 64.0)
    shapes_crowding = 0.3
    input_size = (128, 128)
    test_size = (128, 128)

    batch_size = 8
    max_epochs = 3
    lr = 0.002
    lr_batch = 8
    optimizer = "adamw"
    weight_decay = 0.01
    schedule = "cosine"
    warmup_iters = 30
    clip_grad = 10.0
    ema_decay = 0.998
    workers = 1
