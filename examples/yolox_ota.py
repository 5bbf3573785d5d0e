"""OTA in YOLOX and its forks, by one line after the model is built.

model.head.get_assignments = YoloxAssignments()
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import box_convert

from otadet.assign import OTA, Assigner, assign_tensors


class YoloxAssignments:
    """Takes the place of ``YOLOXHead.get_assignments``, which is called for each image.

    Args:
        assigner: decides; by default OTA with the cost of YOLOX.
    """

    def __init__(self, assigner: Assigner | None = None) -> None:
        self.assigner = OTA.yolox() if assigner is None else assigner

    @torch.no_grad()
    def __call__(
        self, batch_idx: int, num_gt: int, gt_bboxes_per_image: Tensor, gt_classes: Tensor,
        bboxes_preds_per_image: Tensor, expanded_strides: Tensor, x_shifts: Tensor,
        y_shifts: Tensor, cls_preds: Tensor, obj_preds: Tensor, mode: str = "gpu",
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:  # fmt: skip
        """Return class, mask over all points, IoU and object of the positives; their number."""
        cells = torch.stack([x_shifts[0], y_shifts[0]], dim=-1)
        found = assign_tensors(
            self.assigner,
            box_convert(bboxes_preds_per_image, "cxcywh", "xyxy")[None],
            cls_preds[batch_idx][None],
            [(box_convert(gt_bboxes_per_image, "cxcywh", "xyxy"), gt_classes)],
            xy=(cells + 0.5) * expanded_strides[0, :, None],
            stride=expanded_strides[0],
            quality=obj_preds[batch_idx, :, 0][None],
        )
        positive = found.gt_index[0] >= 0
        index = found.gt_index[0][positive]
        return gt_classes[index], positive, found.iou[0][positive], index, len(index)
