"""Colours of objects: a few that anyone can tell apart, different for neighbours."""

from __future__ import annotations

import numpy as np

from otadet.inspect.values import Floats

COUNT = 8
"""Colours of a page: ``--c0`` to ``--c7`` of ``otadet/pages/style.css``."""

_DARK = np.isin(np.arange(COUNT), (5, 7))
"""On a light page almost black; taken where neighbours have all others."""

_REACH = 0.5


def object_colors(boxes: Floats) -> list[int]:
    """Choose a colour from 0 to :data:`COUNT` - 1 for each object ``[G, 4]``, xyxy.

    Objects are coloured from the one with the most neighbours on. Each takes the colour that the
    nearest neighbours have least. Neighbours are objects whose boxes meet when widened by half.
    """
    near = _nearness(boxes)
    colors = np.full(len(boxes), -1)
    for index in np.argsort(-(near > 0).sum(axis=1), kind="stable"):
        used = np.zeros(COUNT)
        done = colors >= 0
        np.add.at(used, colors[done], near[index, done])
        # Where several are free, the least used one, so that all colours appear.
        share = np.bincount(colors[done], minlength=COUNT)
        colors[index] = np.lexsort((share, _DARK, used))[0]
    return [int(color) for color in colors]


def _nearness(boxes: Floats) -> Floats:
    """``[G, G]`` 0 where objects are no neighbours, else larger the nearer their centres are."""
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * (1 + _REACH)
    gap = np.abs(center[:, None] - center)
    meet = (gap < half[:, None] + half).all(axis=2) & ~np.eye(len(boxes), dtype=np.bool_)
    near: Floats = np.where(meet, 1 / (1 + np.hypot(gap[..., 0], gap[..., 1])), 0.0)
    return near
