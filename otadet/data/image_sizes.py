"""Read the sizes of many images, for formats whose annotations do not state them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from loguru import logger

from otadet.choices import Unreadable
from otadet.data.annotation_table import Ints
from otadet.data.files import check_inside
from otadet.data.image_file import read_size
from otadet.errors import InputError
from otadet.geometry import Size

_THREADS = 16  # reading headers waits for the disk
_MANY = 5000


def read_sizes(
    images: Path,
    names: Sequence[str],
    places: Sequence[str],
    unreadable: Unreadable,
    upright: bool = False,
) -> tuple[Ints, int]:
    """Read height and width of images from their headers, in threads.

    Args:
        images: the folder.
        names: files in it.
        places: where each is named, for messages.
        unreadable: ``"skip"`` gives 0 x 0 for a file that cannot be read, with a warning.
        upright: as EXIF turns them.

    Returns:
        Sizes ``[N, 2]``, and the number of unreadable files.

    Raises:
        InputError: a name leaves the folder, or (with ``"stop"``) a file cannot be read.
    """
    if names and not images.is_dir():
        raise InputError(f"{images}: image folder not found")
    for name, place in zip(names, places):
        check_inside(name, place)
    if len(names) > _MANY:
        logger.info("{}: reading the sizes of {} images", images, len(names))

    def size(name: str) -> Size | InputError:
        try:
            return read_size(images / name, upright)
        except InputError as error:
            return error

    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(size, names, chunksize=64))
    bad = 0
    for index, result in enumerate(found):
        if isinstance(result, InputError):
            if unreadable == "stop":
                raise InputError(f"{result}; {places[index]}") from None
            logger.warning(f"{result}; {places[index]}; skipped")
            found[index] = (0, 0)
            bad += 1
    return np.array(found, np.int64).reshape(-1, 2), bad
