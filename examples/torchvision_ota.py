"""OTA in torchvision's own FCOS and RetinaNet: one method of each, the rest is torchvision's.

model = OTAFCOS(backbone, num_classes=4)
losses = model(images, targets)  # as ever
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.models.detection import FCOS, RetinaNet

from otadet.assign import OTA, Assigner, assign_tensors

Objects = list[dict[str, Tensor]]
Outputs = dict[str, Tensor]


class OTAFCOS(FCOS):
    """FCOS whose points are assigned by :attr:`assigner`."""

    assigner: Assigner = OTA()

    def compute_loss(
        self, targets: Objects, head_outputs: Outputs, anchors: list[Tensor], counts: list[int]
    ) -> dict[str, Tensor]:
        """Compute torchvision's losses over the assigner's positives."""
        cells = anchors[0]  # square, a stride wide, the same in every image of a batch
        found = assign_tensors(
            self.assigner,
            self.box_coder.decode(head_outputs["bbox_regression"], torch.stack(anchors)),
            head_outputs["cls_logits"],
            [(each["boxes"], each["labels"]) for each in targets],
            xy=(cells[:, :2] + cells[:, 2:]) / 2,
            stride=cells[:, 2] - cells[:, 0],
        )
        return self.head.compute_loss(targets, head_outputs, anchors, list(found.gt_index))


class OTARetinaNet(RetinaNet):
    """RetinaNet whose anchors are assigned by :attr:`assigner`."""

    assigner: Assigner = OTA()

    def compute_loss(
        self, targets: Objects, head_outputs: Outputs, anchors: list[Tensor]
    ) -> dict[str, Tensor]:
        """Compute torchvision's losses over the assigner's positives."""
        boxes, cells = head_outputs["bbox_regression"], anchors[0]
        side = (cells[:, 2:] - cells[:, :2]).prod(dim=1).sqrt()
        found = assign_tensors(
            self.assigner,
            torch.stack([self.box_coder.decode_single(b, a) for b, a in zip(boxes, anchors)]),
            head_outputs["cls_logits"],
            [(each["boxes"], each["labels"]) for each in targets],
            xy=(cells[:, :2] + cells[:, 2:]) / 2,
            stride=2 ** (side.log2() + 0.01).floor() / 4,  # 32 px and up to an octave: stride 8
        )
        return self.head.compute_loss(targets, head_outputs, anchors, list(found.gt_index))
