"""Decoded pixels of a large image in a file, for formats that cannot be read by windows."""

from __future__ import annotations

import hashlib
import mmap
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from loguru import logger

from otadet.atomic import atomic_path, file_lock, remove_parts
from otadet.data.free_space import check_disk
from otadet.data.image_options import ImageOptions
from otadet.data.windowed_image import Box, Image, WindowedImage, strips
from otadet.geometry import Size
from otadet.texts import one_line


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """Pixels ``[H, W, 3]`` uint8 RGB in a file that is mapped into memory.

    Attributes:
        content: the pixels, row by row.
        size: height and width.
    """

    content: mmap.mmap
    size: Size

    def read(self, box: Box) -> Image:
        """Read a window."""
        left, top, right, bottom = box
        pixels = np.frombuffer(self.content, np.uint8).reshape(*self.size, 3)
        window = pixels[top:bottom, left:right].copy()
        if hasattr(mmap, "MADV_DONTNEED"):  # what was read does not stay in the process's memory
            self.content.madvise(mmap.MADV_DONTNEED)
        return window


def decoded(
    image: WindowedImage, path: Path, options: ImageOptions, folder: Path | None
) -> DecodedImage:
    """Decode an image into a file.

    Args:
        image: of ``path``.
        path: of the image file, whose size and time of change are part of the name.
        options: by which it is read.
        folder: of files that later runs use again, made where missing; ``None`` takes a temporary
            file, which is gone with the last use of it.

    Raises:
        InputError: it does not fit on the disk; names the folder.
    """
    if folder is None:
        _check_space(image.size, Path(tempfile.gettempdir()), path)
        with tempfile.TemporaryFile() as scratch:  # its map stays
            _write(image, scratch)
            return _mapped(scratch, image.size)
    status = path.stat()
    what = (str(path.resolve()), status.st_size, status.st_mtime_ns, options, image.size)
    target = folder / f"{hashlib.sha256(repr(what).encode()).hexdigest()[:20]}.pixels"
    height, width = image.size
    folder.mkdir(parents=True, exist_ok=True)
    with file_lock(target):
        remove_parts(target)
        if not target.exists() or target.stat().st_size != height * width * 3:
            _check_space(image.size, folder, path)
            size = height * width * 3 / 1e9
            logger.info("{}: decoded once into {} ({:.2f} GB)", one_line(path), folder, size)
            with atomic_path(target) as part, part.open("wb") as file:
                _write(image, file)
    with target.open("rb") as kept:
        return _mapped(kept, image.size)


def _check_space(size: Size, folder: Path, name: Path) -> None:
    check_disk(size[0] * size[1] * 3, folder, f"{name.name}, decoded to be read in pieces,")


def _mapped(file: IO[bytes], size: Size) -> DecodedImage:
    return DecodedImage(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), size)


def _write(image: WindowedImage, file: IO[bytes]) -> None:
    for box in strips(image.size):
        file.write(np.ascontiguousarray(image.read(box)).data)
    file.flush()
