"""OTA image by image with dense tensors: the obvious form, as a rival and an oracle.

Written from the paper's Algorithm 1 and the constants in DESIGN 4.1, in the plainest way:
every object against every point and every class, potentials and plan as full matrices.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot, softplus

from otadet.types import Points, Predictions, Target

EPS = torch.finfo(torch.float32).eps


def focal(logits: Tensor, labels: Tensor) -> Tensor:
    p = logits.sigmoid()
    positive = -0.25 * (1 - p) ** 2 * logsigmoid(logits)
    negative = 0.75 * p**2 * softplus(logits)
    return labels * positive + (1 - labels) * negative


def dense_candidates(points: Points, boxes: Tensor) -> Tensor:
    """``[G, A]`` bool."""
    xy, stride = points.xy, points.stride
    to_box = torch.cat([xy - boxes[:, None, :2], boxes[:, None, 2:] - xy], dim=-1)
    center = ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None]
    reach = 2.5 * stride[None, :, None]
    low = torch.maximum(center - reach, boxes[:, None, :2])
    high = torch.minimum(center + reach, boxes[:, None, 2:])
    to_center = torch.cat([xy - low, high - xy], dim=-1)
    return (to_box.amin(-1) > 0.01) & (to_center.amin(-1) > 0)


def dense_iou(predicted: Tensor, boxes: Tensor) -> Tensor:
    """``[G, A]``."""
    low = torch.maximum(predicted[None, :, :2], boxes[:, None, :2])
    high = torch.minimum(predicted[None, :, 2:], boxes[:, None, 2:])
    overlap = (high - low).clamp(min=0).prod(-1)
    areas = (predicted[:, 2:] - predicted[:, :2]).clamp(min=0).prod(-1)
    wanted = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1)
    return overlap / (areas[None] + wanted[:, None] - overlap).clamp(min=EPS)


def dense_ota_image(
    predicted: Tensor, logits: Tensor, points: Points, target: Target, iterations: int = 50
) -> Tensor:
    """``gt_index [A]`` of one image."""
    objects, total = len(target), len(predicted)
    if objects == 0:
        return torch.full((total,), -1, device=predicted.device)
    inside = dense_candidates(points, target.boxes)
    iou = dense_iou(predicted, target.boxes)
    labels = one_hot(target.labels, logits.shape[1]).float()
    shape = (objects, total, logits.shape[1])
    cost_class = focal(logits[None].expand(shape), labels[:, None].expand(shape)).sum(-1)
    cost_background = focal(logits, torch.zeros_like(logits)).sum(-1)
    cost = cost_class - 1.5 * iou.clamp(min=EPS).log() + 1e6 * ~inside
    best = (iou * inside).topk(min(20, total), dim=1).values
    supply = torch.ones(objects + 1, device=predicted.device)
    supply[:-1] = best.sum(1).int().clamp(min=1)
    supply[-1] = total - supply[:-1].sum()
    cost = torch.cat([cost, cost_background[None]])
    plan = dense_sinkhorn(supply, cost, iterations)
    plan = plan / plan.max(dim=1, keepdim=True).values
    winner = plan.max(dim=0).indices
    return torch.where(winner == objects, -1, winner)


def dense_sinkhorn(supply: Tensor, cost: Tensor, iterations: int, eps: float = 0.1) -> Tensor:
    """The plan ``[G + 1, A]`` after alternating updates that start at ones."""
    u, v = torch.ones_like(supply), torch.ones_like(cost[0])

    def exponent() -> Tensor:
        return (u[:, None] + v[None] - cost) / eps

    for _ in range(iterations):
        v = v - eps * exponent().logsumexp(dim=0)
        u = u + eps * ((supply + 1e-8).log() - exponent().logsumexp(dim=1))
    return exponent().exp()


def dense_ota(preds: Predictions, targets: list[Target]) -> Tensor:
    """``gt_index [B, A]``, one image after the other."""
    return torch.stack(
        [
            dense_ota_image(preds.boxes[i], preds.cls_logits[i], preds.points, target)
            for i, target in enumerate(targets)
        ]
    )
