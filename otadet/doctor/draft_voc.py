"""A draft of PASCAL VOC's XML files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otadet.data.class_names import names_beside
from otadet.data.files import is_inside
from otadet.data.findings import Finding, Spot, found
from otadet.data.json_rows import shown
from otadet.data.layouts import SplitPaths
from otadet.data.voc import image_names, listed_files
from otadet.data.voc_xml import VocFile, parse_xml, read_voc_object, read_voc_size
from otadet.doctor.draft import Draft, fill_sizes
from otadet.errors import InputError

_Row = tuple[int, int, str, tuple[float, float, float, float], bool]
"""File, number of the object in it, class, box as it stands there, difficult."""


def draft_voc(
    place: SplitPaths, keep_difficult: bool, amodal: bool
) -> tuple[Draft | None, list[Finding]]:
    """Read all of the files that can be understood, and report what cannot.

    Raises:
        InputError: the list is missing or empty.
    """
    stems, folder, findings = _listed(place)
    files: list[VocFile] = []
    rows: list[_Row] = []
    faults: list[tuple[int, str]] = []
    for index, stem in enumerate(stems):
        files.append(_file(folder / f"{stem}.xml", index, rows, faults))
    findings += found(
        "value-invalid", "error", place.split, range(len(faults)), "entries that are not as VOC "
        "has them",
        lambda i: Spot(
            str(folder / f"{stems[faults[i][0]]}.xml"), image=stems[faults[i][0]],
            got=faults[i][1], part=place.split,
        ),
    )  # fmt: skip
    names = names_beside(folder, folder.parent)
    names = names if names is not None else tuple(sorted({row[2] for row in rows}))
    known = {name: index for index, name in enumerate(names)}
    images = place.images or place.root
    file_names = _file_names(files, stems, images)
    stated = np.array([file.size or (np.nan, np.nan) for file in files], np.float64).reshape(-1, 2)
    boxes = np.array([row[3] for row in rows], np.float64).reshape(-1, 4)
    difficult = np.array([row[4] for row in rows], bool)
    draft = Draft(
        part=place.split,
        format="voc",
        path=place.annotations,
        images=images,
        names=tuple(names),
        class_ids=(),
        image_ids=np.arange(1, len(files) + 1),
        file_names=file_names,
        sizes=fill_sizes(images, file_names, stated),
        stated=np.asarray(np.isfinite(stated).all(axis=1), bool),
        image=np.array([row[0] for row in rows], np.int64),
        labels=np.array([known.get(row[2], -1) for row in rows], np.int64),
        boxes=boxes - np.array([1, 1, 0, 0]),
        ignored=np.zeros(len(rows), bool) if keep_difficult else difficult,
        amodal=amodal,
        place=lambda i: (folder / f"{stems[rows[i][0]]}.xml", f"object {rows[i][1]}"),
        image_place=lambda i: (folder / f"{stems[i]}.xml", ""),
        has_ids=False,
    )
    unknown = [i for i, row in enumerate(rows) if row[2] not in known]
    findings += found(
        "class-unknown", "error", place.split, unknown, "classes that classes.txt does not name",
        lambda i: draft.box_spot(i, f"got {shown(rows[i][2])}"),
    )  # fmt: skip
    return draft, findings


def _listed(place: SplitPaths) -> tuple[list[str], Path, list[Finding]]:
    """The names of the files; where the list is faulty, of those that can be used."""
    stems, folder = listed_files(place.annotations)
    first: dict[str, int] = {}
    twice = [i for i, stem in enumerate(stems) if first.setdefault(stem, i) != i]
    outside = [i for i, stem in enumerate(stems) if not is_inside(stem)]

    def spot(index: int) -> Spot:
        at = f"name {index + 1}"
        return Spot(str(place.annotations), at, stems[index], part=place.split)

    part = place.split
    text = "listed more than once"
    findings = found("image-listed-twice", "error", part, twice, text, spot)
    text = "names that lead out of the folder"
    findings += found("file-name-outside", "error", part, outside, text, spot)
    drop = {*twice, *outside}
    return [stem for i, stem in enumerate(stems) if i not in drop], folder, findings


def _file(path: Path, index: int, rows: list[_Row], faults: list[tuple[int, str]]) -> VocFile:
    """One file without its faults, which go to ``faults``; its objects go to ``rows``."""
    try:
        root = parse_xml(path)
    except InputError as error:
        faults.append((index, str(error).removeprefix(f"{path}: ")))
        return VocFile(None, None, ())

    def fault(error: InputError) -> None:
        faults.append((index, str(error).removeprefix(f"{path}: ")))

    size = None
    try:
        size = read_voc_size(path, root)
    except InputError as error:
        fault(error)
    for number, node in enumerate(root.findall("object"), 1):
        try:
            each = read_voc_object(path, number, node)
        except InputError as error:
            fault(error)
            continue
        rows.append((index, number, each.name, each.box, each.difficult))
    return VocFile((root.findtext("filename") or "").strip() or None, size, ())


def _file_names(files: list[VocFile], stems: list[str], images: Path) -> tuple[str, ...]:
    try:
        return tuple(image_names(files, stems, images))
    except InputError:  # no folder, which is a finding of its own
        return tuple(file.file_name or f"{stem}.jpg" for file, stem in zip(files, stems))
