"""PASCAL VOC: a folder of XML files, and lists of the images of each split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from otadet.choices import Unreadable
from otadet.data.annotation_table import AnnotationTable, Ints
from otadet.data.build_table import Columns, build_table, named_classes
from otadet.data.class_names import names_beside
from otadet.data.files import is_inside
from otadet.data.image_file import IMAGE_ENDINGS
from otadet.data.image_sizes import read_sizes
from otadet.data.json_rows import read_text, shown
from otadet.data.voc_xml import VocFile, read_voc_xml
from otadet.errors import InputError

_FLAG = re.compile(r"\s+(?:-1|0|1)$")
_THREADS = 8  # files are read beside each other, parsing is not


def read_voc(
    path: Path,
    images: Path,
    class_names: Sequence[str] | None = None,
    *,
    keep_difficult: bool = False,
    amodal: bool = False,
    unreadable: Unreadable = "stop",
) -> tuple[AnnotationTable, dict[str, int]]:
    """Read and check annotations of PASCAL VOC.

    Pixels count from 1 there and a box ends with its last one, so 1, 1, 10, 10 is 0, 0, 10, 10
    here. An image is the file that ``filename`` states; where that is not there, one in the
    folder with the name of the XML file.

    Args:
        path: a list of names (``ImageSets/Main/train.txt``; the flags of a class's own list are
            passed over), or the folder of the XML files, all of which are taken.
        images: the folder of the images; their headers are read where sizes are not stated.
        class_names: the wanted order of classes; default: ``classes.txt`` beside, else all that
            were found, by the alphabet.
        keep_difficult: difficult objects are objects; else they are ignore regions of their class.
        amodal: keep boxes that leave the image whole.
        unreadable: as in :class:`~otadet.data.files.FileDataset`.

    Returns:
        The table, and how many boxes and images were left out. Image ids are 1, 2, 3 ...

    Raises:
        InputError: names the file, the object and the key.
    """
    stems, folder = _listed(path)
    with ThreadPoolExecutor(_THREADS) as pool:
        files = list(pool.map(lambda stem: read_voc_xml(folder / f"{stem}.xml"), stems))
    objects = [each for file in files for each in file.objects]
    image = np.repeat(np.arange(len(files)), [len(file.objects) for file in files])
    first = np.cumsum([0, *(len(file.objects) for file in files)])

    def place(index: int) -> str:
        file = int(image[index])
        return f"{stems[file]}.xml, object {index - int(first[file]) + 1}"

    where: dict[str, str] = {}
    for index, each in enumerate(objects):
        if each.name not in where:
            where[each.name] = place(index)
    wanted = class_names if class_names is not None else names_beside(folder, folder.parent)
    names = named_classes(where, wanted, str(folder))
    known = {name: index for index, name in enumerate(names)}
    boxes = np.array([each.box for each in objects], np.float64).reshape(-1, 4)
    difficult = np.array([each.difficult for each in objects], bool)
    columns = Columns(
        image=image,
        labels=np.array([known[each.name] for each in objects], np.int64),
        boxes=boxes - np.array([1, 1, 0, 0]),
        areas=np.full(len(objects), np.nan),
        ignored=np.zeros(len(objects), bool) if keep_difficult else difficult,
        path=folder,
        place=place,
    )
    file_names = image_names(files, stems, images)
    places = [f"{folder / stem}.xml" for stem in stems]
    sizes, bad = _sizes(files, images, file_names, places, unreadable)
    ids = np.arange(1, len(files) + 1, dtype=np.int64)
    table, skipped = build_table(names, ids, file_names, sizes, columns, amodal)
    return table, {**skipped, "unreadable": bad}


def listed_files(path: Path) -> tuple[list[str], Path]:
    """Return the listed names of the XML files, without their ending, and their folder.

    Raises:
        InputError: no list, no name in it, or no folder.
    """
    if path.is_dir():
        stems = sorted(file.stem for file in path.glob("[!.]*.xml"))
        if not stems:
            raise InputError(f"{path}: expected XML files, found no file *.xml")
        return stems, path
    folder = _beside(path)
    stems = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    for index, name in enumerate(stems):
        if _FLAG.search(name) and not (folder / f"{name}.xml").is_file():
            stems[index] = _FLAG.sub("", name)
    if not stems:
        raise InputError(f"{path}: expected the name of an image a line, got nothing")
    return stems, folder


def _listed(path: Path) -> tuple[list[str], Path]:
    """As :func:`listed_files`, each name once and inside the folder."""
    stems, folder = listed_files(path)
    seen: set[str] = set()
    for line, stem in enumerate(stems, 1):
        if not is_inside(stem):
            raise InputError(f"{path}: name {line}: expected one inside {folder}, got {stem!r}")
        if stem in seen:
            raise InputError(f"{path}: expected each name once, got {shown(stem)} twice")
        seen.add(stem)
    return stems, folder


def _beside(path: Path) -> Path:
    """The folder of XML files that belongs to a list."""
    parts = path.parts
    above = len(parts) - 1 - (parts[::-1].index("ImageSets") if "ImageSets" in parts else 0)
    folder = Path(*parts[:above]) / "Annotations"
    if not folder.is_dir():
        raise InputError(f"{folder}: folder of XML files not found (of the list {path})")
    return folder


def image_names(files: Sequence[VocFile], stems: Sequence[str], images: Path) -> list[str]:
    """Return the image of each file, see :func:`read_voc`.

    Raises:
        InputError: there is no such folder.
    """
    if not images.is_dir():
        raise InputError(f"{images}: image folder not found")
    there = {each.name for each in images.iterdir()}
    by_stem = {
        Path(name).stem: name
        for name in sorted(there)
        if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_ENDINGS
    }
    return [
        file.file_name
        if file.file_name and (file.file_name in there or stem not in by_stem)
        else by_stem.get(stem, f"{stem}.jpg")
        for file, stem in zip(files, stems)
    ]


def _sizes(
    files: Sequence[VocFile],
    images: Path,
    file_names: Sequence[str],
    places: Sequence[str],
    unreadable: Unreadable,
) -> tuple[Ints, int]:
    unknown = [index for index, file in enumerate(files) if file.size is None]
    found, bad = read_sizes(
        images, [file_names[i] for i in unknown], [places[i] for i in unknown], unreadable
    )
    sizes = np.array([file.size or (0, 0) for file in files], np.int64).reshape(-1, 2)
    sizes[unknown] = found
    return sizes, bad
