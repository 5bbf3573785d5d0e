"""Open an image file of any size, to be read window by window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from otadet.data.decoded_file import decoded
from otadet.data.image_file import MAX_PIXELS, read_file_header, read_image, turn
from otadet.data.image_options import PLAIN, ImageOptions
from otadet.data.raster import RasterImage, driver_of, has_rasterio
from otadet.data.windowed_image import IN_MEMORY, ArrayImage, UprightImage, WindowedImage
from otadet.errors import InputError
from otadet.geometry import Size

MAX_PIECE = 1 << 24
"""Pixels of the largest strip or tile of a TIFF file that is decoded anew for each window in it."""


def open_image(
    path: Path,
    size: Size | None = None,
    options: ImageOptions = PLAIN,
    folder: Path | None = None,
) -> WindowedImage:
    """Open an image file of any size, upright as :func:`~otadet.data.image_file.read_image` says.

    Up to :data:`~otadet.data.windowed_image.IN_MEMORY` pixels it is decoded at once. Of larger ones
    a TIFF file in strips or tiles is read by windows, through the extra ``rasterio``, and other
    formats that GDAL reads are decoded into a file, strip by strip. What is left, or all without
    the extra, is decoded as a whole, with the limits of ``read_image``.

    Args:
        path: of the image file.
        size: the height and width that the annotations state; none: any, upright.
        options: pages, channels and stretch.
        folder: where decoded files stay for later runs; ``None`` uses a temporary one.

    Raises:
        InputError: as ``read_image``; or too little space on the disk.
    """
    header = read_file_header(path)
    pixels = header.size[0] * header.size[1] if header.size else 0
    driver = driver_of(path) if pixels > IN_MEMORY and has_rasterio() else None
    if driver is None and pixels > MAX_PIXELS:
        how = "write it as TIFF" if has_rasterio() else "pip install 'otadet[large]'"
        raise InputError(f"{path}: {pixels:,} pixels cannot be read in pieces; {how}")
    if driver is None:
        return ArrayImage(read_image(path, size, options=options))
    image: WindowedImage = RasterImage(path, options)
    orientation = turn(path, replace(header, size=image.size), size)  # of the page
    if driver != "GTiff" or header.piece > MAX_PIECE:
        image = decoded(image, path, options, folder)
    return image if orientation == 1 else UprightImage(image, orientation)
