"""Windows of image files of any size, with pages and channels, through ``rasterio`` (GDAL).

An extra, ``pip install 'otadet[large]'``. GDAL is only asked for the format that a file's first
bytes show, and looks at no other file.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from otadet.data.image_header import JPEG, PNG, TIFF
from otadet.data.image_options import ImageOptions
from otadet.data.levels import Levels, Values
from otadet.data.windowed_image import Box, Image
from otadet.errors import InputError
from otadet.geometry import Size
from otadet.regular_file import open_regular
from otadet.texts import one_line

DRIVERS: tuple[tuple[bytes | tuple[bytes, ...], str], ...] = (
    (TIFF, "GTiff"), (JPEG, "JPEG"), (PNG, "PNG"), (b"BM", "BMP"),
    ((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "JP2OpenJPEG"), ((b"P5", b"P6"), "PNM"),
)  # fmt: skip
"""GDAL's driver by the first bytes of a file."""

MAX_BLOCK = 1 << 28
"""Bytes of the largest block that a file may be stored in: one is decoded as a whole."""

MAX_FILE = 1 << 40
"""Bytes of the largest file."""

_SAMPLES, _SAMPLE = 16, 128  # levels are found in 16 x 16 windows of 128 px
_OPTIONS = {
    "GDAL_CACHEMAX": 64,  # MB
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
}


def has_rasterio() -> bool:
    """Return whether the extra is installed."""
    return find_spec("rasterio") is not None


def driver_of(path: Path) -> str | None:
    """Return the name of GDAL's driver for a file; ``None`` where none reads it by windows."""
    with open_regular(path, "image file", MAX_FILE) as (file, _):
        begin = file.read(16)
    return next((name for magic, name in DRIVERS if begin.startswith(magic)), None)


@dataclass(eq=False)
class RasterImage:
    """An image file that is read window by window, as its pixels are stored.

    Threads and processes may share it: a process opens the file for itself.

    Args:
        path: of the file.
        options: pages, channels and stretch.

    Raises:
        InputError: the extra is missing; no such page or channel; a choice has to be made.
    """

    path: Path
    options: ImageOptions
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _opened: tuple[int, _Opened] | None = None

    def __post_init__(self) -> None:
        self._pages()

    @property
    def size(self) -> Size:
        """Height and width as stored."""
        return self._pages().size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Kind of the file's values."""
        return self._pages().dtype

    def read(self, box: Box) -> Image:
        """Read a window ``[H, W, 3]`` uint8 RGB."""
        values = self.values(box)
        pixels = np.asarray(values, np.uint8) if self.levels is None else self.levels(values)
        return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)

    def values(self, box: Box) -> Values:
        """Read a window's values ``[H, W, C]``, of one or three channels, as the file has them."""
        with self._lock:
            return self._pages().read(box)

    @cached_property
    def levels(self) -> Levels | None:
        """How the values become bytes; ``None`` where they are bytes that stay as they are."""
        status = self.path.stat()
        return _levels(self.path, self.options, status.st_size, status.st_mtime_ns)

    def _pages(self) -> _Opened:
        process = os.getpid()
        if self._opened is None or self._opened[0] != process:
            self._opened = process, _Opened(self.path, self.options)
        return self._opened[1]

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "options": self.options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class _Opened:
    """The chosen pages and channels of a file that is open in this process."""

    def __init__(self, path: Path, options: ImageOptions) -> None:
        self._path = path
        driver = driver_of(path)
        if not has_rasterio():
            raise InputError(
                f"{path}: pages, channels and numbers of other kinds than 8 and 16 bits need "
                "rasterio: pip install 'otadet[large]'"
            )
        if driver is None:
            raise InputError(f"{path}: of a format that is not read by windows")
        with _gdal(path), ExitStack() as stack:
            pages = [stack.enter_context(_open(path, driver, each)) for each in options.pages]
            self._pages = [_Page(page) for page in pages]
            self._check(path, pages, driver)
            stack.pop_all()  # they close with the last reference to them
        self.size: Size = pages[0].shape
        taken = _wanted(path, self._pages, options.channels)
        self._wanted = [
            (page, [channel for _, channel in pairs])
            for page, pairs in groupby(taken, key=lambda pair: pair[0])
        ]

    def _check(self, path: Path, pages: Sequence[Any], driver: str) -> None:
        kinds = {(page.shape, page.dtypes[0]) for page in pages}
        if len(kinds) > 1:
            got = ", ".join(f"{w} x {h} {kind}" for (h, w), kind in sorted(kinds))
            raise InputError(f"{path}: expected pages of one size and kind of number, got {got}")
        for page in pages:
            height, width = page.block_shapes[0]
            each = height * width * page.count * np.dtype(page.dtypes[0]).itemsize
            if driver == "GTiff" and each > MAX_BLOCK:
                raise InputError(
                    f"{path}: its blocks of {width} x {height} px are too large to be decoded one "
                    "by one; write it in tiles, with `gdal_translate -co TILED=YES`"
                )

    @property
    def dtype(self) -> np.dtype[Any]:
        """Kind of the values."""
        return np.dtype(np.uint8 if self._pages[0].palette is not None else self._pages[0].dtype)

    def read(self, box: Box) -> Values:
        from rasterio.windows import Window

        left, top, right, bottom = box
        window = Window(left, top, right - left, bottom - top)
        with _gdal(self._path):
            parts = [page.read(window, channels) for page, channels in self._wanted]
        return np.ascontiguousarray(np.concatenate(parts).transpose(1, 2, 0))


