"""Annotations of a data set as columns, whatever the file format."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from otadet.types import GroundTruth

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AnnotationTable:
    """Annotations of ``N`` images; those of image ``i`` lie at ``starts[i]:starts[i + 1]``.

    A few large arrays instead of many small objects: loader processes share their memory, and
    100,000 boxes are checked at once.

    Attributes:
        class_names: names of the contiguous class indices.
        image_ids: ``[N]`` the data set's own ids.
        file_names: ``N`` names relative to the image folder.
        sizes: ``[N, 2]`` height and width, pixels.
        starts: ``[N + 1]`` first object of each image.
        boxes: ``[K, 4]`` float32 xyxy, image frame.
        labels: ``[K]`` class indices.
        areas: ``[K]`` square pixels.
        ignore_starts: ``[N + 1]`` first ignore region of each image.
        ignore_boxes: ``[I, 4]`` float32 xyxy, image frame.
        ignore_labels: ``[I]`` class indices, -1 for every class.
        amodal: boxes are those of whole objects and may leave their image.
        category_ids: the file's own id of each of ``class_names``; ``None`` for formats without.
        scores: ``[K]`` float32, of detections; ``None`` for ground truth.
    """

    class_names: tuple[str, ...]
    image_ids: Ints
    file_names: tuple[str, ...]
    sizes: Ints
    starts: Ints
    boxes: Boxes
    labels: Ints
    areas: Floats
    ignore_starts: Ints
    ignore_boxes: Boxes
    ignore_labels: Ints
    amodal: bool = False
    category_ids: tuple[int, ...] | None = None
    scores: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.image_ids)

    def ground_truth(self, index: int) -> GroundTruth:
        """Return the annotations of one image, as copies that may be written to.

        Raises:
            IndexError: there is no such image.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"expected an index from 0 to {len(self) - 1}, got {index}")
        mine = slice(self.starts[index], self.starts[index + 1])
        ignored = slice(self.ignore_starts[index], self.ignore_starts[index + 1])
        height, width = self.sizes[index].tolist()
        return GroundTruth(
            image_id=int(self.image_ids[index]),
            file_name=self.file_names[index],
            size=(height, width),
            boxes=self.boxes[mine].copy(),
            labels=self.labels[mine].copy(),
            ignore_boxes=self.ignore_boxes[ignored].copy(),
            areas=self.areas[mine].copy(),
            ignore_labels=self.ignore_labels[ignored].copy(),
            amodal=self.amodal,
            scores=None if self.scores is None else self.scores[mine].copy(),
        )

    def without_empty(self) -> AnnotationTable:
        """Drop the images without objects (ignore regions do not count)."""
        return self.only(np.diff(self.starts) > 0)

    def only(self, keep: npt.NDArray[np.bool_]) -> AnnotationTable:
        """Keep only the images where ``keep [N]`` holds."""
        objects = np.repeat(keep, np.diff(self.starts))
        ignored = np.repeat(keep, np.diff(self.ignore_starts))
        return replace(
            self,
            image_ids=self.image_ids[keep],
            file_names=tuple(name for name, kept in zip(self.file_names, keep) if kept),
            sizes=self.sizes[keep],
            starts=offsets(np.diff(self.starts)[keep]),
            boxes=self.boxes[objects],
            labels=self.labels[objects],
            areas=self.areas[objects],
            scores=None if self.scores is None else self.scores[objects],
            ignore_starts=offsets(np.diff(self.ignore_starts)[keep]),
            ignore_boxes=self.ignore_boxes[ignored],
            ignore_labels=self.ignore_labels[ignored],
        )


def offsets(counts: Ints) -> Ints:
    """Return the offsets ``[N + 1]`` of runs of these lengths."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
