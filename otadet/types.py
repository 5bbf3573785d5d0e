"""Data types of the pipeline: points, predictions, targets, assignments, detections, batches.

Boxes are ``xyxy`` float32 in pixels everywhere. *Image frame* means pixels of the original file,
*input frame* pixels of the network's input; a :class:`~otadet.geometry.Geometry` maps one to the
other. All of them are immutable; no code changes one in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from otadet.geometry import Geometry, Size

BACKGROUND = -1
"""``Assignment.gt_index`` of a point that belongs to no object."""

IGNORED = -2
"""``Assignment.gt_index`` of a point that is neither positive nor background."""


class GridLevel(NamedTuple):
    """One level of the point grid: ``height`` x ``width`` cells of ``stride`` pixels, row-major."""

    height: int
    width: int
    stride: int

    @property
    def num_points(self) -> int:
        """Number of points of the level."""
        return self.height * self.width


@dataclass(frozen=True, eq=False)
class Points:
    """Anchor points of all levels, one after the other, finest level first.

    Attributes:
        xy: ``[A, 2]`` float32, pixels of the input frame; the centre of each cell where
            ``centered`` holds.
        stride: ``[A]`` float32, pixels between neighbouring points of the same level.
        level: ``[A]`` int64, index of the pyramid level.
        grid: the levels' shapes, where the points form full grids. Without it they are recovered
            from ``xy``, which synchronises.
        centered: whether the points of ``grid`` are the centres of their cells.
        anchors: ``[A, 4]`` float32 xyxy, input frame: the boxes that deltas are relative to, where
            the head has anchor boxes of its own.
    """

    xy: Tensor
    stride: Tensor
    level: Tensor
    grid: tuple[GridLevel, ...] | None = None
    centered: bool = True
    anchors: Tensor | None = None

    def __len__(self) -> int:
        return self.xy.shape[0]

    def to(self, device: torch.device | str) -> Points:
        """Copy the points to another device."""
        return replace(
            self,
            xy=self.xy.to(device),
            stride=self.stride.to(device),
            level=self.level.to(device),
            anchors=None if self.anchors is None else self.anchors.to(device),
        )


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a detector predicts at every anchor point; the only thing a forward pass returns.

    A network that predicts more returns a subclass; the first dimension of its tensors is the
    image, as it is here.

    Attributes:
        boxes: ``[B, A, 4]`` decoded boxes, xyxy, pixels of the input frame.
        cls_logits: ``[B, A, C]`` one logit a class.
        quality_logits: ``[B, A]`` FCOS's centre-ness or IoU branch, or YOLOX's objectness;
            ``None`` for a head without such a branch.
        deltas: ``[B, A, 4]`` raw regression before decoding, in the head's own coding.
        points: the ``A`` anchor points.
    """

    boxes: Tensor
    cls_logits: Tensor
    quality_logits: Tensor | None
    deltas: Tensor
    points: Points

    @property
    def batch_size(self) -> int:
        """Number of images ``B``."""
        return self.boxes.shape[0]

    @property
    def num_classes(self) -> int:
        """Number of classes ``C``."""
        return self.cls_logits.shape[-1]

    @property
    def dense(self) -> Predictions:
        """Return the predictions that the experiment's assigner works on.

        The predictions themselves; in a two-stage detector those of its RPN.
        """
        return self

    def tensors(self) -> Iterator[Tensor]:
        """Return every floating-point tensor, those of nested predictions included."""
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Predictions):
                yield from value.tensors()
            elif isinstance(value, Tensor) and value.is_floating_point():
                yield value


def _no_boxes() -> Tensor:
    return torch.zeros((0, 4))


