"""Drawing of an assignment: every positive point in the colour of its object."""

from __future__ import annotations

import cv2
import numpy as np

from otadet.types import Assignment, Points, Target
from otadet.visualize.boxes import Color, Image, class_color, line_width, viewable


def draw_assignment(
    image: Image, points: Points, assignment: Assignment, target: Target, index: int = 0
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
    """
    canvas, factor = viewable(image, shortest=640)
    canvas = np.ascontiguousarray(canvas // 2 + 96)  # pale, so that the marks stand out
    gt_index = assignment.gt_index[index].cpu()
    width = line_width(canvas)
    received = np.bincount(gt_index[gt_index >= 0].numpy(), minlength=len(target))
    for number, box in enumerate((target.boxes.cpu() * factor).round().int().tolist()):
        color = class_color(number)
        cv2.rectangle(canvas, box[:2], box[2:], color, width)
        if received[number] == 0:
            cv2.line(canvas, box[:2], box[2:], color, width, cv2.LINE_AA)
            cv2.line(canvas, (box[0], box[3]), (box[2], box[1]), color, width, cv2.LINE_AA)
    positive = (gt_index >= 0).nonzero().squeeze(1)
    xy = (points.xy.cpu()[positive] * factor).round().int().tolist()
    for (x, y), number, level in zip(
        xy, gt_index[positive].tolist(), points.level.cpu()[positive].tolist()
    ):
        _disc(canvas, (x, y), round((3 + 2 * level) * width * 0.6) + 1, class_color(number))
    return canvas


def _disc(canvas: Image, center: tuple[int, int], radius: int, color: Color) -> None:
    cv2.circle(canvas, center, radius, color, -1, cv2.LINE_AA)
    cv2.circle(canvas, center, radius, (20, 20, 20), 1, cv2.LINE_AA)
