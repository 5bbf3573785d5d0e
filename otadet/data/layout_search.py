"""Find annotations of every format below a folder, by what files are and what their names say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import get_args

from otadet.choices import Known, Split
from otadet.data.class_names import read_yaml
from otadet.data.file_kinds import (
    JsonKind,
    is_csv,
    is_image_list,
    is_label_file,
    is_voc,
    json_kind,
)
from otadet.data.folder_tree import Tree, ending, joined, stem_key, without_prefix
from otadet.data.image_folders import common, find_images
from otadet.data.split_words import Stated, split_of, words_of
from otadet.data.yolo_yaml import entries
from otadet.errors import InputError

_SAMPLE = 5  # files of a folder that are looked into, of those that are named as images are
_OTHERS = 100  # and of the others
_MANY = 2000  # names of a folder that are compared with those of images
_LESS = ("captions_", "panoptic_", "person_keypoints_", "stuff_", "image_info_")
_ALL = frozenset({"trainval", "default", "all"})


@dataclass(frozen=True)
class Candidate:
    """Annotations that were found.

    Attributes:
        format: of the annotations.
        path: file or folder, relative to the data set's folder.
        split: that the name states.
        images: the folder of the images where it is known, relative likewise.
        layout: how the set is laid out, in a few words.
    """

    format: Known
    path: str
    split: Stated | None
    images: str | None = None
    layout: str = ""


Candidates = Sequence[Candidate]


def splits_of(found: Candidates) -> int:
    """Rank candidates: 3 for both splits, 2 for training (or both in one), 1 for validation."""
    stated = {each.split for each in found}
    return 2 * bool(stated & {"train", None}) + ("val" in stated)


@dataclass(frozen=True)
class Search:
    """Search of a folder; a file is looked into at most once."""

    tree: Tree

    def find(self, wanted: Sequence[Known]) -> dict[Known, Candidates]:
        """Return the candidates of each format that has any."""
        finders: Mapping[Known, Callable[[], Candidates]] = {
            "coco": self._coco, "odgt": self._odgt, "voc": self._voc, "yolo": self._yolo,
            "labelme": self._labelme, "csv": self._csv,
        }  # fmt: skip
        return {each: found for each in wanted if (found := finders[each]())}

    def _coco(self) -> Candidates:
        paths = [path for path, kind in self._json_kinds.items() if kind == "coco"]
        by_split: dict[Stated | None, list[str]] = defaultdict(list)
        for path in paths:
            by_split[split_of(path)].append(path)
        kept = [
            path
            for same in by_split.values()
            for path in [p for p in same if not p.rpartition("/")[2].startswith(_LESS)] or same
        ]
        return _files("coco", kept)

    def _odgt(self) -> Candidates:
        return _files("odgt", self.tree.ending_in(".odgt"))

    def _csv(self) -> Candidates:
        paths = self.tree.ending_in(".csv")
        return _files("csv", [path for path in paths if is_csv(self.tree.root / path)])

    def _labelme(self) -> Candidates:
        leaves = {
            path.rpartition("/")[0] for path, kind in self._json_kinds.items() if kind == "labelme"
        }
        return self._folders("labelme", leaves, ".json")

    def _voc(self) -> Candidates:
        leaves = {
            folder
            for folder, names in self._ending(".xml").items()
            if any(is_voc(self.tree.root / folder / name) for name in names[:_SAMPLE])
        }
        lists = self._voc_lists(leaves) if leaves else []
        return lists or self._folders("voc", leaves, ".xml")

    def _voc_lists(self, leaves: set[str]) -> Candidates:
        """Lists below ImageSets, or beside a folder Annotations; those of single classes not."""
        paths = self.tree.ending_in(".txt")
        main = [p for p in paths if "/ImageSets/" in f"/{p}" and _is_plain(p)]
        main = [p for p in main if "/Main/" in p] or main
        beside = {leaf.rpartition("/")[0] for leaf in leaves if leaf.endswith("Annotations")}
        others = [p for p in paths if p.rpartition("/")[0] in beside and split_of(p)]
        return _files("voc", main or list(filter(_is_plain, others)), "lists of images")

    def _yolo(self) -> Candidates:
        found = [self._documents(), self._image_lists(), self._label_folders()]
        return max(found, key=splits_of)

    def _documents(self) -> Candidates:
        """Each data.yaml by the splits of which it names images."""
        return [
            Candidate("yolo", path, split, layout=PurePosixPath(path).name)
            for path in self.tree.ending_in(".yaml", ".yml")
            for split in get_args(Split)
            if names_split(self.tree.root / path, split)
        ]

    def _image_lists(self) -> Candidates:
        paths = [
            path
            for path in self.tree.ending_in(".txt")
            if stem_key(path.rpartition("/")[2].removesuffix(".txt")) not in self.tree.images
            and "ImageSets/" not in path
            and is_image_list(self.tree.root / path)
        ]
        return _files("yolo", paths, "lists of images")

    def _label_folders(self) -> Candidates:
        """Folders of label files; a file is one that is named as an image is."""
        images = self.tree.images
        leaves: set[str] = set()
        for folder, names in self._ending(".txt").items():
            named = [
                name
                for name in thinned(names, _MANY)
                if (key := stem_key(name[:-4])) in images or without_prefix(key) in images
            ]
            rows = [is_label_file(self.tree.root / folder / name) for name in named[:_OTHERS]]
            if named and (True in rows or False not in rows):
                leaves.add(folder)
        return self._folders("yolo", leaves, ".txt")

    def _folders(self, kind: Known, leaves: set[str], suffix: str) -> Candidates:
        """The folder of each split for a format with a file an image.

        It is the folder above all that state the split. Where files of one name would belong to
        one image, or another split lies below it, each folder is a candidate of its own.
        """
        by_split: dict[Stated | None, list[str]] = defaultdict(list)
        for leaf in sorted(leaves):
            by_split[split_of(leaf)].append(leaf)
        found: list[Candidate] = []
        for split, own in by_split.items():
            top = common(own)
            others = leaves - set(own)
            mixed = any(is_below(leaf, top) for leaf in others)
            tops = own if mixed or self._are_copies(own, split, suffix) else [top]
            layout = "a folder a split" if split else "one folder"
            for each in tops:
                images = self._images_of(each, own, split, suffix)
                found.append(Candidate(kind, each, split, images, layout))
        return found

    def _images_of(
        self, top: str, leaves: Iterable[str], split: Stated | None, suffix: str
    ) -> str | None:
        inner = [leaf for leaf in leaves if is_below(leaf, top)]
        each = max(1, 64 // len(inner))
        names = [
            joined(leaf, name)[len(top) :].lstrip("/")[: -len(suffix)]
            for leaf in inner
            for name in self._spread(leaf, suffix, each)
        ]
        return find_images(self.tree, names, split, top)

    def _spread(self, folder: str, suffix: str, count: int) -> Sequence[str]:
        """Some of the files of a folder that are named as images are."""
        names = thinned([n for n in self.tree.files[folder] if ending(n) == suffix], _MANY)
        named = [n for n in names if stem_key(n[: -len(suffix)]) in self.tree.images]
        return thinned(named or names, count)

    def _are_copies(self, leaves: Sequence[str], split: Stated | None, suffix: str) -> bool:
        """Whether two folders have files of one name for images of one folder."""
        seen: dict[tuple[str | None, str], str] = {}
        for leaf in leaves if len(leaves) > 1 else ():
            images = self._images_of(leaf, [leaf], split, suffix)
            for name in self._spread(leaf, suffix, 64):
                if seen.setdefault((images, name), leaf) != leaf:
                    return True
        return False

    def _ending(self, suffix: str) -> dict[str, list[str]]:
        found = {
            folder: [name for name in names if ending(name) == suffix]
            for folder, names in self.tree.files.items()
        }
        return {folder: names for folder, names in found.items() if names}

    @cached_property
    def _json_kinds(self) -> dict[str, JsonKind]:
        """Kinds of JSON files; of those that are named as images are, of some of each folder."""
        kinds: dict[str, JsonKind] = {}
        for folder, names in self._ending(".json").items():
            of_image = [stem_key(name[:-5]) in self.tree.images for name in names]
            named = [name for name, is_named in zip(names, of_image) if is_named]
            others = [name for name, is_named in zip(names, of_image) if not is_named]
            for name in (*named[:_SAMPLE], *others[:_OTHERS]):
                if (kind := json_kind(self.tree.root / folder / name)) is not None:
                    kinds[joined(folder, name)] = kind
        return kinds


def thinned(names: Sequence[str], count: int) -> Sequence[str]:
    """Return at most ``count`` names, evenly spaced."""
    return names[:: max(1, -(-len(names) // count))]


def is_below(path: str, top: str) -> bool:
    """Return whether a relative path is ``top`` or lies below it."""
    return not top or f"{path}/".startswith(f"{top}/")


def names_split(path: Path, split: Split) -> bool:
    """Return whether a ``data.yaml`` names images of a split that are there."""
    try:
        return entries(path, read_yaml(path), split) is not None
    except InputError:
        return False


def _files(kind: Known, paths: Iterable[str], layout: str = "") -> Candidates:
    return [Candidate(kind, path, split_of(path), layout=layout) for path in paths]


def _is_plain(path: str) -> bool:
    """Whether the name of a list is that of a split alone."""
    words = words_of(PurePosixPath(path).stem)
    return all(word in _ALL or split_of(word) for word in words)
