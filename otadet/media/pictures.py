"""Where pictures come from: a file, a folder, a pattern or an address."""

from __future__ import annotations

import glob
import itertools
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np
import numpy.typing as npt
from loguru import logger

from otadet.data import IMAGE_ENDINGS, decode_image, read_image
from otadet.errors import InputError

MAX_BYTES = 64 * 2**20
"""Largest picture that is fetched from an address."""

TIMEOUT = 20.0
"""Seconds that fetching a picture may take, all in all."""

MOST_COUNTED = 10_000
"""Entries below a folder that are looked at to say how many images are left out."""

_CHUNK = 2**18


@dataclass(frozen=True)
class Picture:
    """One picture that has not been read yet.

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

    def read(self) -> npt.NDArray[np.uint8]:
        """The picture ``[H, W, 3]`` uint8 RGB, upright.

        Raises:
            InputError: it cannot be fetched, read or decoded.
        """
        path = self.path
        if path is not None:
            return read_image(path, upright=True)
        return decode_image(fetch(self.where), self.where)


def is_address(text: str) -> bool:
    """Whether this is an http or https address."""
    return text.lower().startswith(("http://", "https://"))


def find_pictures(text: str, where: str) -> list[Picture]:
    """The pictures that a file, a folder, a pattern (``a/*.jpg``, ``a/**/*.png``) or an address
    stands for, in the order of their names. Of a folder those directly in it: a warning says how
    many are left out further down, where copies drawn by an earlier call may lie; of a large tree
    :data:`MOST_COUNTED` entries are looked at.

    Args:
        text: what the user gave.
        where: how an error calls it, for example an option's name.

    Raises:
        InputError: where there are none.
    """
    if is_address(text):
        try:
            name = Path(urllib.parse.unquote(urllib.parse.urlsplit(text).path)).name
        except ValueError as error:
            raise InputError(f"{where} {text}: not an address ({error})") from error
        ending = Path(name).suffix.lower() in IMAGE_ENDINGS
        return [Picture(name if ending else (Path(name).stem or "picture") + ".jpg", text)]
    path = Path(text)
    endings = ", ".join(IMAGE_ENDINGS)
    if path.is_file():
        return [Picture(path.name, text)]
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if _is_picture(p))
        problem = f"no picture in this folder ({endings})"
        # No more than that: the folder may be the root of a data set, or of a disk.
        looked = list(itertools.islice(path.glob("*/**/*"), MOST_COUNTED))
        deeper = sum(_is_picture(p) for p in looked)
        if deeper:
            least = "at least " if len(looked) == MOST_COUNTED else ""
            also = f"{least}{deeper} in its subfolders; '{path / '**'}' takes them too"
            problem += f", {also}"
            if found:
                logger.warning("{} {}: {} pictures, without {}", where, text, len(found), also)
    elif glob.has_magic(text):
        matches = glob.glob(text, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute one
        found = sorted(p for p in map(Path, matches) if _is_picture(p))
        problem = f"the pattern matches no picture ({endings})"
    else:
        raise InputError(f"{where} {text}: no such file or folder")
    if not found:
        raise InputError(f"{where} {text}: {problem}")
    return [Picture(p.name, str(p)) for p in found]


def output_names(pictures: Sequence[Picture]) -> list[str]:
    """A file name for the drawn copy of each picture, no two alike, with an ending that can be
    written."""
    taken: set[str] = set()
    names: list[str] = []
    for picture in pictures:
        path = Path(picture.name)
        ending = path.suffix if path.suffix.lower() in IMAGE_ENDINGS else ".jpg"
        name, number = path.stem + ending, 2
        while name.lower() in taken:  # a pattern may reach into several folders
            name, number = f"{path.stem}-{number}{ending}", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


def fetch(address: str, limit: int = MAX_BYTES, timeout: float = TIMEOUT) -> bytes:
    """The bytes at an http(s) address.

    Args:
        address: of the file.
        limit: largest number of bytes.
        timeout: seconds in all, however slowly the bytes come.

    Raises:
        InputError: no answer, an answer that is an error, too large, or too slow.
    """
    end = time.monotonic() + timeout
    data = bytearray()
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "otadet"})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            while chunk := answer.read1(_CHUNK):
                data += chunk
                if len(data) > limit:
                    raise InputError(f"{address}: larger than {limit / 2**20:g} MB")
                if time.monotonic() > end:
                    raise InputError(f"{address}: not there after {timeout:g} seconds")
    except urllib.error.HTTPError as error:
        raise InputError(f"{address}: the server answers {error.code} {error.reason}") from error
    except TimeoutError as error:
        raise InputError(f"{address}: no answer within {timeout:g} seconds") from error
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise InputError(f"{address}: cannot be fetched ({reason})") from error
    return bytes(data)


def _is_picture(path: Path) -> bool:
    ending = path.suffix.lower() in IMAGE_ENDINGS
    # macOS leaves ._NAME beside each file on disks of other systems.
    return ending and not path.name.startswith(".") and path.is_file()
