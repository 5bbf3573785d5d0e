"""Slow, obvious versions of what the library does fast: one object and one point at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from torch import Tensor

from otadet.boxes import area as box_areas
from otadet.types import Points, Target

EPS = float(np.finfo(np.float32).eps)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def iou(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = area(a) + area(b) - width * height
    return width * height / union if union > 0 else 0.0


def area(box: list[float]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def giou(a: list[float], b: list[float]) -> float:
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = area(a) + area(b) - width * height
    return width * height / (union + 1e-7) - (hull - union) / (hull + 1e-7)


def min_side(x: float, y: float, box: list[float]) -> float:
    return min(x - box[0], y - box[1], box[2] - x, box[3] - y)


def center(box: list[float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def focal_sum(logits: list[float], label: int | None) -> float:
    """Focal loss over classes; ``None`` is background."""
    total = 0.0
    for index, x in enumerate(logits):
        p = sigmoid(x)
        if index == label:
            total += 0.25 * (1 - p) ** 2 * softplus(-x)
        else:
            total += 0.75 * p**2 * softplus(x)
    return total


def center_candidates(points: Points, boxes: list[list[float]], radius: float, inside: bool):
    """For each object the set of points strictly in its centre box."""
    found = []
    for box in boxes:
        cx, cy = center(box)
        mine = set()
        for j, (x, y) in enumerate(points.xy.tolist()):
            reach = radius * float(points.stride[j])
            near = [cx - reach, cy - reach, cx + reach, cy + reach]
            if inside:
                near = [max(near[0], box[0]), max(near[1], box[1]),
                        min(near[2], box[2]), min(near[3], box[3])]  # fmt: skip
            if min_side(x, y, near) > 0 and (not inside or min_side(x, y, box) > 0.01):
                mine.add(j)
        found.append(mine)
    return found


def closest_per_level(points: Points, box: list[float], count: int) -> list[list[int]]:
    """For each level the points closest to the centre of the box."""
    cx, cy = center(box)
    table = []
    for level in range(int(points.level.max()) + 1):
        here = [j for j in range(len(points)) if int(points.level[j]) == level]
        here.sort(key=lambda j: math.dist((cx, cy), points.xy[j].tolist()))
        table.append(here[:count])
    return table


def ota_costs(predicted, logits, target: Target, candidates):
    """``cost [G, A]`` with infinity where no candidate, ``background [A]``, ``iou [G, A]``."""
    boxes, labels = target.boxes.tolist(), target.labels.tolist()
    cost = np.full((len(boxes), len(predicted)), np.inf)
    overlap = np.zeros_like(cost)
    for i, box in enumerate(boxes):
        for j in candidates[i]:
            overlap[i, j] = iou(predicted[j], box)
            loss = -math.log(max(overlap[i, j], EPS))
            cost[i, j] = focal_sum(logits[j], labels[i]) + 1.5 * loss
    background = np.array([focal_sum(row, None) for row in logits])
    return cost, background, overlap


def dynamic_k(overlap: np.ndarray, q: int) -> np.ndarray:
    return np.array([max(1, int(np.sort(row)[::-1][:q].sum())) for row in overlap])


def sinkhorn_plan(cost, background, supply, eps: float, iterations: int):
    """``plan [G + 1, A]`` in 64-bit logarithms, the background last."""
    full = np.vstack([cost, background])
    rows = np.append(supply, full.shape[1] - supply.sum()).astype(float)
    u, v = np.ones(full.shape[0]), np.ones(full.shape[1])

    def log_sum(axis: int) -> np.ndarray:
        return np.logaddexp.reduce((u[:, None] + v[None] - full) / eps, axis=axis)

    for _ in range(iterations):
        v = v - eps * log_sum(0)
        u = u + eps * (np.log(rows + 1e-8) - log_sum(1))
    return np.exp((u[:, None] + v[None] - full) / eps)


def decode_rows(plan: np.ndarray) -> np.ndarray:
    relative = plan / plan.max(axis=1, keepdims=True)
    winner = relative.argmax(axis=0)
    return np.where(winner == len(plan) - 1, -1, winner)


def best_assignment(cost, background, supply) -> float:
    """Least total reduced cost over all ways to hand out exactly the supply, by trying all."""
    objects, total = cost.shape
    best = math.inf
    for owner in itertools.product(range(-1, objects), repeat=total):
        counts = [owner.count(i) for i in range(objects)]
        if counts != list(supply):
            continue
        best = min(best, sum(cost[i, j] - background[j] for j, i in enumerate(owner) if i >= 0))
    return best


def simota(predicted, logits, quality, points: Points, target: Target, union: bool = False):
    """``gt_index [A]`` after YOLOX: current form, or the first releases'."""
    boxes, labels = target.boxes.tolist(), target.labels.tolist()
    near = center_candidates(points, boxes, 2.5 if union else 1.5, inside=False)
    inside = [
        {j for j, (x, y) in enumerate(points.xy.tolist()) if min_side(x, y, box) > 0}
        for box in boxes
    ]
    own = [near[i] & inside[i] if union else near[i] for i in range(len(boxes))]
    parts = near + inside if union else near
    pool = sorted(set().union(*parts))
    overlap = np.array([[iou(predicted[j], box) for j in pool] for box in boxes])
    cost = np.zeros_like(overlap)
    for i, label in enumerate(labels):
        for slot, j in enumerate(pool):
            loss = 0.0
            for c, x in enumerate(logits[j]):
                p = math.sqrt(sigmoid(x) * sigmoid(quality[j]))
                loss -= max(-100.0, math.log(p) if c == label else math.log1p(-p))
            far = 0.0 if j in own[i] else (1e5 if union else math.inf)
            cost[i, slot] = loss - 3 * math.log(overlap[i, slot] + 1e-8) + far
    supply = dynamic_k(overlap, 10)
    taken: dict[int, list[int]] = {}
    for i in range(len(boxes)):
        for slot in np.argsort(cost[i], kind="stable")[: supply[i]]:
            if np.isfinite(cost[i, slot]):
                taken.setdefault(int(slot), []).append(i)
    index = np.full(len(predicted), -1)
    for slot, takers in taken.items():
        index[pool[slot]] = takers[0] if len(takers) == 1 else int(cost[:, slot].argmin())
    return index