@dataclass(frozen=True, eq=False)
class Target:
    """Objects of one image, without padding or a maximum number.

    Attributes:
        boxes: ``[G, 4]`` float32 xyxy, input frame.
        labels: ``[G]`` int64 contiguous class indices, ``0 <= label < C``.
        ignore_boxes: ``[I, 4]`` float32 xyxy regions that give no loss.

    Raises:
        ValueError: a shape, or the dtype of ``labels``, differs from the above.
    """

    boxes: Tensor
    labels: Tensor
    ignore_boxes: Tensor = field(default_factory=_no_boxes)

    def __post_init__(self) -> None:
        for name, value in (("boxes", self.boxes), ("ignore_boxes", self.ignore_boxes)):
            if value.ndim != 2 or value.shape[1] != 4:
                raise ValueError(f"Target.{name}: expected shape [N, 4], got {list(value.shape)}")
        if self.labels.shape != self.boxes.shape[:1]:
            raise ValueError(
                f"Target.labels: expected shape [{self.boxes.shape[0]}] to go with boxes "
                f"{list(self.boxes.shape)}, got {list(self.labels.shape)}"
            )
        if self.labels.dtype != torch.int64:
            raise ValueError(f"Target.labels: expected int64, got {self.labels.dtype}")

    def __len__(self) -> int:
        return self.boxes.shape[0]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Target:
        """Copy the target to another device."""
        return Target(
            self.boxes.to(device, non_blocking=non_blocking),
            self.labels.to(device, non_blocking=non_blocking),
            self.ignore_boxes.to(device, non_blocking=non_blocking),
        )


@dataclass(frozen=True, eq=False)
class Assignment:
    """Object index of each anchor point.

    Attributes:
        gt_index: ``[B, A]`` int64: index into the image's ``Target``, :data:`BACKGROUND` (-1)
            or :data:`IGNORED` (-2).
        iou: ``[B, A]`` float32: IoU of the point's predicted box with its object's box, 0 where
            there is none.
        stats: scalars (tensors on the device) to log during training,
            such as ``positives_per_object``, ``uncovered``, ``ambiguous``, ``marginal_error``.
    """

    gt_index: Tensor
    iou: Tensor
    stats: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections of one image, image frame, sorted by descending score.

    Attributes:
        boxes: ``[N, 4]`` float32 xyxy, pixels of the original image.
        scores: ``[N]`` float32 in [0, 1].
        labels: ``[N]`` int64 contiguous class indices.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return self.boxes.shape[0]

    def to(self, device: torch.device | str) -> Detections:
        """Copy the detections to another device."""
        return Detections(self.boxes.to(device), self.scores.to(device), self.labels.to(device))

    def above(self, score: float) -> Detections:
        """Return the detections with at least this score."""
        keep = self.scores >= score
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep])


