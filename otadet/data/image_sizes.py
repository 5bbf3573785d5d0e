"""Sizes of images whose annotations do not state them, from the images' headers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from loguru import logger

from otadet.data.files import is_inside
from otadet.data.image_file import read_size
from otadet.data.records import Records
from otadet.errors import InputError
from otadet.geometry import Size

_THREADS = 16  # reading headers waits for the disk
_MANY = 5000


def with_sizes(records: Records) -> tuple[Records, dict[int, str]]:
    """Read the sizes that are not stated, and turn relative boxes into pixels.

    Returns:
        The records, with NaN for the sizes of images that cannot be read, and why by index.
    """
    unknown = np.flatnonzero(np.isnan(records.sizes).any(axis=1)).tolist()
    if len(unknown) > _MANY:
        logger.info("{}: reading the sizes of {} images", records.images, len(unknown))

    def size(index: int) -> Size | str:
        name = records.file_names[index]
        if not is_inside(name):
            return f"expected a file inside the image folder, got {name!r}"
        try:
            return read_size(records.images / name)
        except InputError as error:
            return str(error)

    with ThreadPoolExecutor(_THREADS) as pool:
        read = dict(zip(unknown, pool.map(size, unknown, chunksize=64)))
    sizes = records.sizes.copy()
    for index, each in read.items():
        sizes[index] = (np.nan, np.nan) if isinstance(each, str) else each
    boxes = records.boxes
    if records.relative:
        boxes = boxes * sizes[records.image][:, [1, 0, 1, 0]]
    failed = {index: each for index, each in read.items() if isinstance(each, str)}
    return replace(records, sizes=sizes, boxes=boxes, relative=False), failed
