"""Convert a data set to another format; images are linked or copied."""

from __future__ import annotations

import filecmp
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
from loguru import logger
from tqdm import tqdm

from otadet.choices import ImageMode, Known, Split
from otadet.data.classes import Classes
from otadet.data.exif import SWAPPED
from otadet.data.files import FileDataset
from otadet.data.format_writers import WRITERS, image_folder
from otadet.data.image_file import IMAGE_ENDINGS, read_file_header
from otadet.data.write_parts import Lost, check_names
from otadet.errors import InputError
from otadet.outputs import check_replaceable, list_files
from otadet.types import GroundTruth


@dataclass(frozen=True)
class Converted:
    """Result of a conversion.

    Attributes:
        images: number of images of each split.
        objects: number of objects of all splits.
        ignored: number of ignore regions of all splits.
        lost: number of things that the format cannot express, by kind.
    """

    images: Mapping[Split, int]
    objects: int
    ignored: int
    lost: Mapping[str, int]


def convert(
    data: Mapping[Split, FileDataset],
    folder: Path,
    data_format: Known,
    *,
    images: ImageMode = "link",
    force: bool = False,
    progress: bool = True,
    keep_ids: bool = True,
) -> Converted:
    """Write data sets as the splits of one new data set, whole or not at all.

    Everything is written into a folder beside, which gets the name at the end.

    Args:
        data: the splits; their classes must be the same.
        folder: the new data set's.
        data_format: of the annotations.
        images: see :data:`~otadet.choices.ImageMode`; they are never encoded anew.
        force: replace an existing folder that holds nothing but files of an earlier conversion.
        progress: show a bar.
        keep_ids: COCO's category ids are those of the first split that has ids; otherwise, and
            where there are none, the class indices plus one, which state the order of the classes.

    Raises:
        InputError: the folder exists, or holds other files; the classes differ; or two images
            would get one name.
    """
    folder = folder if folder.is_symlink() else folder.resolve()
    _check(data, folder, images, force)
    for dataset in data.values():
        check_names(data_format, dataset.class_names, dataset.file_names)
    known = (each.category_ids for each in data.values() if keep_ids and each.category_ids)
    ids = next(known, None)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".otadet.part-", dir=folder.parent))
    try:
        part.chmod(0o755)  # mkdtemp's is for the owner alone
        lost, tally = Lost(), Counter[str]()
        for split, dataset in data.items():
            target = part / image_folder(data_format, split)
            gts = _pass_on(dataset, split, target, images, progress, tally)
            if data_format in ("yolo", "labelme"):  # without a size, and a tool that turns images
                gts = (_upright(gt, dataset.images / gt.file_name) for gt in gts)
            lost += WRITERS[data_format](gts, Classes(dataset.class_names, ids), part, split)
        list_files(part, IMAGE_ENDINGS if images == "copy" else ())
        _replace(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Converted(
        {split: tally[split] for split in data}, tally["objects"], tally["ignored"], dict(lost)
    )


def _check(data: Mapping[Split, FileDataset], folder: Path, images: ImageMode, force: bool) -> None:
    if images not in get_args(ImageMode):
        raise InputError(f"images: expected link, copy or none, got {images!r}")
    there = folder.exists() or folder.is_symlink()
    if there and not force:
        raise InputError(f"{folder}: already exists; name another folder, or give --force")
    names = {dataset.class_names for dataset in data.values()}
    if len(names) > 1:
        first, second = (list(each) for each in sorted(names)[:2])
        raise InputError(
            f"the splits have different classes, {first} and {second}; expected the same; name "
            "them all with --classes"
        )
    for dataset in data.values():
        if any(path.resolve().is_relative_to(folder) for path in (dataset.images, dataset.source)):
            raise InputError(f"{folder}: the data to convert lie in it; name another folder")
    if there:
        _check_old(data, folder)


def _check_old(data: Mapping[Split, FileDataset], folder: Path) -> None:
    """Check that an older folder holds no image to convert, and that a conversion has made it."""
    if folder.is_symlink() or not folder.is_dir():
        raise InputError(f"{folder}: is no folder; --force replaces data sets alone")
    if Path.cwd().is_relative_to(folder):
        raise InputError(f"{folder}: is the current folder or above it; name another folder")
    for dataset in data.values():
        for name in dataset.file_names:
            file = dataset.images / name
            if file.resolve().is_relative_to(folder):
                raise InputError(
                    f"{folder}: {file} is a link to an image in it; name another folder"
                )
    count = check_replaceable(folder)
    logger.info("--force: replaces {}, {} files of an earlier conversion", folder, count)


def _pass_on(
    dataset: FileDataset,
    split: Split,
    target: Path,
    images: ImageMode,
    progress: bool,
    tally: Counter[str],
) -> Iterator[GroundTruth]:
    """Yield the ground truth of every image once its file is linked or copied; count them."""
    if images != "none":
        target.mkdir(parents=True, exist_ok=True)
    for index in tqdm(
        range(len(dataset)), desc=split, unit="image", disable=None if progress else True
    ):
        gt = dataset.ground_truth(index)
        if not (dataset.images / gt.file_name).is_file():
            continue  # unreadable=skip, already logged
        tally["objects"] += len(gt)
        tally["ignored"] += len(gt.ignore_boxes)
        tally[split] += 1
        if images != "none":
            _put(dataset.images / gt.file_name, target / gt.file_name, images)
        yield gt


def _upright(gt: GroundTruth, path: Path) -> GroundTruth:
    """Map boxes of the stored pixels to those of the upright image."""
    header = read_file_header(path)
    lies = header.orientation in SWAPPED and gt.size != header.upright
    return turned(gt, header.orientation) if lies else gt


def turned(gt: GroundTruth, orientation: int) -> GroundTruth:
    """Map the ground truth of the stored pixels to that of the upright image.

    By an EXIF orientation of 5 to 8, which Table 6 of Exif 2.3 (CIPA DC-008) defines.
    """
    size = height, width = gt.size[::-1]

    def mapped(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        x1, y1, x2, y2 = boxes.T[[1, 0, 3, 2]]
        if orientation in (6, 7):
            x1, x2 = width - x2, width - x1
        if orientation in (7, 8):
            y1, y2 = height - y2, height - y1
        return np.stack([x1, y1, x2, y2], axis=1)

    return replace(gt, size=size, boxes=mapped(gt.boxes), ignore_boxes=mapped(gt.ignore_boxes))


def _put(source: Path, target: Path, images: ImageMode) -> None:
    if target.exists():
        # An image of both splits is the same file; only its copy has to be read.
        if target.samefile(source) or (images == "copy" and filecmp.cmp(target, source, False)):
            return
        raise InputError(f"{source}: another image has the same name in {target.parent.name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if images == "link":
        target.symlink_to(source.resolve())
    else:
        shutil.copyfile(source, target)


def _replace(part: Path, folder: Path) -> None:
    """Rename ``part`` to ``folder``; an older folder is deleted only after that."""
    if not folder.exists():
        part.rename(folder)
        return
    check_replaceable(folder)  # once more: somebody may have written to it meanwhile
    old = Path(tempfile.mkdtemp(prefix=".otadet.old-", dir=folder.parent))
    folder.rename(old / folder.name)
    try:
        part.rename(folder)
    except BaseException:
        (old / folder.name).rename(folder)
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)
