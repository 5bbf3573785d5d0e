"""labelme and X-AnyLabeling: a folder of JSON files, one an image."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from otadet.data.class_names import found_classes
from otadet.data.findings import Finding, Severity, Spot, found
from otadet.data.folder_tree import Tree, stem_key
from otadet.data.json_rows import Rows
from otadet.data.labelme_images import Matched, match_images
from otadet.data.labelme_json import LabelmeFile, Shape, read_labelme_json
from otadet.data.layouts import SplitPaths
from otadet.data.records import ReadOptions, Records
from otadet.data.text_file import encoding_findings, shown
from otadet.errors import InputError

_THREADS = 8  # files are read beside each other, parsing is not
_LISTS = ("classes.txt", "labels.txt")
_IGNORE, _BACKGROUND = "__ignore__", "_background_"
"""What labelme's own lists have before the classes: an ignore region, and no object."""


def read_labelme(place: SplitPaths, how: ReadOptions) -> Records:
    """Read the JSON files of a folder and of those below it.

    A shape is the box around its points; points and lines are left out. A shape labelled
    ``__ignore__`` is an ignore region of every class. An image without a JSON file has no objects.

    Raises:
        InputError: a folder is not there, or holds no file of labelme.
    """
    folder, images = place.annotations, place.images or place.annotations
    files, others = _read(folder, images)
    paths = [folder / name for name in files]
    matched = match_images(
        [name.rpartition(".")[0] for name in files],
        [file.image_path for file in files.values()],
        images,
        place.split if place.divide is None else None,
    )
    file_names = (*matched.names, *matched.unlabelled)
    placed = [
        (index, shape)
        for index, file in enumerate(files.values())
        for shape in file.shapes
        if shape.label != _BACKGROUND
    ]
    shapes = [shape for _, shape in placed]
    labels = [_class_name(shape.label) for shape in shapes]
    listed = found_classes(filter(None, labels), how, folder, place.root, lists=_LISTS)
    names = tuple(name for name in listed if name not in (_IGNORE, _BACKGROUND))
    known = {name: i for i, name in enumerate(names)}
    hidden = how.difficult == "ignore"
    ignored = [name == _IGNORE or (s.difficult and hidden) for name, s in zip(labels, shapes)]
    records = Records(
        split=place.split,
        format="labelme",
        path=folder,
        images=images,
        names=names,
        image_ids=np.arange(1, len(file_names) + 1),
        file_names=file_names,
        sizes=np.full((len(file_names), 2), np.nan),
        image=np.array([index for index, _ in placed], np.int64),
        labels=np.array([known.get(name, -1) for name in labels], np.int64),
        boxes=np.array([shape.box for shape in shapes], np.float64).reshape(-1, 4),
        ignored=np.array(ignored, bool),
        place=lambda row: (paths[placed[row][0]], f"shape {shapes[row].number}"),
        image_place=lambda i: (paths[i] if i < len(paths) else images / file_names[i], ""),
        amodal=bool(how.amodal),
        has_ids=False,
    )
    said = list(files.values())
    findings = _set_sizes(records, said)
    findings += _file_findings(records, said) + _image_findings(records, said, matched)
    findings += _shape_findings(records, shapes, labels)
    return records.with_findings([*findings, *_other_findings(records, others)])


def _read(folder: Path, images: Path) -> tuple[dict[str, LabelmeFile], list[str]]:
    """Return the files of labelme by their names, and other JSON that belongs to no image."""
    for each in (folder, images):
        if not each.is_dir():
            raise InputError(f"{each}: folder not found")
    names = Tree.of(folder).ending_in(".json")
    with ThreadPoolExecutor(_THREADS) as pool:
        files = dict(zip(names, pool.map(lambda name: read_labelme_json(folder / name), names)))
    known = Tree.of(images).images
    others = [
        name
        for name, file in files.items()
        if file.other and stem_key(name.rpartition("/")[2].rpartition(".")[0]) not in known
    ]
    for name in others:
        del files[name]
    if not files:
        raise InputError(f"{folder}: expected labelme's files *.json, found none")
    return files, others


def _class_name(label: object) -> str:
    if isinstance(label, str):
        return label.strip()
    return str(label) if type(label) in (int, float) else ""