class _Page:
    """A page: its channels, of which a palette has three."""

    def __init__(self, dataset: Any) -> None:
        from rasterio.enums import ColorInterp

        kinds = dataset.colorinterp
        self._dataset = dataset
        self.dtype = dataset.dtypes[0]
        self.palette: npt.NDArray[np.uint8] | None = None
        if kinds == (ColorInterp.palette,):
            self.palette = np.zeros((256, 3), np.uint8)
            for index, color in dataset.colormap(1).items():
                self.palette[index] = color[:3]
        self.channels = dataset.count if self.palette is None else 3
        self.alpha = {i for i, kind in enumerate(kinds) if kind == ColorInterp.alpha}
        self.is_rgb = kinds[:3] == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)

    def read(self, window: Any, channels: Sequence[int]) -> Values:
        """Read channels ``[C, H, W]`` of a window."""
        if self.palette is not None:
            indices = self._dataset.read(1, window=window)
            return np.stack([self.palette[indices, channel] for channel in channels])
        values: Values = self._dataset.read([each + 1 for each in channels], window=window)
        if self._dataset.nodata is not None and values.dtype.kind == "f":
            values[values == self._dataset.nodata] = np.nan
        return values


def _wanted(
    path: Path, pages: Sequence[_Page], chosen: tuple[int, ...] | None
) -> list[tuple[_Page, int]]:
    """Return page and channel of what becomes grey, or red, green and blue."""
    every = [(page, channel) for page in pages for channel in range(page.channels)]
    if chosen is None:
        taken = [(page, channel) for page, channel in every if channel not in page.alpha]
        taken = taken[:3] if pages[0].is_rgb else taken
        if len(taken) in (1, 3):
            return taken
        raise InputError(
            f"{path}: has {len(every)} channels; image_channels=N or image_channels=R,G,B chooses "
            f"of 0 to {len(every) - 1}"
        )
    if max(chosen) < len(every):
        return [every[each] for each in chosen]
    raise InputError(
        f"{path}: image_channels={','.join(map(str, chosen))}, but it has {len(every)} channels: 0 "
        f"to {len(every) - 1}"
    )


@lru_cache(maxsize=65_536)
def _levels(path: Path, options: ImageOptions, size: int, changed: int) -> Levels | None:
    """Find the levels of a file of this size and time, of a large one in a grid of windows."""
    image = RasterImage(path, options)
    if image.dtype == np.uint8 and options.stretch is None:
        return None
    height, width = image.size
    parts = [
        image.values((left, top, min(left + _SAMPLE, width), min(top + _SAMPLE, height)))
        for top in _starts(height)
        for left in _starts(width)
    ]
    flat = [part.reshape(1, -1, part.shape[2]) for part in parts]
    return Levels.of(np.concatenate(flat, axis=1), options.stretch, path)


def _starts(side: int) -> list[int]:
    """First pixels of the windows along a side: all of it, or evenly spaced."""
    if side <= _SAMPLES * _SAMPLE:
        return list(range(0, side, _SAMPLE))
    return [int(each) for each in np.linspace(0, side - _SAMPLE, _SAMPLES)]


def _open(path: Path, driver: str, page: int) -> Any:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    name = str(path.resolve())
    if driver == "GTiff":
        name = f"GTIFF_DIR:{page + 1}:{name}"
    elif page:
        raise InputError(f"{path}: image_pages={page}, but only TIFF files have pages")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(name, driver=driver)


@contextmanager
def _gdal(path: Path) -> Iterator[None]:
    """Set GDAL's options, and turn its errors into a line."""
    import rasterio
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    try:
        with rasterio.Env(**_OPTIONS):
            yield
    except (RasterioError, CPLE_BaseError) as error:
        cause = error.__cause__ or error
        raise InputError(f"{path}: cannot be read ({one_line(str(cause), 160)})") from None
