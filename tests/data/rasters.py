"""TIFF files as GDAL writes them, for tests of large images."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from otadet.data.raster import has_rasterio

needs_rasterio = pytest.mark.skipif(not has_rasterio(), reason="pip install 'otadet[large]'")


def write_tiff(path: Path, values: npt.NDArray[np.generic], **how: object) -> Path:
    """Write ``[H, W, C]`` values of any kind; ``how`` are options of GDAL's GTiff driver."""
    import rasterio

    height, width, channels = values.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", height=height, width=width, count=channels,
            dtype=values.dtype.name, **how,
        ) as file:  # fmt: skip
            file.write(values.transpose(2, 0, 1))
    return path


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Bytes drawn at random."""
    shape = (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
