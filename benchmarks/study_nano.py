"""YOLOX-Nano from published weights under a form of OTA: ``variant=ota_q5``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ota_variants import variant

from otadet.assign import Assigner
from otadet.exp.yolox import YoloxNanoExp


class StudyNano(YoloxNanoExp):
    variant: str = "simota_q10"
    """Form of the assigner."""

    data_dir = None
    input_size = (224, 224)
    test_size = (224, 224)
    multiscale = None
    batch_size = 8
    optimizer = "adamw"
    lr = 0.0007
    lr_batch = 8
    weight_decay = 0.05
    warmup_iters = 30
    last_epochs = 0
    eval_interval = 1000

    def build_assigner(self) -> Assigner:
        return variant(self.variant, yolox=True)
