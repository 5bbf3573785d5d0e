"""Fingerprint of a data set, by which a run that goes on knows the data that it began with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from otadet.data.annotation_table import AnnotationTable
from otadet.data.base import Dataset
from otadet.data.files import FileDataset
from otadet.data.wrapped import innermost


class Fingerprint(TypedDict):
    """Counts and digests of a data set.

    Attributes:
        images: number of images.
        objects: number of objects.
        names: digest of the images' names and sizes, in their order.
        annotations: digest of boxes, classes and ignore regions.
    """

    images: int
    objects: int
    names: str
    annotations: str


def fingerprint(dataset: Dataset) -> Fingerprint | None:
    """Return the fingerprint of a data set; ``None`` for one that is not read from files."""
    data = innermost(dataset)
    if not isinstance(data, FileDataset):
        return None
    table: AnnotationTable = data.table
    names = np.frombuffer("\0".join(table.file_names).encode("utf-8", "surrogatepass"), np.uint8)
    annotations = (table.starts, table.boxes, table.labels, table.ignore_starts, table.ignore_boxes)
    return {
        "images": len(table),
        "objects": len(table.boxes),
        "names": _digest((names, table.sizes)),
        "annotations": _digest((*annotations, table.ignore_labels)),
    }


def _digest(arrays: Iterable[npt.NDArray[np.generic]]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
