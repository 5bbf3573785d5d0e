"""Drawing of an assignment: every positive point in the colour of its object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from otadet.types import Assignment, Points, Target
from otadet.visualize.boxes import Color, Image, class_color, line_width, titled, viewable

OBJECT_COLORS: tuple[Color, ...] = (
    (10, 138, 255), (224, 99, 0), (0, 82, 59), (199, 107, 169),
    (122, 70, 0), (7, 32, 54), (112, 112, 112), (57, 47, 4),
)  # fmt: skip
"""Told apart by all kinds of colour vision: ``--c0`` to ``--c7`` of ``otadet/pages/style.css`` on a
light page, which states their source."""


def draw_assignment(
    image: Image,
    points: Points,
    assignment: Assignment,
    target: Target,
    index: int = 0,
    colors: Sequence[Color] | None = None,
) -> Image:
    """Draw each object's box and positive points on a copy of the network's input.

    The discs grow with the pyramid level of the point. An object without positives is drawn with a
    cross.

    Args:
        image: ``[H, W, 3]`` uint8 RGB, input frame.
        points: the anchor points.
        assignment: of the batch.
        target: of this image, input frame.
        index: of this image in the batch.
        colors: of the objects; ``None`` gives each its own hue.
    """
    colors = colors or [class_color(number) for number in range(len(target))]
    canvas, factor = viewable(image, shortest=640)
    canvas = np.ascontiguousarray(canvas // 2 + 96)  # pale, so that the marks stand out
    gt_index = assignment.gt_index[index].cpu()
    width = line_width(canvas)
    received = np.bincount(gt_index[gt_index >= 0].numpy(), minlength=len(target))
    for number, box in enumerate((target.boxes.cpu() * factor).round().int().tolist()):
        color = colors[number]
        cv2.rectangle(canvas, box[:2], box[2:], color, width)
        if received[number] == 0:
            cv2.line(canvas, box[:2], box[2:], color, width, cv2.LINE_AA)
            cv2.line(canvas, (box[0], box[3]), (box[2], box[1]), color, width, cv2.LINE_AA)
    positive = (gt_index >= 0).nonzero().squeeze(1)
    xy = (points.xy.cpu()[positive] * factor).round().int().tolist()
    for (x, y), number, level in zip(
        xy, gt_index[positive].tolist(), points.level.cpu()[positive].tolist()
    ):
        _disc(canvas, (x, y), round((3 + 2 * level) * width * 0.6) + 1, colors[number])
    return canvas


def draw_assignments(
    image: Image,
    points: Points,
    assignments: Mapping[str, Assignment],
    target: Target,
    colors: Sequence[Color] | None = None,
) -> Image:
    """Draw one image under several assigners, each panel under its title.

    Args:
        image: ``[H, W, 3]`` uint8 RGB, input frame.
        points: the anchor points.
        assignments: of this image alone, by title.
        target: its objects, input frame.
        colors: of the objects; ``None`` gives each its own hue.
    """
    panels = [
        titled(draw_assignment(image, points, assignment, target, colors=colors), title)
        for title, assignment in assignments.items()
    ]
    columns = 2 if len(panels) in (2, 4) else min(3, len(panels))
    blank = np.full_like(panels[0], 255)
    panels = [_spaced(panel) for panel in panels + [blank] * (-len(panels) % columns)]
    rows = [panels[i : i + columns] for i in range(0, len(panels), columns)]
    strides = ", ".join(f"{stride:g}" for stride in sorted(set(points.stride.tolist())))
    note = f"larger marks: coarser levels (strides {strides}); crossed box: no point"
    figure = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    return titled(figure, note, bar=max(24, int(panels[0].shape[0]) // 20))


def _spaced(panel: Image) -> Image:
    """Add white space below and at both sides."""
    return np.pad(panel, ((0, 8), (4, 4), (0, 0)), constant_values=255)


def _disc(canvas: Image, center: tuple[int, int], radius: int, color: Color) -> None:
    cv2.circle(canvas, center, radius, color, -1, cv2.LINE_AA)
    cv2.circle(canvas, center, radius, (20, 20, 20), 1, cv2.LINE_AA)
