"""The images that ``inspect`` shows: by path or of a data set, the most contested ones first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from loguru import logger

from otadet.choices import Split
from otadet.data import Dataset, FileDataset
from otadet.data.data_folder import NoSplitError
from otadet.data.findings import counted
from otadet.doctor.config import InputFrame
from otadet.doctor.crowding import contested_in
from otadet.errors import InputError
from otadet.exp import BaseExp

_MEASURED = 5000  # images whose boxes are looked at, spread evenly
_IMAGE_FOLDERS = frozenset({
    "image", "images", "img", "imgs", "jpegimages", "photos", "train", "val", "valid", "validation",
    "test",
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Chosen:
    """Image ``index`` of a data set."""

    data: Dataset
    index: int

    @property
    def name(self) -> str:
        """The file's name, or a number where there is no file."""
        return self.data.ground_truth(self.index).file_name or f"image {self.index}"

    @property
    def file(self) -> Path:
        """The image file, resolved."""
        if not isinstance(self.data, FileDataset):
            raise InputError("--path: expected a data set of files, got generated images")
        return (self.data.images / self.name).resolve()


def open_datasets(
    exp: BaseExp, paths: Sequence[str] | None, split: Split | None, given: bool
) -> tuple[BaseExp, list[Dataset]]:
    """Open the data of the images, and return the experiment with its ``data_dir``.

    Args:
        exp: its ``data_dir`` counts where it is given or nothing lies around the images.
        paths: of images or their folders.
        split: the only one to open; ``None`` opens both for ``paths``, else the validation set.
        given: the user names ``data_dir``.

    Raises:
        InputError: there is none, or its annotations cannot be read.
    """
    if paths and not given:
        exp = exp.changed(data_dir=str(_root(exp, Path(paths[0]))))
    if split is not None or not paths:
        return exp, [_open(exp, split or "val")]
    return exp, [data for data in map(_opened, (exp, exp), get_args(Split)) if data is not None]


def _open(exp: BaseExp, split: Split) -> Dataset:
    return exp.build_val_data() if split == "val" else exp.changed(cache="none").build_train_data()


def _opened(exp: BaseExp, split: Split) -> Dataset | None:
    try:
        return _open(exp, split)
    except NoSplitError:
        return None


def _root(exp: BaseExp, path: Path) -> Path:
    """The folder of the data set around an image or a folder of images.

    Upwards only folders of images are left: what lies around another one may be large.
    """
    if not path.exists():
        raise InputError(f"--path {path}: no such file or folder")
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    for each in (folder, *folder.parents):
        if _has_annotations(exp, each):
            return each
        if each.name.lower().strip("0123456789_-") not in _IMAGE_FOLDERS:
            break
    if exp.data_dir is not None and Path(exp.data_dir).is_dir():
        return Path(exp.data_dir)
    raise InputError(
        f"--path {path}: no annotations were found around it; name the data set with data_dir=..."
    )


def _has_annotations(exp: BaseExp, folder: Path) -> bool:
    try:
        exp.changed(data_dir=str(folder)).place("train")
    except InputError:
        return False
    return True


def choose(
    exp: BaseExp,
    datasets: Sequence[Dataset],
    paths: Sequence[str] | None,
    count: int,
    strides: Sequence[int],
) -> list[Chosen]:
    """Return the most contested images with objects.

    Args:
        exp: its resize brings boxes to the input's size.
        datasets: of one split or both.
        paths: images, or folders of them, to which the choice is limited.
        count: how many at most.
        strides: of the network's levels.

    Raises:
        InputError: none has an object.
    """
    found = [Chosen(data, index) for data in datasets for index in range(len(data))]
    if paths:
        found = _at_paths(found, paths)
    usable = [each for each in found if len(each.data.ground_truth(each.index))]
    if not usable:
        which = f"--path {' '.join(paths)}" if paths else "the data set"
        raise InputError(f"{which}: {counted(len(found), 'image')} without any object to assign")
    if paths and len(usable) < len(found):
        logger.warning("left out: {} without objects", counted(len(found) - len(usable), "image"))
    if len(usable) > _MEASURED:
        usable = [usable[i] for i in np.linspace(0, len(usable) - 1, _MEASURED).astype(int)]
    frame = InputFrame(exp.resize, exp.test_size, tuple(strides), None)
    _, contested = contested_in([each.data.ground_truth(each.index) for each in usable], frame)
    return [usable[i] for i in np.argsort(-contested, kind="stable")[:count]]


def _at_paths(images: Sequence[Chosen], paths: Sequence[str]) -> list[Chosen]:
    """The images at these paths or below them."""
    files = [each.file for each in images]
    found: dict[int, Chosen] = {}
    for path in paths:
        wanted = Path(path).resolve()
        mine = [i for i, file in enumerate(files) if file == wanted or wanted in file.parents]
        if not mine:
            raise InputError(
                f"--path {path}: the annotations name no image there; they name {files[0]} and "
                f"{len(files) - 1} more"
            )
        found |= {i: images[i] for i in mine}
    return list(found.values())
