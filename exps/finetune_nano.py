"""YOLOX-Nano from published weights on a few hundred images of your own: minutes on a CPU.

    python tools/train.py -f exps/finetune_nano.py -c yolox_nano -d cpu data_dir=my/data

AdamW instead of SGD; half of the samples a mosaic, to the end; fewer points an object than in
YOLOX, and objectness that learns the IoU. Give input_size and test_size the shape of your images
(256,320 for 640 x 480). ``assigner=ota_short`` takes OTA. What each of these is worth:
docs/finetuning.md, docs/results.md. Expected with max_epochs=24 input_size=256,320
test_size=256,320: BCCD AP 0.63, AP50 0.92, in 389 s of one core. exps/auto.py chooses size, epochs
and more by itself.
"""

from otadet.exp.finetune import FinetuneExp
from otadet.exp.recipe import Row


class FinetuneNano(FinetuneExp):
    rows = (Row(ours="AP 63 on BCCD at 256 x 320, 24 epochs, from published weights"),)
