"""The small network under which benchmarks compare methods: FCOS on YOLOX-Nano's backbone.

    python tools/train.py -f benchmarks/small_fcos.py -c yolox_nano -d cpu method=atss data_dir=DATA

Published weights in the backbone, everything behind it fresh: 400 steps of 8 images teach it
something in two minutes of one core. No mosaic, so that nothing but the method differs from
FCOS's way of training.
"""

from torch import nn

from otadet.exp import Exp
from otadet.models import CSPDarknet, Detector, Normalize


class SmallFcos(Exp):
    train_ann = "annotations/train.json"
    val_ann = "annotations/val.json"
    train_images = "images"
    val_images = "images"
    workers = 0

    shapes_train = 400
    shapes_val = 150
    shapes_size = (192, 256)
    shapes_object = (14.0, 56.0)
    shapes_crowding = 0.9

    input_size = (192, 256)
    test_size = (192, 256)
    crop = 0.5

    fpn_channels = 64
    head_width = 64
    head_convs = 2
    extra_levels = False
    cpu_layout = "channels_last"

    batch_size = 8
    max_iters = 400
    optimizer = "adamw"
    lr = 0.002
    lr_batch = 8
    weight_decay = 0.05
    schedule = "cosine"
    warmup_iters = 40
    clip_grad = 10.0
    ema_decay = 0.99
    eval_interval = 1000
    val_loss = False
    max_detections = 300

    def build_backbone(self) -> nn.Module:
        """Nano's."""
        return CSPDarknet(depth=0.33, width=0.25, depthwise=True)

    def build_normalize(self) -> nn.Module:
        """Pixels stay 0 to 255, as the published weights expect them."""
        return Normalize(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def load_pretrained(self, model: Detector) -> None:
        """The backbone's weights come with ``-c``."""
