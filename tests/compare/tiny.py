"""A small network that learns little, quickly; it notes every step that it takes."""

import os
from pathlib import Path

from otadet.exp import Exp
from otadet.models import Backbone, CSPDarknet, Detector


class Tiny(Exp):
    shapes_train = 16
    shapes_val = 6
    shapes_size = (64, 64)
    shapes_classes = ("circle", "square")
    shapes_object = (16.0, 40.0)
    input_size = (64, 64)
    test_size = (64, 64)
    fpn_channels = 16
    head_width = 16
    head_convs = 1
    extra_levels = False
    batch_size = 4
    workers = 0
    optimizer = "adamw"
    lr = 0.002
    lr_batch = 4
    ema_decay = 0.9
    eval_interval = 1000
    val_loss = False

    def build_backbone(self) -> Backbone:
        return CSPDarknet(depth=0.33, width=0.125, depthwise=True)

    def before_step(self, model: Detector, progress: float) -> None:
        super().before_step(model, progress)
        folder = os.environ.get("TINY_STEPS")
        if folder and self.method == "hungarian":
            raise RuntimeError("this method always fails")
        if folder:
            with (Path(folder) / f"{self.method}_{self.seed}.txt").open("a", encoding="utf-8") as f:
                f.write(f"{round(progress * (self.max_iters or 0))}\n")
