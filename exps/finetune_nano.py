"""YOLOX-Nano from published weights on a few hundred images of your own: minutes on a CPU.

    python tools/train.py -f exps/finetune_nano.py -c yolox_nano -d cpu data_dir=my/data

AdamW instead of SGD; half of the samples a mosaic, to the end. Give input_size and test_size the
shape of your images (256,320 for 640 x 480). ``assigner=ota`` takes OTA. What each of these is
worth: docs/finetuning.md. Expected with max_epochs=24 input_size=256,320 test_size=256,320: BCCD
AP 0.62, AP50 0.92, in 418 s of one core.
"""

from typing import Literal

from otadet.assign import OTA, Assigner, SimOTA
from otadet.exp.methods import with_dynamic_q
from otadet.exp.recipe import Row
from otadet.exp.yolox import YoloxNanoExp


class FinetuneNano(YoloxNanoExp):
    own_data = True
    rows = (Row(ours="AP 62 on BCCD at 256 x 320, 24 epochs, from published weights"),)

    assigner: Literal["simota", "ota"] = "simota"
    """Label assignment, with YOLOX's cost."""

    data_dir = None

    input_size = (320, 320)
    test_size = (320, 320)
    multiscale = None

    batch_size = 16
    max_epochs = 45
    optimizer = "adamw"
    lr = 0.001
    lr_batch = 16
    weight_decay = 0.05
    warmup_iters = 50
    eval_interval = 5
    last_epochs = 0

    def build_assigner(self) -> Assigner:
        assigner = OTA.yolox() if self.assigner == "ota" else SimOTA()
        return with_dynamic_q(assigner, self.dynamic_q)
