"""A small FCOS with OTA on generated shapes: the whole way from nothing, in minutes on a CPU.

    make quickstart

Expected: AP50 of at least 0.85 on pictures that were not trained on.
"""

from otadet.exp import Exp


class Quickstart(Exp):
    backbone = "resnet10"
    extra_levels = False
    fpn_channels = 64
    head_width = 64
    head_convs = 2

    shapes_train = 4000
    shapes_val = 100
    shapes_size = (192, 192)
    input_size = (192, 192)
    test_size = (192, 192)

    batch_size = 16
    max_iters = 300
    lr = 0.002
    optimizer = "adamw"
    weight_decay = 0.01
    schedule = "cosine"
    warmup_iters = 30
    clip_grad = 10.0
    ema_decay = 0.99
    eval_interval = 100
    workers = 1
