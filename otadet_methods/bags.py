"""Bags of points: what FreeAnchor and AutoAssign share, which weigh points instead of choosing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from otadet.assign import Assigner
from otadet.criteria import loss_report, mean_positives
from otadet.losses import giou_loss, soft_background_loss
from otadet.types import LossReport, Predictions, Target

NEVER = -1e30
"""A logarithm that stands for 0 beside any other, and unlike ``-inf`` has a gradient."""


@dataclass(frozen=True, eq=False)
class Bags:
    """The objects of a batch, each with its bag of ``K`` slots; ``N = B * A`` points in all.

    Attributes:
        preds: of the network, with gradient.
        point: ``[G, K]`` int64 row of the flattened batch, 0 in unused slots.
        valid: ``[G, K]`` bool, slots in use; never a point of an ignore region.
        boxes: ``[G, 4]`` float32 the objects' boxes.
        labels: ``[G]`` int64.
        image: ``[G]`` int64.
        ignored: ``[N]`` bool, points of ignore regions, or ``None``.
        stats: the assigner's scalars.
    """

    preds: Predictions
    point: Tensor
    valid: Tensor
    boxes: Tensor
    labels: Tensor
    image: Tensor
    ignored: Tensor | None
    stats: dict[str, Tensor]

    def own_logits(self) -> Tensor:
        """Return ``[G, K]`` float32 logits for the object's class, with gradient."""
        return self.preds.cls_logits.flatten(0, 1)[self.point, self.labels[:, None]].float()

    def box_loss(self) -> Tensor:
        """Return the ``[G, K]`` GIoU loss of the predicted boxes, with gradient."""
        predicted = self.preds.boxes.flatten(0, 1)[self.point]
        wanted = self.boxes[:, None].expand_as(predicted)
        return giou_loss(predicted.flatten(0, 1), wanted.flatten(0, 1)).view_as(self.valid)

    def spread(self, degree: Tensor, point: Tensor) -> Tensor:
        """Return ``[N, C]``: how positive each point is for each class, the largest of its objects.

        Args:
            degree: ``[G, M]`` in [0, 1], no gradient.
            point: ``[G, M]`` int64 row of the flattened batch.
        """
        classes = self.preds.num_classes
        count = self.preds.batch_size * len(self.preds.points)
        where = (point * classes + self.labels[:, None]).flatten()
        flat = degree.new_zeros(count * classes)
        return flat.scatter_reduce_(0, where, degree.flatten(), "amax").view(count, classes)

    def background(self, log_p: Tensor, log_not_p: Tensor, positive: Tensor) -> Tensor:
        """Return the background loss of all points and classes outside ignore regions.

        The sum of :func:`~otadet.losses.soft_background_loss` over ``[N, C]``, a scalar.
        """
        loss = soft_background_loss(log_p, log_not_p, positive).sum(dim=-1)
        return loss.sum() if self.ignored is None else torch.where(self.ignored, 0.0, loss).sum()


def bags_of(assigner: Assigner, preds: Predictions, targets: Sequence[Target]) -> Bags:
    """Return the candidates of an assigner as bags.

    Raises:
        ValueError: where a prediction is NaN or infinite; names the image.
    """
    output = assigner.run(preds, targets)
    device = preds.boxes.device
    if output.problem is None:
        point = torch.zeros((0, 1), dtype=torch.int64, device=device)
        valid = torch.zeros((0, 1), dtype=torch.bool, device=device)
    else:
        candidates = output.problem.candidates
        # What inference mode made must become ordinary tensors before a gradient may need them.
        point, valid = candidates.point.clone(), candidates.valid.clone()
    ignored = output.batch.ignored
    return Bags(
        preds=preds,
        point=point,
        valid=valid,
        boxes=torch.cat([t.boxes for t in targets]).float(),
        labels=torch.cat([t.labels for t in targets]),
        image=output.batch.gt_image.clone(),
        ignored=None if ignored is None else ignored.clone(),
        stats=output.assignment.stats,
    )


def log_sigmoids(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the float32 logarithms of ``sigmoid(logits)`` and of its complement."""
    logits = logits.float()
    return F.logsigmoid(logits), F.logsigmoid(-logits)


def masked(value: Tensor, valid: Tensor) -> Tensor:
    """Return logarithms with :data:`NEVER` where not ``valid``."""
    return torch.where(valid, value, NEVER)


def bag_report(
    bags: Bags, positive: Tensor, background: Tensor, weights: tuple[float, float]
) -> LossReport:
    """Make the report of a loss with one term an object and one for the background.

    Args:
        bags: the objects.
        positive: ``[G]`` term of each object; not looked at where a bag is empty.
        background: scalar sum over points.
        weights: factors of the two.

    Returns:
        Terms ``bag`` and ``background``, both divided by the number of objects with a bag,
        averaged over processes and at least 1.
    """
    present = bags.valid.any(dim=1)
    objects = mean_positives(present)
    norm = objects.clamp(min=1.0)
    terms = {
        "bag": weights[0] * torch.where(present, positive, 0.0).sum() / norm,
        "background": weights[1] * background / norm,
    }
    return loss_report(terms, objects, {"positives": bags.valid.sum(), **bags.stats})
