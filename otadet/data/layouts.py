"""Find the annotations and images of a data set: by official names first, else by a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import get_args

from otadet.choices import DataFormat, Known, Split
from otadet.data.file_kinds import json_kind, stated_names
from otadet.data.files import is_file
from otadet.data.folder_tree import Tree, ending
from otadet.data.image_folders import find_images
from otadet.data.layout_search import Candidate, Candidates, Search, names_split, splits_of
from otadet.data.split_words import Stated
from otadet.errors import InputError

_DEPTH = 6
_OFFICIAL: Mapping[Known, tuple[str, ...]] = {
    "coco": ("annotations/instances_{split}2017.json", "annotations/{split}.json"),
    "odgt": ("annotation_{split}.odgt", "{split}.odgt"),
    "voc": ("ImageSets/Main/{split}.txt",),
    "yolo": ("data.yaml", "labels/{split}", "labels/{split}2017", "{split}/labels"),
}
_IMAGES: Mapping[Known, tuple[str, ...]] = {
    "coco": ("{split}2017", "images/{split}2017", "images/{split}", "images", "{split}"),
    "odgt": ("Images", "images"),
    "voc": ("JPEGImages", "images"),
}
_NAMES: Mapping[Known, str] = {
    "coco": "COCO", "odgt": "odgt", "voc": "VOC", "yolo": "YOLO", "labelme": "labelme",
    "csv": "CSV",
}  # fmt: skip
_ENDINGS: Mapping[str, Known] = {
    ".odgt": "odgt", ".yaml": "yolo", ".yml": "yolo", ".csv": "csv",
}  # fmt: skip
_OF_ANNOTATIONS = frozenset({"annotations", "annotation", "labels"})


class NoSplitError(InputError):
    """A data set has no such split."""


@dataclass(frozen=True)
class SplitPaths:
    """Paths of a split of a data set.

    Attributes:
        format: of the annotations.
        root: the folder of the whole set.
        annotations: file or folder.
        images: folder; ``None`` where the annotations say it (YOLO).
        split: which half it is.
        layout: how the set is laid out, in a few words for the log.
        divide: share of the images that validates, where the same annotations serve both splits.
    """

    format: Known
    root: Path
    annotations: Path
    images: Path | None
    split: Split
    layout: str = ""
    divide: float | None = None


def find_data(
    data_dir: str | Path,
    split: Split,
    annotations: str | None = None,
    images: str | None = None,
    data_format: DataFormat = "auto",
    val_fraction: float = 0.2,
) -> SplitPaths:
    """Find the annotations and images of a split.

    Official names come first and cost no search. Else all annotations below the folder are found
    by what the files are, and their split by words in their paths. Of several formats that counts
    which has both splits, then the first of COCO, odgt, VOC, YOLO, labelme and CSV. A set with
    annotations for training alone, or for no stated split, is divided: both splits are these
    annotations, and ``divide`` says so. ``test`` is never used.

    Args:
        data_dir: the folder that the other paths are relative to, or the annotation file itself.
        split: which half.
        annotations: file or folder; None searches.
        images: folder of the images; None likewise.
        data_format: the only one accepted; ``auto`` recognises it by endings and contents.
        val_fraction: share of the images that validates where a set is divided; 0 divides none.

    Raises:
        NoSplitError: no annotations of the split; says what was looked for and what is there.
        InputError: no such folder, several files that could be meant, or no images.
    """
    path = Path(data_dir)
    folder = _Folder.of(path, images)
    wanted = tuple(_NAMES) if data_format == "auto" else (data_format,)
    if annotations is not None:
        candidate, divided = folder.named(folder.root / annotations, wanted), False
    elif path.is_file():
        candidate, divided = folder.of_file(path, split, wanted, val_fraction)
    else:
        candidate, divided = folder.chosen(split, wanted, val_fraction)
    return SplitPaths(
        candidate.format, folder.root, folder.root / candidate.path,
        folder.images(candidate, split, images), split, candidate.layout,
        val_fraction if divided and val_fraction > 0 else None,
    )  # fmt: skip


Named = Mapping[Split, tuple[str | None, str | None]]
"""Annotations and images of each split as the user names them, ``None`` where not."""


def find_split(
    data_dir: str | Path,
    split: Split,
    named: Named,
    data_format: DataFormat = "auto",
    val_fraction: float = 0.2,
) -> SplitPaths:
    """Find a split as :func:`find_data` does, where either may be named.

    A set is divided where none is named and none found for validation.

    Raises:
        InputError: as :func:`find_data`.
    """
    if named["val"][0] is not None:
        return find_data(data_dir, split, *named[split], data_format, 0)

    def train() -> SplitPaths:
        return find_data(data_dir, "train", *named["train"], data_format, val_fraction)

    if named["train"][0] is None:
        place = find_data(data_dir, split, *named[split], data_format, val_fraction)
        return place if place.divide is None else replace(train(), split=split)
    try:
        val = find_data(data_dir, "val", *named["val"], data_format, 0)
    except NoSplitError:
        if split == "val" and val_fraction == 0:
            raise
        return replace(train(), split=split, divide=val_fraction or None)
    return val if split == "val" else train()


@dataclass(frozen=True)
class _Folder:
    """A data set's folder; it is walked through once, where that is needed."""

    root: Path

    @staticmethod
    def of(path: Path, images: str | None) -> _Folder:
        if not path.is_file():
            if not path.is_dir():
                raise InputError(f"data_dir {path}: folder not found")
            return _Folder(path)
        root = path.parent
        beside = root.name.lower() in _OF_ANNOTATIONS and images is None
        return _Folder(root.parent if beside and not _Folder(root).tree.images else root)

    @cached_property
    def tree(self) -> Tree:
        return Tree.of(self.root, _DEPTH)

    def named(self, path: Path, wanted: Sequence[Known]) -> Candidate:
        """The annotations that the user names."""
        found = wanted[0] if len(wanted) == 1 else _kind(path, self.root)
        inside = path.is_relative_to(self.root)
        return Candidate(found, str(path.relative_to(self.root) if inside else path), None)

    def of_file(
        self, path: Path, split: Split, wanted: Sequence[Known], val_fraction: float
    ) -> tuple[Candidate, bool]:
        """The annotations where data_dir is their file."""
        only = self.named(path, wanted)
        found: Candidates = [only]
        if only.format == "yolo" and ending(path.name) in (".yaml", ".yml"):
            found = [replace(only, split=s) for s in get_args(Split) if names_split(path, s)]
            found = found or Search(self.tree).find(("yolo",)).get("yolo", [])
        return self._chosen({only.format: found}, split, val_fraction)

    def chosen(
        self, split: Split, wanted: Sequence[Known], val_fraction: float
    ) -> tuple[Candidate, bool]:
        """The annotations of a split, and whether they are to be divided."""
        for kind in wanted:
            for pattern in _OFFICIAL.get(kind, ()):
                paths = {each: self._official(pattern, each) for each in get_args(Split)}
                if all(paths.values()):
                    return Candidate(kind, paths[split], split, layout="official names"), False
        return self._chosen(Search(self.tree).find(wanted), split, val_fraction)

    def _official(self, pattern: str, split: Split) -> str:
        """The path where it is there, else nothing."""
        names = [pattern.format(split=word) for word in _words(split)]
        found = next((name for name in names if (self.root / name).exists()), "")
        path = self.root / found
        if pattern.endswith(".yaml"):
            return found if found and names_split(path, split) else ""
        if path.is_file():
            return found
        # Other formats have their files in labels/, too.
        beside = self.root / found.replace("labels", "images", 1)
        return found if beside.is_dir() and next(path.rglob("*.[tT][xX][tT]"), None) else ""

    def _chosen(
        self, found: Mapping[Known, Candidates], split: Split, val_fraction: float
    ) -> tuple[Candidate, bool]:
        best = max(found.values(), key=splits_of, default=())
        train = _of(best, "train") or _of(best, None)
        val = _of(best, "val")
        mine = val or (train if val_fraction > 0 else []) if split == "val" else train
        if not mine:
            raise NoSplitError(self._nothing(found, split))
        chosen = self._only(mine, split)
        layout = chosen.layout or ("one file" if chosen.split is None else "a file a split")
        others = [f"{_NAMES[k]} ({each[0].path})" for k, each in found.items() if each is not best]
        also = f"; not used: {', '.join(others)}" if others else ""
        return replace(chosen, layout=f"{_tool(chosen.path)}{layout}{also}"), not val

    def _only(self, candidates: Candidates, split: Split) -> Candidate:
        """The one candidate; of several the one with an official name."""
        kind = candidates[0].format
        names = {p.format(split=word) for p in _OFFICIAL.get(kind, ()) for word in _words(split)}
        official = [each for each in candidates if each.path in names]
        chosen = official if len(official) == 1 else candidates
        if len(chosen) == 1:
            return chosen[0]
        listed = ", ".join(each.path or "." for each in candidates[:10])
        raise InputError(
            f"data_dir {self.root}: expected one set of annotations for {split}, found "
            f"{len(candidates)} ({_NAMES[kind]}): {listed}; name one with {split}_ann=..."
        )

    def _nothing(self, found: Mapping[Known, Candidates], split: Split) -> str:
        """The message that a split has no annotations."""
        looked = (
            "COCO, labelme (.json), odgt, VOC (.xml), YOLO (data.yaml, .txt beside images or in "
            "labels/), CSV"
        )
        there = Counter(ending(name) for names in self.tree.files.values() for name in names)
        listed = ", ".join(
            f"{count:,} {kind or 'without ending'}" for kind, count in there.most_common(4)
        )
        text = f"looked for {looked}; found {f'{listed} files' if listed else 'no files'}"
        others = [each for candidates in found.values() for each in candidates]
        if others:
            text = "found only " + ", ".join(
                f"{each.path or '.'} ({_NAMES[each.format]}, {each.split or 'no stated split'})"
                for each in others[:4]
            )
            if split == "val" and any(each.split != "test" for each in others):
                text += "; val_fraction=0.2 divides it"
        return (
            f"data_dir {self.root}: no annotations for {split}; {text}; name them with "
            f"{split}_ann=... and {split}_images=..."
        )

    def images(self, candidate: Candidate, split: Split, given: str | None) -> Path | None:
        """The folder of the images."""
        if given is not None:
            return self.root / given
        if candidate.images is not None:
            return self.root / candidate.images
        if candidate.format == "yolo":
            return None
        path = self.root / candidate.path
        names = _image_names(path)
        customary = [
            folder
            for pattern in _IMAGES.get(candidate.format, ())
            if (folder := self.root / pattern.format(split=candidate.split or split)).is_dir()
        ]
        for folder in customary:
            if all(is_file(folder / name) for name in names):
                return folder
        found = find_images(self.tree, names, candidate.split, candidate.path)
        if found is None and customary:
            return customary[0]
        if found is None:
            raise InputError(
                f"data_dir {self.root}: no images for {split} ({candidate.path}); name their "
                f"folder with {split}_images=..."
            )
        return self.root / found


