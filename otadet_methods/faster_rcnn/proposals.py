"""Region proposals: their anchors, their selection by NMS, their assignment by IoU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import batched_nms

from otadet.assign import Assigner, FlatBatch, MatchProblem, MatchResult
from otadet.assign.candidates import build_candidates, table_of
from otadet.assign.costs import pair_iou
from otadet.assign.rules import rule_result
from otadet.boxes import aligned_iou
from otadet.types import Points, Predictions

_MIN_SIDE = 1e-2
"""Pixels; a narrower box is no proposal."""


def anchor_points(
    generator: AnchorGenerator, shapes: Sequence[tuple[int, int]], strides: Sequence[int],
    device: torch.device,
) -> Points:  # fmt: skip
    """Make torchvision's anchors as points that carry their boxes; several share a place.

    Args:
        generator: sizes and shapes of the boxes.
        shapes: height and width of each level, finest first.
        strides: pixels between places, one a level.
        device: where the tensors are made.
    """
    generator.set_cell_anchors(torch.float32, device)
    steps = [[torch.tensor(s, device=device)] * 2 for s in strides]
    boxes = generator.grid_anchors([list(shape) for shape in shapes], steps)
    counts = [len(b) for b in boxes]
    anchors = torch.cat(boxes)
    stride = [torch.full((n,), float(s), device=device) for n, s in zip(counts, strides)]
    level = [torch.full((n,), i, device=device) for i, n in enumerate(counts)]
    return Points(
        xy=(anchors[:, :2] + anchors[:, 2:]) / 2,
        stride=torch.cat(stride),
        level=torch.cat(level),
        anchors=anchors,
    )


@torch.no_grad()
def propose(
    rpn: Predictions, levels: Sequence[int], size: tuple[int, int], before: int, count: int,
    iou_threshold: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Select the best boxes of a region proposal network.

    Ren et al. 2015; by levels as in Lin et al. 2017. All images go through NMS together, so that
    the device synchronises as often as NMS does.

    Args:
        rpn: predictions at ``N`` anchors.
        levels: number of anchors of each level, finest first.
        size: height and width of the input, pixels; boxes are clipped to it.
        before: the best so many of each level go into NMS.
        count: proposals of each image, ``A``.
        iou_threshold: of NMS within a level.

    Returns:
        ``boxes [B, A, 4]`` by falling score and ``valid [B, A]``; where an image has fewer, the
        rest are boxes of a pixel and not valid.
    """
    logits = rpn.cls_logits.squeeze(-1).float()
    chosen, start = [], 0
    for number in levels:
        part = logits[:, start : start + number]
        chosen.append(part.topk(min(before, number), dim=1).indices + start)
        start += number
    index = torch.cat(chosen, dim=1)
    batch = len(index)
    boxes = rpn.boxes.float().gather(1, index[..., None].expand(-1, -1, 4))
    limit = boxes.new_tensor([size[1], size[0], size[1], size[0]])
    boxes = torch.minimum(boxes.clamp(min=0), limit)
    usable = (boxes[..., 2:] - boxes[..., :2] >= _MIN_SIDE).all(dim=-1)
    image = torch.arange(batch, device=boxes.device)[:, None].expand_as(index)[usable]
    group = image * len(levels) + rpn.points.level[index][usable]
    boxes = boxes[usable]
    keep = batched_nms(boxes, logits.gather(1, index)[usable], group, iou_threshold)
    return _table(boxes[keep], image[keep], batch, count)


def _table(boxes: Tensor, image: Tensor, batch: int, count: int) -> tuple[Tensor, Tensor]:
    """Return the first ``count`` boxes of each image in their order, padded."""
    order = image.argsort(stable=True)
    owner = image[order]
    counts = torch.zeros(batch, dtype=torch.int64, device=image.device)
    counts.index_add_(0, owner, torch.ones_like(owner))
    place = torch.arange(len(owner), device=image.device) - (counts.cumsum(0) - counts)[owner]
    within = place < count
    table = boxes.new_tensor([0.0, 0, 1, 1]).repeat(batch, count, 1)
    table[owner[within], place[within]] = boxes[order[within]]
    return table, torch.arange(count, device=image.device) < counts[:, None]


@dataclass(frozen=True)
class ProposalIoU(Assigner):
    """Girshick et al. 2014: a proposal serves the object of its largest IoU, from one IoU on.

    Asked about predictions whose boxes are the proposals.

    Attributes:
        positive: IoU from which a proposal is positive; it is background below.
        min_positives: 1 gives an object that ended without a proposal one back; 0 is as published.
    """

    positive: float = 0.5
    min_positives: int = 0

    def solve(self, batch: FlatBatch) -> tuple[MatchProblem, MatchResult]:
        """Decide for a batch that has at least one object; compares all pairs of an image."""
        theirs = batch.boxes.view(batch.num_images, -1, 4)[batch.gt_image]
        iou = aligned_iou(theirs, batch.gt_boxes[:, None])
        candidates = build_candidates(batch, *table_of(iou >= self.positive), None)
        return rule_result(batch, candidates, candidates.valid, pair_iou(batch, candidates))
