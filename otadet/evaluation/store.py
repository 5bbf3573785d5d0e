"""Detections gathered image by image, in one process or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otadet.types import Detections, GroundTruth


@dataclass(frozen=True, eq=False)
class DetectionColumns:
    """Detections of many images as plain arrays, which processes can exchange (pickle).

    Attributes:
        image_ids: ``[N]`` int64, images with an update, those without detections too.
        counts: ``[N]`` int64 detections of each.
        boxes: ``[K, 4]`` float32 xyxy, image frame, by image.
        scores: ``[K]`` float32.
        labels: ``[K]`` int64 contiguous class indices.
    """

    image_ids: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]

    @property
    def image_of(self) -> npt.NDArray[np.int64]:
        """``[K]`` int64 image id of each detection."""
        return np.repeat(self.image_ids, self.counts)


_Image = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]]


class DetectionStore:
    """Detections by image id, checked on update.

    Args:
        gts: ground truth of every image of the data set.
        num_classes: labels must be below this.

    Raises:
        ValueError: duplicate image id.
    """

    def __init__(self, gts: Sequence[GroundTruth], num_classes: int) -> None:
        self._known = {gt.image_id for gt in gts}
        if len(self._known) != len(gts):
            raise ValueError("ground truth: expected each image id once")
        self._num_classes = num_classes
        self._images: dict[int, _Image] = {}

    def __len__(self) -> int:
        """Number of images with an update."""
        return len(self._images)

    def update(self, image_id: int, detections: Detections) -> None:
        """Add the detections of one image; a second call for it replaces the first.

        Raises:
            ValueError: the id is unknown, shapes do not fit, a label is out of range, or a value
                is not finite.
        """
        boxes = detections.boxes.detach().float().cpu().numpy()
        scores = detections.scores.detach().float().cpu().numpy()
        labels = detections.labels.detach().cpu().numpy().astype(np.int64)
        where = f"detections of image id {image_id}"
        if image_id not in self._known:
            raise ValueError(f"{where}: the data set has no image of this id")
        if boxes.shape != (len(scores), 4) or scores.shape != labels.shape:
            raise ValueError(
                f"{where}: expected boxes [N, 4], scores [N], labels [N], got {boxes.shape}, "
                f"{scores.shape}, {labels.shape}"
            )
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise ValueError(f"{where}: expected finite boxes and scores")
        if len(labels) and not 0 <= labels.min() <= labels.max() < self._num_classes:
            raise ValueError(
                f"{where}: expected labels 0 to {self._num_classes - 1}, got "
                f"{labels.min()} to {labels.max()}"
            )
        self._images[image_id] = (boxes.copy(), scores.copy(), labels)

    def columns(self) -> DetectionColumns:
        """Return all detections so far, by rising image id."""
        ids = sorted(self._images)
        images = [self._images[i] for i in ids]
        return DetectionColumns(
            image_ids=np.array(ids, np.int64),
            counts=np.array([len(image[1]) for image in images], np.int64),
            boxes=np.concatenate([np.zeros((0, 4), np.float32), *(image[0] for image in images)]),
            scores=np.concatenate([np.zeros(0, np.float32), *(image[1] for image in images)]),
            labels=np.concatenate([np.zeros(0, np.int64), *(image[2] for image in images)]),
        )

    def merge(self, columns: DetectionColumns) -> None:
        """Add another process's detections, which replace those of the same images."""
        ends = np.cumsum(columns.counts).tolist()
        for image_id, count, end in zip(columns.image_ids.tolist(), columns.counts.tolist(), ends):
            mine = slice(end - count, end)
            self._images[image_id] = (
                columns.boxes[mine],
                columns.scores[mine],
                columns.labels[mine],
            )
