"""Faster R-CNN-R50 with FPN (Ren et al. 2015, Lin et al. 2017): the two-stage baseline.

    python tools/train.py -f exps/faster_rcnn_r50.py -d 8 -b 16 --fp16 data_dir=datasets/COCO

Small, on a CPU: backbone=resnet10 backbone_weights=none frozen_norm=false frozen_stages=0
fpn_channels=64 roi_width=128 proposals=200 anchor_scale=4 resize=letterbox test_size=128,128 ...

Published on COCO val with the 1x recipe: AP 37.0 (torchvision, FasterRCNN_ResNet50_FPN_Weights).
Ours: not yet measured; on CrowdHuman see faster_rcnn_crowdhuman_r50. The small one, 240 steps of
8 generated images, lr=0.002: AP50 0.48. Unlike in the original, ground-truth boxes are not
added to the proposals that the second stage learns from.
"""

from otadet_methods.faster_rcnn import RcnnExp


class FasterRcnnR50(RcnnExp):
    aliases = ("faster_rcnn",)
