"""What the labels of the training set are like."""

from __future__ import annotations

import numpy as np

from otadet.data import Dataset
from otadet.pages import Histogram, histogram


def data_charts(data: Dataset) -> list[Histogram]:
    """Count objects by image and size, from the annotations alone."""
    gts = [data.ground_truth(i) for i in range(len(data))]
    counts = np.array([len(gt) for gt in gts], np.float64)
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(gt.boxes for gt in gts)])
    areas = np.array([gt.size for gt in gts], np.float64).reshape(-1, 2).prod(axis=1)
    sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1, dtype=np.float64))
    share = sides / np.sqrt(np.repeat(areas, counts.astype(int)))
    made = [
        histogram(counts, "objects an image", "objects"),
        histogram(sides, "side of objects, pixels of the image (log)", "px", log=True),
        histogram(100 * share, "side of objects, % of the image's (log)", "%", log=True),
    ]
    return [each for each in made if each]
