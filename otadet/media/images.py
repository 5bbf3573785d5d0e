"""Sources of images: a file, a folder, a pattern or an address."""

from __future__ import annotations

import glob
import itertools
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from loguru import logger

from otadet.data import (
    IMAGE_ENDINGS,
    ArrayImage,
    ImageOptions,
    WindowedImage,
    decode_image,
    open_image,
    read_image,
)
from otadet.data.image_file import WRITTEN_ENDINGS, left_out
from otadet.data.image_options import PLAIN
from otadet.errors import InputError
from otadet.web import Client

MAX_BYTES = 64 * 2**20
"""Largest image that is fetched from an address."""

TIMEOUT = 20.0
"""Seconds in all that fetching an image may take."""

MOST_COUNTED = 10_000
"""Entries below a folder that are counted to report how many images are left out."""


@dataclass(frozen=True)
class ImageSource:
    """An image that has not been read yet.

    Attributes:
        name: file name without folders, with an ending.
        where: path, or http(s) address.
    """

    name: str
    where: str

    @property
    def path(self) -> Path | None:
        """The file; ``None`` for an address."""
        return None if is_address(self.where) else Path(self.where)

    def open(self, options: ImageOptions = PLAIN, windows: bool = False) -> WindowedImage:
        """Open the image, upright.

        Args:
            options: pages, channels and stretch.
            windows: a large file is not decoded as a whole but read window by window.

        Raises:
            InputError: it cannot be fetched, read or decoded, or is too large to be decoded as a
                whole.
        """
        path = self.path
        if path is None:
            return ArrayImage(decode_image(fetch(self.where), self.where, options))
        if windows:
            return open_image(path, options=options)
        return ArrayImage(read_image(path, options=options))


def is_address(text: str) -> bool:
    """Return whether this is an http or https address."""
    return text.lower().startswith(("http://", "https://"))


def find_images(text: str, where: str) -> list[ImageSource]:
    """Find the images of a file, folder, pattern (``a/*.jpg``, ``a/**/*.png``) or address.

    They are sorted by name. Of a folder they are those directly in it: a warning says how many are
    left out further down, where copies drawn by an earlier call may lie; of a large tree
    :data:`MOST_COUNTED` entries are counted.

    Args:
        text: what the user gave.
        where: name of it in messages, for example the option.

    Raises:
        InputError: there are no images.
    """
    if is_address(text):
        try:
            name = Path(urllib.parse.unquote(urllib.parse.urlsplit(text).path)).name
        except ValueError as error:
            raise InputError(f"{where} {text}: not an address ({error})") from error
        ending = Path(name).suffix.lower() in IMAGE_ENDINGS
        return [ImageSource(name if ending else (Path(name).stem or "image") + ".jpg", text)]
    path = Path(text)
    endings = ", ".join(IMAGE_ENDINGS)
    if path.is_file():
        return [ImageSource(path.name, text)]
    if path.is_dir():
        inside = sorted(path.iterdir())
        found = [p for p in inside if _is_image(p)]
        problem = f"no image in this folder ({endings})"
        if others := left_out(p.name for p in inside):
            problem += f"; left out: {others}, which OpenCV does not read"
            if found:
                logger.warning(
                    "{} {}: left out: {}, which OpenCV does not read", where, text, others
                )
        # Bounded: the folder may be the root of a data set, or of a disk.
        counted = list(itertools.islice(path.glob("*/**/*"), MOST_COUNTED))
        deeper = sum(_is_image(p) for p in counted)
        if deeper:
            least = "at least " if len(counted) == MOST_COUNTED else ""
            also = f"{least}{deeper} in its subfolders; '{path / '**'}' takes them too"
            problem += f", {also}"
            if found:
                logger.warning("{} {}: {} images, without {}", where, text, len(found), also)
    elif glob.has_magic(text):
        matches = glob.glob(text, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute one
        found = sorted(p for p in map(Path, matches) if _is_image(p))
        problem = f"the pattern matches no image ({endings})"
    else:
        raise InputError(f"{where} {text}: no such file or folder")
    if not found:
        raise InputError(f"{where} {text}: {problem}")
    return [ImageSource(p.name, str(p)) for p in found]


def image_files(path: Path, option: str) -> list[Path]:
    """Return the image file ``path``, or the images directly in that folder, sorted by name.

    Raises:
        InputError: there are none; ``option`` is the name of the path in the message.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{option} {path}: no such file or folder")
    found = sorted(p for p in path.iterdir() if _is_image(p))
    if not found:
        raise InputError(f"{option} {path}: no image in this folder ({', '.join(IMAGE_ENDINGS)})")
    return found


def output_names(images: Sequence[ImageSource]) -> list[str]:
    """Choose a unique file name for the drawn copy of each image, of a format that is written."""
    taken: set[str] = set()
    names: list[str] = []
    for image in images:
        path = Path(image.name)
        ending = path.suffix if path.suffix.lower() in WRITTEN_ENDINGS else ".jpg"
        name, number = path.stem + ending, 2
        while name.lower() in taken:  # a pattern may reach into several folders
            name, number = f"{path.stem}-{number}{ending}", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


def fetch(address: str, limit: int = MAX_BYTES, timeout: float = TIMEOUT) -> bytes:
    """Fetch the bytes at an http(s) address.

    Args:
        address: of the file.
        limit: largest number of bytes.
        timeout: seconds in all, however slowly the bytes come.

    Raises:
        InputError: no answer, an error, too large, or too slow.
    """
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "otadet"})
        client = Client(timeout)
        data = client.within(lambda: _body(client.open(request), limit))
    except urllib.error.HTTPError as error:
        raise InputError(f"{address}: the server answers {error.code} {error.reason}") from error
    except TimeoutError as error:
        raise InputError(f"{address}: not complete after {timeout:g} seconds") from error
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise InputError(f"{address}: cannot be fetched ({reason})") from error
    if len(data) > limit:
        raise InputError(f"{address}: larger than {limit / 2**20:g} MB")
    return data


def _body(answer: HTTPResponse, limit: int) -> bytes:
    """Read the body; of one that is larger than ``limit`` a byte more than that."""
    with answer:
        return answer.read(limit + 1)


def _is_image(path: Path) -> bool:
    ending = path.suffix.lower() in IMAGE_ENDINGS
    # macOS leaves ._NAME beside each file on disks of other systems.
    return ending and not path.name.startswith(".") and path.is_file()
