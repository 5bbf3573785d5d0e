"""Divide one set of images into training and validation, near copies on one side."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from otadet.data.annotation_table import Floats
from otadet.data.files import is_inside
from otadet.data.findings import found
from otadet.data.folder_tree import is_image
from otadet.data.layouts import SplitPaths
from otadet.data.records import Bools, Records
from otadet.data.split_words import split_of, words_of

_ROBOFLOW = re.compile(r"_(?:jpe?g|png|bmp|webp|tiff?)\.rf\.\w+$", re.IGNORECASE)
_VIDEO = re.compile(
    r"(?:[._](?:mp4|avi|mov|mkv|webm|m4v|wmv|mpe?g)|(?<![^\W\d_])(?:frame|frm)s?)[-_. ]*$",
    re.IGNORECASE,
)
_FILMED = frozenset(
    {"cam", "camera", "video", "vid", "clip", "seq", "sequence", "scene", "drive", "stream",
     "movie", "gopro", "drone", "uav"}
)  # fmt: skip
_WHOLE = 0.2  # a larger share of the images is divided itself
_FRAMES, _IMAGES = 32, 8  # length of a block: of a video; of other images with numbers
_DIGITS = 3  # numbers of fewer are no counters
_LONGEST = 18  # digits of a number that tell frames apart
_STEP = (5**0.5 - 1) / 2  # multiples of it spread evenly over 0..1 (golden section)
_PIECE = 512

_Group = tuple[str, int]


def division(names: Sequence[str], folder: Path, fraction: float) -> Bools:
    """Choose the images that validate, by a hash of their names.

    The choice for an image depends on its own name, so that it does not change when others are
    added, and on neither order nor machine. On one side stay together:

    - the copies that Roboflow makes of an image (``NAME_jpg.rf.HASH.jpg``);
    - the frames of a video, where names say so (``clip_frame_0012``, ``a.mp4_0012``,
      ``cam1_0012``) and the video has at most a fifth of the images; a longer one is divided
      into blocks of 32 frames;
    - blocks of 8 numbers of other images that are numbered (``IMG_0012``);
    - equal files, of which only those of one size are read.

    Args:
        names: of the images, relative to ``folder``.
        folder: of the images.
        fraction: about the share that validates, 0 to 1.

    Returns:
        ``[N]``, true for validation. Of two images or more at least one is on each side;
        a single one trains.
    """
    copies = _copies(names, folder)
    names = [unicodedata.normalize("NFC", name) for name in names]
    alone = [(name, -1) for name in names]
    groups = _groups([_key(name) for name in names])
    if len(set(groups)) == 1:
        groups = alone
    groups = [groups[copies.get(index, index)] for index in range(len(names))]
    if len(set(groups)) == 1:  # equal images alone
        groups = alone
    places = _places(groups)
    chosen = places < fraction
    if len(set(groups)) == 1:
        chosen[:] = False
    elif len(names) > 1:
        if not chosen.any():
            chosen = places == places.min()
        if chosen.all():
            chosen = places < places.max()
    return chosen


def divided(records: Records, place: SplitPaths) -> Records:
    """Return the images of one split of a set that serves both.

    Where the folders of the images state training and validation they count; images in folders of
    a test set belong to neither split.
    """
    if place.divide is None:
        return records
    stated = _stated(records.file_names)
    test = stated == "test" if (stated != "test").any() else np.zeros(len(stated), bool)
    findings = found(
        "images-of-test", "note", place.split, np.flatnonzero(test),
        "images in folders of a test set: left out", records.file_spot,
    )  # fmt: skip
    if (stated == "train").any() and (stated == "val").any():
        chosen = stated == "val"
        text = "images lie in folders of the splits, which count instead of val_fraction"
        findings += found(
            "images-by-folder", "note", place.split, np.flatnonzero(~test & (stated != "")), text,
            records.file_spot,
        )  # fmt: skip
    else:
        chosen = np.zeros(len(stated), bool)
        names = [name for name, left_out in zip(records.file_names, test) if not left_out]
        chosen[~test] = division(names, records.images, place.divide)
    keep = ~test & (chosen if place.split == "val" else ~chosen)
    return records.with_findings(findings).only(keep)


def _stated(names: Sequence[str]) -> npt.NDArray[np.str_]:
    """``[N]`` the split that the folder of each image states, empty for none."""
    folders = [name.rpartition("/")[0] for name in names]
    split = {folder: split_of(folder) or "" for folder in set(folders)}
    return np.array([split[folder] for folder in folders], "U5")


def _key(name: str) -> str:
    """The name without ending and without what Roboflow appends."""
    stem = name.rpartition(".")[0] if is_image(name) else name
    return _ROBOFLOW.sub("", stem) if ".rf." in stem else stem


def _groups(keys: Sequence[str]) -> list[_Group]:
    """The group of each key: a name or a video, and the block of it or -1."""
    prefixes = [key.rstrip("0123456789") for key in keys]
    most = _WHOLE * len(keys)
    rules = {prefix: _rule(prefix, count <= most) for prefix, count in Counter(prefixes).items()}
    groups: list[_Group] = []
    for key, prefix in zip(keys, prefixes):
        digits, length = rules[prefix]
        if len(key) - len(prefix) < digits:
            groups.append((key, -1))
        else:
            number = int(key[len(prefix) :][-_LONGEST:])
            groups.append((prefix, number // length if length else -1))
    return groups


def _rule(prefix: str, few: bool) -> tuple[int, int]:
    """Fewest digits of a number, and length of the blocks; 0 for a video that stays whole."""
    if _VIDEO.search(prefix) or not _FILMED.isdisjoint(words_of(prefix)):
        return 1, 0 if few else _FRAMES
    return _DIGITS, _IMAGES


def _places(groups: Sequence[_Group]) -> Floats:
    """``[N]`` a number from 0 to 1 for each group; blocks of one video follow in even steps."""
    first = {name: _hash(name) for name in {name for name, _ in groups}}
    return np.array([(first[name] + (block + 1) * _STEP) % 1 for name, block in groups])


def _hash(name: str) -> float:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _copies(names: Sequence[str], folder: Path) -> dict[int, int]:
    """For each image that another equals byte by byte, the one of them with the first name."""
    top = os.fspath(folder)
    by_size: dict[int, dict[int, str]] = {}
    for index, name in enumerate(names):
        path = f"{top}/{name}"
        try:
            status = os.stat(path)  # noqa: PTH116 - of 100,000 files
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(status.st_mode) and (".." not in name or is_inside(name)):
            by_size.setdefault(status.st_size, {})[index] = path
    first: dict[int, int] = {}
    for size, paths in by_size.items():
        for alike in _equal(paths, size // 2, _PIECE):
            for equal in _equal(alike, 0, size):
                first.update(dict.fromkeys(equal, min(equal, key=names.__getitem__)))
    return first


def _equal(paths: dict[int, str], start: int, count: int) -> list[dict[int, str]]:
    """The sets of two or more files with the same ``count`` bytes from ``start`` on."""
    found: dict[bytes, dict[int, str]] = {}
    for index, path in paths.items() if len(paths) > 1 else ():
        try:
            piece = _read(path, start, count)
        except OSError:
            continue
        found.setdefault(hashlib.sha256(piece).digest(), {})[index] = path
    return [each for each in found.values() if len(each) > 1]


_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def _read(path: str, start: int, count: int) -> bytes:
    """Read ``count`` bytes from ``start`` on, without the cost of a file object."""
    file = os.open(path, _FLAGS)
    try:
        os.lseek(file, start, os.SEEK_SET)
        return os.read(file, count)
    finally:
        os.close(file)
