"""What the inspector reports: plain values of one image under several assigners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otadet.types import Points
from otadet.visualize.boxes import Image

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Candidate pairs of an assigner, point by point; at each its owner first, then by preference.

    Attributes:
        point: ``[P]`` index of the anchor point, rising.
        object: ``[P]`` index of the object.
        parts: ``[P, T]`` weighted terms of the cost; their sum is the cost.
        background: ``[P]`` cost of leaving the point background.
        iou: ``[P]`` of the predicted box with the object's.
        share: ``[P]`` what the object gives to the point in the plan; 0 or 1 for rules.
        claimed: ``[P]`` the rule chose the pair before it resolved conflicts; for solvers a share
            of at least 0.01.
    """

    point: Ints
    object: Ints
    parts: Floats
    background: Floats
    iou: Floats
    share: Floats
    claimed: Bools

    @property
    def cost(self) -> Floats:
        """``[P]`` cost of giving the point to the object."""
        cost: Floats = self.parts.sum(axis=1)
        return cost


@dataclass(frozen=True, eq=False)
class ObjectCounts:
    """What an assigner did for each of ``G`` objects; words as in ``AssignmentReport``.

    Attributes:
        requested: ``[G]`` points that the supply rule gave.
        supply: ``[G]`` points that the matcher aimed at.
        received: ``[G]`` points of the matcher's result, with fractions where they are shared.
        positives: ``[G]`` points in the assignment.
        by_level: ``[G, L]`` the same by pyramid level.
        candidates: ``[G]`` points that it could have had.
        cost: ``[G]`` sum of the costs of its points.
        uncovered: ``[G]`` the prior found no point for it.
    """

    requested: Floats
    supply: Floats
    received: Floats
    positives: Ints
    by_level: Ints
    candidates: Ints
    cost: Floats
    uncovered: Bools


@dataclass(frozen=True)
class Totals:
    """Sums over an image.

    Attributes:
        positives: points with an object.
        without_point: objects that ended with none.
        uncovered: objects for which the prior found none.
        ambiguous: points shared by several objects or the background.
        ignored: points without a loss.
        cost: of all pairs of the assignment.
        gap: that above the exact optimum of the same problem, less the background's cost of the
            same points; negative where fewer points than the supply were handed out. ``None``
            where it was not computed.
        marginal_error: largest difference of received points and supply.
        converged: of the solver; True for rules.
        milliseconds: of a call, median.
    """

    positives: int
    without_point: int
    uncovered: int
    ambiguous: int
    ignored: int
    cost: float
    gap: float | None
    marginal_error: float
    converged: bool
    milliseconds: float


@dataclass(frozen=True, eq=False)
class AssignerView:
    """One image under one assigner.

    Attributes:
        name: as the user called it.
        own: it is the experiment's.
        part_names: of the ``T`` terms of the cost.
        gt_index: ``[A]`` object of each point, -1 background, -2 ignored.
        ambiguous: ``[A]`` shared by several objects or the background.
        given_back: ``[A]`` given so that no object ends without a point (``min_positives``).
        contenders: ``[A]`` objects that could have had the point.
        objects: by object.
        pairs: the best of each point's candidate pairs.
        totals: of the image.
    """

    name: str
    own: bool
    part_names: tuple[str, ...]
    gt_index: Ints
    ambiguous: Bools
    given_back: Bools
    contenders: Ints
    objects: ObjectCounts
    pairs: Pairs
    totals: Totals


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a network predicts for an image, and what each assigner makes of it.

    Attributes:
        label: which network, as "step 1,200".
        boxes: ``[A, 4]`` predicted boxes, xyxy, input frame.
        scores: ``[A]`` best score of each point.
        labels: ``[A]`` class of that score; -1 where the network predicts none.
        views: by assigner.
    """

    label: str
    boxes: Floats
    scores: Floats
    labels: Ints
    views: tuple[AssignerView, ...]


@dataclass(frozen=True, eq=False)
class InspectedImage:
    """An image with its objects and anchor points, under one network or several.

    Attributes:
        name: of the image file.
        image: ``[H, W, 3]`` uint8 RGB, the network's input without its padding.
        boxes: ``[G, 4]`` of the objects, xyxy, input frame.
        labels: ``[G]`` their classes.
        ignore_boxes: ``[I, 4]`` regions without a loss.
        points: the ``A`` anchor points, input frame.
        snapshots: one a network, in the order of training.
    """

    name: str
    image: Image
    boxes: Floats
    labels: Ints
    ignore_boxes: Floats
    points: Points
    snapshots: tuple[Snapshot, ...]

    @property
    def strides(self) -> tuple[float, ...]:
        """``L`` pixels between neighbouring points of each level."""
        level, stride = self.points.level.tolist(), self.points.stride.tolist()
        return tuple(stride[level.index(each)] for each in range(max(level) + 1))

    @property
    def badness(self) -> float:
        """Objects without a point and ambiguous points, over all assigners: what is seen first."""
        views = self.snapshots[-1].views
        return sum(1000 * v.totals.without_point + v.totals.ambiguous for v in views) / len(views)


@dataclass(frozen=True, eq=False)
class Inspection:
    """All that a page shows.

    Attributes:
        title: network and data.
        class_names: by label.
        images: the worst first.
    """

    title: str
    class_names: tuple[str, ...]
    images: tuple[InspectedImage, ...]