def _words(split: Split) -> tuple[str, ...]:
    return ("val", "valid") if split == "val" else (split,)


def _of(candidates: Candidates, split: Stated | None) -> Candidates:
    return [each for each in candidates if each.split == split]


def _image_names(path: Path) -> list[str]:
    """Some of the names of images that annotations state, with ending or without."""
    if path.is_dir():
        return sorted(file.stem for file in path.iterdir() if not file.name.startswith("."))[:64]
    if ending(path.name) == ".txt":
        return []
    return stated_names(path)


def _tool(path: str) -> str:
    """The tool that gives its exports such names."""
    name = PurePosixPath(path).name
    if name.startswith("_annotations.") or name == "data.yaml":
        return "Roboflow, " if name.startswith("_") else ""
    known = {
        "instances_default.json": "CVAT", "obj_train_data": "CVAT", "result.json": "Label Studio",
        "labels.json": "FiftyOne",
    }  # fmt: skip
    return f"{known[name]}, " if name in known else ""


def _kind(path: Path, root: Path) -> Known:
    """Recognise the format of given annotations, by their ending or by the folder's contents."""
    suffix = ending(path.name)
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.exists():
        raise InputError(f"{path}: annotation file not found")
    if suffix == ".txt":
        voc = "ImageSets" in path.parts or (root / "Annotations").is_dir()
        return "voc" if voc else "yolo"
    if suffix == ".json":
        return "labelme" if json_kind(path) == "labelme" else "coco"
    if suffix not in _ENDINGS:
        raise InputError(
            f"{path}: unknown format; expected .json (COCO), .odgt (CrowdHuman), .csv, .txt or a "
            f"folder (VOC, YOLO, labelme), .yaml (YOLO), got {suffix!r}; name it with "
            "data_format=..."
        )
    return _ENDINGS[suffix]


def _kind_of_folder(path: Path) -> Known:
    tree = Tree.of(path)
    for suffix, kind in ((".xml", "voc"), (".txt", "yolo"), (".json", "labelme")):
        if tree.ending_in(suffix):
            return kind  # type: ignore[return-value]
    raise InputError(
        f"{path}: expected a folder of .xml (VOC), .txt (YOLO) or .json (labelme), found none"
    )