def fcos(points: Points, target: Target, radius: float | None):
    boxes = target.boxes.tolist()
    last = int(points.level.max())
    near = None if radius is None else center_candidates(points, boxes, radius, inside=True)
    index = np.full(len(points), -1)
    for j, (x, y) in enumerate(points.xy.tolist()):
        stride, level = float(points.stride[j]), int(points.level[j])
        low = 0 if level == 0 else 4 * stride
        high = math.inf if level == last else 8 * stride
        fits = []
        for i, box in enumerate(boxes):
            far = max(x - box[0], y - box[1], box[2] - x, box[3] - y)
            here = min_side(x, y, box) > 0.01 if near is None else j in near[i]
            if here and low <= far <= high:
                fits.append((area(box), i))
        if fits:
            index[j] = min(fits)[1]
    return index


def square(points: Points, j: int, scale: float) -> list[float]:
    (x, y), half = points.xy[j].tolist(), float(points.stride[j]) * scale / 2
    return [x - half, y - half, x + half, y + half]


def atss(points: Points, target: Target, r: int = 3, scale: float = 8.0):
    best = np.zeros(len(points))
    index = np.full(len(points), -1)
    for i, box in enumerate(target.boxes.tolist()):
        chosen = [j for level in closest_per_level(points, box, r * r) for j in level]
        values = [iou(square(points, j, scale), box) for j in chosen]
        limit = np.mean(values) + np.std(values, ddof=1)
        for j, value in zip(chosen, values):
            x, y = points.xy[j].tolist()
            if value >= limit and min_side(x, y, box) > 0.01 and value > best[j]:
                best[j], index[j] = value, i
    return index


def max_iou(points: Points, target: Target, scale: float = 8.0):
    table = np.array(
        [[iou(square(points, j, scale), box) for j in range(len(points))]
         for box in target.boxes.tolist()]
    )  # fmt: skip
    index = np.full(len(points), -1)
    top = np.isclose(table, table.max(axis=1, keepdims=True), rtol=1e-6, atol=0) & (table > 0)
    for j in range(len(points)):
        value = table[:, j].max()
        if value >= 0.5 or top[:, j].any():
            index[j] = table[:, j].argmax()
        elif value >= 0.4:
            index[j] = -2
    return index