def _set_sizes(records: Records, files: Sequence[LabelmeFile]) -> list[Finding]:
    """Set the sizes that the files state."""
    rows = Rows([file.image for file in files], records.image_spot, records.split, "images")
    for column, key in enumerate(("imageHeight", "imageWidth")):
        sides = rows.numbers(key, 0, "a whole number of pixels", whole=True)
        records.sizes[: len(files), column] = np.where(sides > 0, sides, np.nan)
    return rows.findings


def _file_findings(records: Records, files: Sequence[LabelmeFile]) -> list[Finding]:
    """Files and entries that are not as labelme has them, and shapes that are left out."""
    split = records.split
    faults = [(i, *fault) for i, file in enumerate(files) for fault in file.faults]
    lines = [(i, f"shape {n}", kind) for i, f in enumerate(files) for n, kind in f.left_out]
    kinds: tuple[tuple[str, Severity, list[tuple[int, str, str]], str], ...] = (
        ("value-invalid", "error", faults, "not as labelme has it"),
        ("shape-no-area", "note", lines, "points and lines, which have no box: left out"),
    )
    findings = encoding_findings([file.encoding for file in files], split, records.image_spot)
    for code, severity, places, text in kinds:

        def spot(row: int, places: list[tuple[int, str, str]] = places) -> Spot:
            index, at, got = places[row]
            path, name = str(records.image_place(index)[0]), records.file_names[index]
            return Spot(path, at, name, None, got, split, index)

        findings += found(code, severity, split, range(len(places)), text, spot)
    return findings


def _image_findings(
    records: Records, files: Sequence[LabelmeFile], matched: Matched
) -> list[Finding]:
    """Which image a file belongs to, and images without a file."""
    split = records.split
    findings = found(
        "image-by-name", "repaired", split, matched.renamed,
        "'imagePath' is another image: the one named as the JSON file is taken",
        lambda i: records.image_spot(i, f"got {shown(files[i].image_path)}"),
    )  # fmt: skip
    first: dict[str, int] = {}
    twice = [i for i, name in enumerate(matched.names) if first.setdefault(name, i) != i]
    findings += found(
        "image-listed-twice", "error", split, twice, "another JSON file has the image, too",
        lambda i: records.image_spot(i, str(records.image_place(first[matched.names[i]])[0])),
    )  # fmt: skip
    findings += found(
        "image-left-over", "warning", split, range(len(matched.twins)),
        "left out: the JSON file of the name belongs to the image with another ending",
        lambda i: Spot(str(records.images / matched.twins[i]), image=matched.twins[i], part=split),
    )  # fmt: skip
    bare = range(len(files), len(records))
    # Most of them: a folder of another name rather than images without objects.
    many: Severity = "warning" if 2 * len(bare) > len(records) else "note"
    return findings + found(
        "no-label-file", many, split, bare, "images without a JSON file", records.file_spot
    )


def _shape_findings(
    records: Records, shapes: Sequence[Shape], labels: Sequence[str]
) -> list[Finding]:
    """Boxes and classes."""
    split = records.split

    def label(row: int) -> Spot:
        return records.box_spot(row, f"got {shown(shapes[row].label)}")

    findings = found(
        "box-invalid", "error", split, [i for i, shape in enumerate(shapes) if shape.got],
        "key 'points': expected the points of an area",
        lambda i: records.box_spot(i, shapes[i].got),
    )  # fmt: skip
    findings += found(
        "value-invalid", "error", split, [i for i, name in enumerate(labels) if not name],
        "key 'label': expected the name of a class", label,
    )  # fmt: skip
    numbers = [i for i, s in enumerate(shapes) if labels[i] and not isinstance(s.label, str)]
    findings += found(
        "class-name-number", "repaired", split, numbers,
        "key 'label': a number, taken as a name", label,
    )  # fmt: skip
    return findings + records.unknown_classes(lambda row: labels[row])


def _other_findings(records: Records, others: Sequence[str]) -> list[Finding]:
    return found(
        "label-without-picture", "note", records.split, range(len(others)),
        "JSON of something else without an image of its name: passed over",
        lambda i: Spot(str(records.path / others[i]), part=records.split),
    )  # fmt: skip
