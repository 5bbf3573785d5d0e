"""The recipe for images of one's own: YOLOX from published weights, in few steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from otadet.assign import OTA, Assigner, SimOTA
from otadet.exp.methods import with_dynamic_q
from otadet.exp.yolox import YoloxNanoExp


class FinetuneExp(YoloxNanoExp):
    """YOLOX-Nano with AdamW instead of SGD, and half of the samples a mosaic, to the end.

    What each choice is worth: docs/finetuning.md.
    """

    assigner: Literal["simota", "simota_short", "ota", "ota_short"] = "simota_short"
    """Label assignment, with YOLOX's cost. The short forms have q = 5, ota_short SimOTA's prior."""

    data_dir: str | None = None
    own_data = True

    input_size: tuple[int, int] = (320, 320)
    test_size: tuple[int, int] = (320, 320)
    multiscale: tuple[int, int] | None = None

    objectness: Literal["one", "iou"] = "iou"

    batch_size: int = 16
    max_epochs: int = 45
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 0.001
    lr_batch: int = 16
    weight_decay: float = 0.05
    warmup_iters: int = 50
    eval_interval: int = 5
    last_epochs: int = 0

    def build_assigner(self) -> Assigner:
        """Make the rule by which points are assigned to objects."""
        assigners = {
            "simota": SimOTA(),
            "simota_short": SimOTA.short(),
            "ota": OTA.yolox(),
            "ota_short": replace(OTA.short(), cost=OTA.yolox().cost),
        }
        return with_dynamic_q(assigners[self.assigner], self.dynamic_q)
