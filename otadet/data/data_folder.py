"""Choose the annotations of a split, and the folder of its images, in a data set's folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import get_args

from otadet.choices import FORMAT_NAMES, Known, Split
from otadet.data.file_kinds import annotation_kind, csv_fault, stated_names
from otadet.data.files import is_file
from otadet.data.folder_tree import Tree, ending, joined, walk
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
_OF_ANNOTATIONS = frozenset({"annotations", "annotation", "labels"})


class NoSplitError(InputError):
    """A data set has no such split."""


@dataclass(frozen=True)
class DataFolder:
    """A data set's folder; it is walked through once, where that is needed."""

    root: Path

    @staticmethod
    def of(path: Path, images: str | None) -> DataFolder:
        """Return the folder that ``path`` is, or that of the annotation file that it is.

        Above a folder ``annotations`` where no image lies in it and ``images`` does not say where.
        """
        if not path.is_file():
            if not path.is_dir():
                raise InputError(f"data_dir {path}: folder not found")
            return DataFolder(path)
        root = path.parent
        beside = root.name.lower() in _OF_ANNOTATIONS and images is None
        return DataFolder(root.parent if beside and not DataFolder(root).tree.images else root)

    @cached_property
    def tree(self) -> Tree:
        """All files, six folders deep."""
        return Tree.of(self.root, _DEPTH)

    def named(self, path: Path, wanted: Sequence[Known]) -> Candidate:
        """Return the annotations that the user names."""
        found = wanted[0] if len(wanted) == 1 else annotation_kind(path, self.root)
        inside = path.is_relative_to(self.root)
        return Candidate(found, str(path.relative_to(self.root) if inside else path), None)

    def of_file(
        self, path: Path, split: Split, wanted: Sequence[Known], val_fraction: float
    ) -> tuple[Candidate, bool]:
        """Return the annotations where data_dir is their file; see :meth:`chosen`."""
        only = self.named(path, wanted)
        found: Candidates = [only]
        if only.format == "yolo" and ending(path.name) in (".yaml", ".yml"):
            found = [replace(only, split=s) for s in get_args(Split) if names_split(path, s)]
            found = found or Search(self.tree).find(("yolo",)).get("yolo", [])
        return self._chosen({only.format: found}, split, val_fraction)

    def chosen(
        self, split: Split, wanted: Sequence[Known], val_fraction: float
    ) -> tuple[Candidate, bool]:
        """Return the annotations of a split, and whether they are for both splits.

        Raises:
            NoSplitError: there are none.
            InputError: several could be meant.
        """
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
        others = [
            f"{FORMAT_NAMES[k]} ({each[0].path})" for k, each in found.items() if each is not best
        ]
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
            f"{len(candidates)} ({FORMAT_NAMES[kind]}): {listed}; name one with {split}_ann=..."
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
        if not there.keys().isdisjoint((".json", ".xml", ".csv", ".txt")):
            text += "; tools/convert_dataset.py --from converts CVAT, KITTI and other formats"
        others = [each for candidates in found.values() for each in candidates]
        tables = self.tree.ending_in(".csv")
        if not others and len(tables) == 1 and (fault := csv_fault(self.root / tables[0])):
            return f"data_dir {self.root}: no annotations for {split}; {fault}"
        if others:
            text = "found only " + ", ".join(
                f"{c.path or '.'} ({FORMAT_NAMES[c.format]}, {c.split or 'no stated split'})"
                for c in others[:4]
            )
            if split == "val" and any(each.split != "test" for each in others):
                text += "; val_fraction=0.2 divides it"
        return (
            f"data_dir {self.root}: no annotations for {split}; {text}; name them with "
            f"{split}_ann=... and {split}_images=..."
        )

    def images(self, candidate: Candidate, split: Split, given: str | None) -> Path | None:
        """Return the folder of the images, ``None`` where the annotations say it (YOLO).

        Raises:
            InputError: there are no images.
        """
        if given is not None:
            return self.root / given
        if candidate.images is not None:
            return self.root / candidate.images
        if candidate.format == "yolo":
            return None
        path = self.root / candidate.path
        names = _image_names(path)
        # The folder of a list of VOC's lies above its own.
        above = [each.parent for each in path.parents if each.name == "ImageSets"]
        customary = [
            folder
            for pattern in _IMAGES.get(candidate.format, ())
            for top in (*above, self.root)
            if (folder := top / pattern.format(split=candidate.split or split)).is_dir()
        ]
        for folder in customary:
            if all(is_file(folder / name) for name in names):
                return folder
        found = find_images(self.tree, names, candidate.split, candidate.path)
        if found is None and customary:
            return customary[0]
        if found is None:
            raise InputError(
                f"data_dir {self.root}: no images for {split} ({candidate.path or '.'}); name "
                f"their folder with {split}_images=..."
            )
        return self.root / found


def _words(split: Split) -> tuple[str, ...]:
    return ("val", "valid") if split == "val" else (split,)


def _of(candidates: Candidates, split: Stated | None) -> Candidates:
    return [each for each in candidates if each.split == split]


def _image_names(path: Path) -> list[str]:
    """Some of the names of images that annotations state, with ending or without."""
    if path.is_dir():
        names = (joined(above, name) for above, files in walk(path) for name in files)
        return [name.rpartition(".")[0] for name in islice(names, 64)]
    if ending(path.name) == ".txt":
        return []
    return stated_names(path)


def _tool(path: str) -> str:
    """The tool that gives its exports such names."""
    name = PurePosixPath(path).name
    known = {
        "_annotations.coco.json": "Roboflow", "_annotations.csv": "Roboflow",
        "instances_default.json": "CVAT", "result.json": "Label Studio", "labels.json": "FiftyOne",
    }  # fmt: skip
    return f"{known[name]}, " if name in known else ""
