"""Detections as the annotations of a new data set, to be corrected in a labelling tool."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from otadet.choices import Known
from otadet.data import AnnotationTable, Classes, FileDataset
from otadet.data.annotation_table import offsets
from otadet.data.convert import convert
from otadet.data.write_parts import check_names
from otadet.errors import InputError
from otadet.geometry import Size
from otadet.media.images import ImageSource
from otadet.types import Detections


class DetectedLabels:
    """Collects the detections of images and writes them as a data set, whole or not at all.

    The images are linked, not copied. An older folder is never replaced: somebody may have
    corrected the labels in it.

    Args:
        folder: of the new data set.
        data_format: of the annotations.
        images: image files.
        image_ids: theirs.
        classes: names, and ids for COCO.

    Raises:
        InputError: the folder exists, an image is no file, or the format cannot express a name.
    """

    def __init__(
        self,
        folder: Path,
        data_format: Known,
        images: Sequence[ImageSource],
        image_ids: Sequence[int],
        classes: Classes,
    ) -> None:
        if folder.exists() or folder.is_symlink():
            raise InputError(
                f"{folder}: already exists, and its labels may have been corrected; name another "
                "folder with --save-labels-to"
            )
        for image in images:
            if image.path is None:
                raise InputError(f"--save-labels: expected image files, got {image.where}")
        paths = [os.path.abspath(image.where) for image in images]  # noqa: PTH100 - links stay
        self.folder, self.data_format = folder, data_format
        self.root = Path(os.path.commonpath([Path(path).parent for path in paths]))
        self.file_names = tuple(Path(path).relative_to(self.root).as_posix() for path in paths)
        self.image_ids, self.classes = image_ids, classes
        check_names(data_format, classes.names, self.file_names)
        self._found: list[tuple[Size, Detections]] = []

    def add(self, found: Detections, size: Size) -> None:
        """Add the detections of the next image, image frame, on the CPU.

        Those without area, which clipping at the border leaves, are no annotations.
        """
        keep = (found.boxes[:, 2:] > found.boxes[:, :2]).all(dim=1)
        kept = Detections(found.boxes[keep], found.scores[keep], found.labels[keep])
        self._found.append((size, kept))

    def write(self, amodal: bool) -> None:
        """Write the data set; ``amodal``: boxes of whole objects, which may leave their image."""
        dataset = FileDataset(self._table(amodal), self.root, source=str(self.root))
        convert({"train": dataset}, self.folder, self.data_format, progress=False)

    def _table(self, amodal: bool) -> AnnotationTable:
        boxes, scores, labels = (
            np.concatenate([getattr(found, name).numpy() for _, found in self._found])
            for name in ("boxes", "scores", "labels")
        )
        none = offsets(np.zeros(len(self._found), np.int64))
        return AnnotationTable(
            class_names=self.classes.names,
            image_ids=np.array(self.image_ids, np.int64),
            file_names=self.file_names,
            sizes=np.array([size for size, _ in self._found], np.int64),
            starts=offsets(np.array([len(found) for _, found in self._found], np.int64)),
            boxes=boxes,
            labels=labels,
            areas=np.prod(boxes[:, 2:] - boxes[:, :2], axis=1, dtype=np.float64),
            ignore_starts=none,
            ignore_boxes=boxes[:0],
            ignore_labels=none[:0],
            amodal=amodal,
            category_ids=self.classes.ids,
            scores=scores,
        )
