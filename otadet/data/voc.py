"""PASCAL VOC: a folder of XML files, and lists of the images of each split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PureWindowsPath

import numpy as np

from otadet.data.class_names import found_classes
from otadet.data.files import is_file, is_inside, names_in
from otadet.data.findings import Finding, Spot, found
from otadet.data.folder_tree import Tree, ending
from otadet.data.image_file import IMAGE_ENDINGS
from otadet.data.layouts import SplitPaths
from otadet.data.records import ReadOptions, Records
from otadet.data.text_file import encoding_findings, read_text, shown
from otadet.data.voc_xml import VocFile, read_voc_xml
from otadet.errors import InputError

_DEEPEST = 64
"""Folders of a path in a list that are tried; each makes a name as long as the rest."""
_FLAG = re.compile(r"\s+(?:-1|0|1)$")
_THREADS = 8  # files are read beside each other, parsing is not


def read_voc(place: SplitPaths, how: ReadOptions) -> Records:
    """Read annotations of PASCAL VOC.

    They are a list of names (``ImageSets/Main/train.txt``; the flags of a class's own list are
    passed over), or a folder of XML files, all of which are taken. Pixels count from 1 and a box
    ends with its last one, so 1, 1, 10, 10 is 0, 0, 10, 10 here. An image is the file that has the
    name of the XML file; where there is none, the one that ``filename`` states.

    Raises:
        InputError: the list or a folder is missing or empty.
    """
    split = place.split
    stems, folder, findings = _listed(place)
    with ThreadPoolExecutor(_THREADS) as pool:
        files = list(pool.map(lambda stem: read_voc_xml(folder / f"{stem}.xml"), stems))
    faults = [(stem, fault) for stem, file in zip(stems, files) for fault in file.faults]
    findings += found(
        "value-invalid", "error", split, range(len(faults)), "not as VOC has it",
        lambda i: Spot(str(folder / f"{faults[i][0]}.xml"), image=faults[i][0], got=faults[i][1],
                       part=split),
    )  # fmt: skip
    objects = [each for file in files for each in file.objects]
    image = np.repeat(np.arange(len(files)), [len(file.objects) for file in files])
    names = found_classes([each.name for each in objects], how, folder, folder.parent)
    known = {name: index for index, name in enumerate(names)}
    boxes = np.array([each.box for each in objects], np.float64).reshape(-1, 4)
    difficult = np.array([each.difficult for each in objects], bool)
    images = place.images or place.root
    file_names, stale = _image_names(files, stems, images)
    records = Records(
        split=split,
        format="voc",
        path=place.annotations,
        images=images,
        names=names,
        image_ids=np.arange(1, len(files) + 1),
        file_names=tuple(file_names),
        sizes=np.array([file.size or (np.nan, np.nan) for file in files], np.float64).reshape(
            -1, 2
        ),
        image=image,
        labels=np.array([known.get(each.name, -1) for each in objects], np.int64),
        boxes=boxes - np.array([1, 1, 0, 0]),
        ignored=np.zeros(len(objects), bool) if how.difficult == "keep" else difficult,
        place=lambda i: (folder / f"{stems[image[i]]}.xml", f"object {objects[i].number}"),
        image_place=lambda i: (folder / f"{stems[i]}.xml", ""),
        amodal=bool(how.amodal),
        has_ids=False,
    )
    findings += found(
        "image-by-name", "repaired", split, stale,
        "'filename' is another image: the one named as the XML file is taken",
        lambda i: records.image_spot(i, f"got {shown(files[i].file_name)}"),
    )  # fmt: skip
    findings += encoding_findings(
        [file.encoding for file in files],
        split,
        lambda i: Spot(records.image_spot(i).file, part=split),
    )
    findings += records.reversed_corners()
    findings += records.unknown_classes(lambda row: objects[row].name)
    return records.with_findings(findings)


def _listed(place: SplitPaths) -> tuple[list[str], Path, list[Finding]]:
    """Return the names of the XML files without ending, their folder, and faults of the list."""
    path, split = place.annotations, place.split
    if path.is_dir():
        stems = sorted(name[:-4] for name in Tree.of(path).ending_in(".xml"))
        if not stems:
            raise InputError(f"{path}: expected XML files, found no file *.xml")
        return stems, path, []
    folder = _beside(path)
    stems = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    stems = [_stem(folder, name) for name in stems]
    if not stems:
        raise InputError(f"{path}: expected the name of an image a line, got nothing")
    first: dict[str, int] = {}
    twice = [i for i, stem in enumerate(stems) if first.setdefault(stem, i) != i]
    outside = [i for i, stem in enumerate(stems) if not is_inside(stem)]

    def spot(index: int) -> Spot:
        return Spot(str(path), f"name {index + 1}", got=f"got {shown(stems[index])}", part=split)

    text = "expected each name once"
    findings = found("image-listed-twice", "error", split, twice, text, spot)
    text = f"expected a name inside {folder}"
    findings += found("file-name-outside", "error", split, outside, text, spot)
    drop = {*twice, *outside}
    return [stem for i, stem in enumerate(stems) if i not in drop], folder, findings


def _stem(folder: Path, line: str) -> str:
    """Return the name of a list's XML file, without ending and relative to its folder.

    A line may be the name alone; with a flag of its class; with the ending of image or XML file;
    the path of either; or both paths.
    """
    if is_file(folder / f"{line}.xml"):
        return line
    plain = _FLAG.sub("", line)
    for name in (plain, plain.split()[-1]):
        parts = _bare(name).replace("\\", "/").strip("/").split("/")[-_DEEPEST:]
        for tail in ("/".join(parts[i:]) for i in range(len(parts))):
            if is_file(folder / f"{tail}.xml"):
                return tail
    return _bare(plain)


def _bare(name: str) -> str:
    known = ending(name) in (*IMAGE_ENDINGS, ".xml")
    return name.rpartition(".")[0] if known else name


def _beside(path: Path) -> Path:
    """Return the folder of XML files that belongs to a list."""
    parts = path.parts
    above = len(parts) - 1 - (parts[::-1].index("ImageSets") if "ImageSets" in parts else 0)
    folder = Path(*parts[:above]) / "Annotations"
    if not folder.is_dir():
        raise InputError(f"{folder}: folder of XML files not found (of the list {path})")
    return folder


def _image_names(
    files: Sequence[VocFile], stems: Sequence[str], images: Path
) -> tuple[list[str], list[int]]:
    """Return the image of each file, and the files whose ``filename`` is another image."""
    there: dict[str, set[str]] = {}
    by_stem: dict[str, str] = {}
    names: list[str] = []
    stale: list[int] = []
    for index, (file, stem) in enumerate(zip(files, stems)):
        inner, _, base = stem.rpartition("/")
        if inner not in there:
            there[inner] = names_in(images / inner)
            above = f"{inner}/" if inner else ""
            by_stem |= {
                f"{above}{Path(name).stem}": f"{above}{name}"
                for name in sorted(there[inner], reverse=True)
                if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_ENDINGS
            }
        own = by_stem.get(stem)
        stated = file.file_name
        if stated and (own is None or PureWindowsPath(stated).stem == base):
            beside = f"{inner}/{stated}" if inner and "/" not in stated else stated
            names.append(own if own is not None and stated not in there[inner] else beside)
        else:
            names.append(own if own is not None else f"{stem}.jpg")
            if stated:
                stale.append(index)
    return names, stale
