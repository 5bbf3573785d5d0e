"""torchvision's FCOS-R50 (Tian et al. 2019), for the weights that torchvision publishes.

    python tools/eval.py -n fcos_r50_torchvision data_dir=datasets/COCO
    python tools/train.py -f exps/fcos_r50_torchvision.py -c fcos_r50_torchvision -d 8 -b 16 --fp16

Published on COCO val at 800 px: AP 39.2 (torchvision, FCOS_ResNet50_FPN_Weights.COCO_V1).
Ours: not yet measured.
"""

from otadet.assign import Assigner, FCOSAssigner
from otadet.exp.paper import PaperExp
from otadet.models import FPN, Detector, FCOSHead, ResNetBackbone


class FcosR50Torchvision(PaperExp):
    quality = "centerness"

    def build_model(self, num_classes: int) -> Detector:
        """The network of ``fcos_resnet50_fpn``: biases in the towers, points in the corners."""
        backbone = ResNetBackbone(self.backbone, self.frozen_norm, self.frozen_stages)
        neck = FPN(backbone.channels, self.fpn_channels, self.extra_levels)
        head = FCOSHead(
            neck.channels,
            num_classes,
            neck.strides,
            width=self.head_width,
            num_convs=self.head_convs,
            quality=self.quality,
            tower_bias=True,
            corners=True,
        )
        return Detector(backbone, neck, head, self.build_normalize())

    def build_assigner(self) -> Assigner:
        return FCOSAssigner()