def tal(predicted, logits, points: Points, target: Target, k: int = 10):
    best = np.full(len(points), -1.0)
    index = np.full(len(points), -1)
    for i, (box, label) in enumerate(zip(target.boxes.tolist(), target.labels.tolist())):
        metric = {}
        for j, (x, y) in enumerate(points.xy.tolist()):
            if min_side(x, y, box) > 0.01:
                metric[j] = sigmoid(logits[j][label]) ** 0.5 * iou(predicted[j], box) ** 6
        for j in sorted(metric, key=lambda j: -metric[j])[:k]:
            value = iou(predicted[j], box)
            if metric[j] > 0 and value > best[j]:
                best[j], index[j] = value, i
    return index


def two_gaussians(losses: list[float], steps: int = 200) -> list[int]:
    """Positions kept by PAA: the better component, in order of loss, to its likeliest member."""
    x = np.array(losses)
    if len(x) < 2:
        return list(range(len(x)))
    mean, var, share = np.array([x.min(), x.max()]), np.ones(2), np.full(2, 0.5)

    def density() -> np.ndarray:
        norm = share / np.sqrt(2 * np.pi * var)
        return norm[:, None] * np.exp(-((x - mean[:, None]) ** 2) / (2 * var[:, None]))

    for _ in range(steps):
        member = density() / density().sum(axis=0)
        size = member.sum(axis=1)
        mean = (member * x).sum(axis=1) / size
        var = (member * (x - mean[:, None]) ** 2).sum(axis=1) / size + 1e-6
        share = size / size.sum()
    table = density()
    inside = [j for j in range(len(x)) if table[0, j] >= table[1, j]]
    if not inside:
        return []
    limit = x[max(inside, key=lambda j: table[:, j].sum())]
    return [j for j in inside if x[j] <= limit]


def as_lists(*tensors: torch.Tensor) -> list[list]:
    return [t.double().tolist() for t in tensors]


def soft_nms(
    boxes: list[list[float]],
    scores: list[float],
    labels: list[int],
    kind: str,
    threshold: float,
    sigma: float,
    score_threshold: float,
) -> list[tuple[int, float]]:
    """Bodla et al. 2017, figure 2, one class after the other: rows and scores, best first."""
    kept: list[tuple[int, float]] = []
    for label in set(labels):
        left = {i: scores[i] for i in range(len(boxes)) if labels[i] == label}
        while left:
            best = max(left, key=lambda i: left[i])
            kept.append((best, left.pop(best)))
            for i in left:
                overlap = iou(boxes[best], boxes[i])
                if kind == "gaussian":
                    left[i] *= math.exp(-(overlap**2) / sigma)
                elif overlap > threshold:
                    left[i] *= 1 - overlap
    return sorted([k for k in kept if k[1] > score_threshold], key=lambda k: -k[1])


def soft_vote(
    boxes: list[list[float]],
    scores: list[float],
    labels: list[int],
    iou_threshold: float,
    score_threshold: float,
) -> list[tuple[list[float], float, int]]:
    """ATSS's soft voting, one class and one box after the other: boxes with scores and labels."""
    kept: list[tuple[list[float], float, int]] = []
    for label in set(labels):
        left = [i for i in range(len(boxes)) if labels[i] == label]
        while left:
            best = max(left, key=lambda i: scores[i])
            group = [i for i in left if i == best or iou(boxes[best], boxes[i]) >= iou_threshold]
            weight = sum(scores[i] for i in group)
            mean = [sum(scores[i] * boxes[i][k] for i in group) / weight for k in range(4)]
            kept.append((mean, scores[best], label))
            rest = [(i, iou(boxes[best], boxes[i])) for i in group if i != best]
            kept += [(boxes[i], scores[i] * (1 - overlap), label) for i, overlap in rest]
            left = [i for i in left if i not in group]
    return sorted([k for k in kept if k[1] >= score_threshold], key=lambda k: -k[1])


def pairwise_ioa(boxes: Tensor, regions: Tensor) -> Tensor:
    """Share ``[N, M]`` of each of ``boxes [N, 4]`` that lies inside each of ``regions [M, 4]``."""
    low = torch.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    return box_areas(torch.cat([low, high], dim=-1)) / box_areas(boxes)[:, None]