@dataclass(frozen=True, eq=False)
class LossReport:
    """A training loss and its terms.

    Attributes:
        total: scalar to call ``backward`` on.
        terms: the weighted parts by name; they sum to ``total``. Detached.
        positives: scalar float, what ``total`` was divided by, or by 1 where it is less: the
            number of positive points averaged over processes; their summed weights where points
            have some; the number of objects where an object's points share one term. ``total``
            times it is a sum over images, which combines the parts of a batch under gradient
            accumulation.
        stats: other scalars to log (positives per object, ...). Detached tensors.
    """

    total: Tensor
    terms: dict[str, Tensor]
    positives: Tensor
    stats: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its objects in the data pipeline.

    Attributes:
        image: ``[H, W, 3]`` uint8 RGB.
        boxes: ``[G, 4]`` float32 xyxy, pixels of ``image``.
        labels: ``[G]`` int64 contiguous class indices.
        ignore_boxes: ``[I, 4]`` float32 xyxy, pixels of ``image``.
        image_id: the data set's own id of the image.
        geometry: map from the original file's frame to that of ``image``; the identity where
            ``image`` combines several files.
        dropped: objects that augmentation cropped or shrank so far that they became ignored.
    """

    image: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    ignore_boxes: npt.NDArray[np.float32]
    image_id: int
    geometry: Geometry
    dropped: int = 0

    @staticmethod
    def unlabelled(image: npt.NDArray[np.uint8], amodal: bool = False) -> Sample:
        """Wrap an image ``[H, W, 3]`` uint8 RGB without annotations.

        ``amodal`` as in :class:`~otadet.geometry.Geometry`.
        """
        none = np.zeros((0, 4), np.float32)
        shape = (image.shape[0], image.shape[1])
        geometry = Geometry.identity(shape, amodal)
        return Sample(image, none, np.zeros(0, np.int64), none, 0, geometry)

    def target(self) -> Target:
        """Convert the objects to tensors."""
        return Target(
            torch.from_numpy(self.boxes),
            torch.from_numpy(self.labels),
            torch.from_numpy(self.ignore_boxes),
        )


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """Annotations of one image without its pixels, for evaluation.

    Attributes:
        image_id: the data set's own id of the image.
        file_name: the image file's name as the data set has it.
        size: height and width of the image, pixels.
        boxes: ``[G, 4]`` float32 xyxy, image frame.
        labels: ``[G]`` int64 contiguous class indices.
        ignore_boxes: ``[I, 4]`` float32 xyxy, image frame: regions where detections do not count.
        areas: ``[G]`` float64, square pixels: the object's own area where the data set states one
            (COCO: that of its mask), else that of its box. Decides small, medium or large.
        ignore_labels: ``[I]`` int64, the class for which a region is ignored, -1 for every class;
            ``None`` where all regions are for every class.
        amodal: boxes are those of whole objects and may leave the image, see
            :class:`~otadet.geometry.Geometry`.
        scores: ``[G]`` float32, of detections that are written as annotations to be corrected;
            ``None`` for ground truth.
    """

    image_id: int
    file_name: str
    size: Size
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    ignore_boxes: npt.NDArray[np.float32]
    areas: npt.NDArray[np.float64]
    ignore_labels: npt.NDArray[np.int64] | None = None
    amodal: bool = False
    scores: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def region_labels(self) -> npt.NDArray[np.int64]:
        """``[I]`` class of each ignore region, -1 for every class."""
        every = np.full(len(self.ignore_boxes), -1, np.int64)
        return every if self.ignore_labels is None else self.ignore_labels


Truth = GroundTruth
"""Deprecated name of :class:`GroundTruth`, kept for one release."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Images and targets of one training or evaluation step.

    Attributes:
        images: ``[B, 3, H, W]`` uint8 RGB, padded at the right and the bottom; any strides.
        targets: one per image, input frame.
        geometries: one per image; maps detections back to the image frame.
        image_ids: the data set's own ids.
        dropped: sum of :attr:`Sample.dropped`.
    """

    images: Tensor
    targets: tuple[Target, ...]
    geometries: tuple[Geometry, ...]
    image_ids: tuple[int, ...]
    dropped: int = 0

    def __len__(self) -> int:
        return self.images.shape[0]

    def split(self, parts: int) -> tuple[Batch, ...]:
        """Split into at most ``parts`` non-empty batches of almost equal length.

        ``dropped`` is not known per image, so it stays with the whole batch.
        """
        parts = min(parts, len(self))
        if parts == 1:
            return (self,)
        cuts = [len(self) * i // parts for i in range(parts + 1)]
        return tuple(
            Batch(self.images[a:b], self.targets[a:b], self.geometries[a:b], self.image_ids[a:b])
            for a, b in pairwise(cuts)
        )

    def pin_memory(self) -> Batch:
        """Copy the batch to page-locked memory (called by torch's loader)."""
        targets = tuple(
            Target(t.boxes.pin_memory(), t.labels.pin_memory(), t.ignore_boxes.pin_memory())
            for t in self.targets
        )
        return replace(self, images=self.images.pin_memory(), targets=targets)

    def to(self, device: torch.device | str) -> Batch:
        """Copy the batch to another device, asynchronously where memory is pinned."""
        return replace(
            self,
            images=self.images.to(device, non_blocking=True),
            targets=tuple(t.to(device, non_blocking=True) for t in self.targets),
        )
