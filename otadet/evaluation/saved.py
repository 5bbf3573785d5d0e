"""Detections of a data set with its ground truth in one compressed file (``.npz``)."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from otadet.atomic import Replace, atomic_path
from otadet.errors import InputError
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

FILE = "detections.npz"
"""Name of the file in the folder of an evaluation."""

_FOUND = ("image_ids", "counts", "boxes", "scores", "labels")
Arrays = dict[str, npt.NDArray[Any]]


class SavedEvaluation(NamedTuple):
    """What an evaluation starts from.

    Attributes:
        gts: ground truth of every image.
        class_names: names of the class indices.
        detections: of those images.
    """

    gts: tuple[GroundTruth, ...]
    class_names: tuple[str, ...]
    detections: DetectionColumns

    def digest(self) -> str:
        """Return a digest of the ground truth, equal for the same images, objects and classes."""
        sha = hashlib.sha256(repr(self.class_names).encode())
        for name, array in _ground_truth(self.gts).items():
            sha.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
        return sha.hexdigest()[:16]

    def save(self, path: Path, through: Replace = atomic_path) -> None:
        """Write the file, whole or not at all."""
        arrays: Any = {name: getattr(self.detections, name) for name in _FOUND}
        arrays |= _ground_truth(self.gts)
        with through(path, ".part.npz", True) as part:
            np.savez_compressed(part, class_names=np.array(self.class_names, np.str_), **arrays)


def load_evaluation(path: Path) -> SavedEvaluation:
    """Read a file of :meth:`SavedEvaluation.save`.

    Raises:
        InputError: it is missing or not such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        found = DetectionColumns(**{name: arrays[name] for name in _FOUND})
        return SavedEvaluation(_images(arrays), tuple(arrays["class_names"].tolist()), found)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: expected detections as `otadet eval --save-detections` writes them, "
            f"got {error}"
        ) from error


def _ground_truth(gts: Sequence[GroundTruth]) -> Arrays:
    regions = [gt.region_labels for gt in gts]
    return {
        "gt_image_ids": np.array([gt.image_id for gt in gts], np.int64),
        "gt_names": np.array([gt.file_name for gt in gts], np.str_),
        "gt_sizes": np.array([gt.size for gt in gts], np.int64).reshape(-1, 2),
        "gt_amodal": np.array([gt.amodal for gt in gts], np.bool_),
        "gt_counts": np.array([len(gt) for gt in gts], np.int64),
        "gt_boxes": np.concatenate([np.zeros((0, 4), np.float32), *(gt.boxes for gt in gts)]),
        "gt_labels": np.concatenate([np.zeros(0, np.int64), *(gt.labels for gt in gts)]),
        "gt_areas": np.concatenate([np.zeros(0), *(gt.areas for gt in gts)]),
        "ignore_counts": np.array([len(each) for each in regions], np.int64),
        "ignore_boxes": np.concatenate(
            [np.zeros((0, 4), np.float32), *(gt.ignore_boxes for gt in gts)]
        ),
        "ignore_labels": np.concatenate([np.zeros(0, np.int64), *regions]),
    }


def _images(arrays: Arrays) -> tuple[GroundTruth, ...]:
    objects = [np.split(arrays[name], np.cumsum(arrays["gt_counts"])[:-1])
               for name in ("gt_boxes", "gt_labels", "gt_areas")]  # fmt: skip
    regions = [np.split(arrays[name], np.cumsum(arrays["ignore_counts"])[:-1])
               for name in ("ignore_boxes", "ignore_labels")]  # fmt: skip
    columns = zip(
        arrays["gt_image_ids"].tolist(),
        arrays["gt_names"].tolist(),
        arrays["gt_sizes"].tolist(),
        arrays["gt_amodal"].tolist(),
        *objects,
        *regions,
    )
    return tuple(
        GroundTruth(image_id, name, (height, width), boxes, labels, ignored, areas, of, amodal)
        for image_id, name, (height, width), amodal, boxes, labels, areas, ignored, of in columns
    )
