"""Find the folder of the images that annotations name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from otadet.data.folder_tree import Tree, stem_key
from otadet.data.split_words import Stated, split_of


def find_images(tree: Tree, names: Sequence[str], split: Stated | None, near: str) -> str | None:
    """Find the folder that names of images are relative to.

    It is the one below which most of ``names`` are found, endings aside; where they lie in
    several, or several have files of these names, the folder above these. Of foreign paths as
    many of the last parts count as most names are found by, and where none is found by its last,
    it is the folder above all images.

    Args:
        tree: the data set's folder.
        names: some of the images, with or without ending.
        split: folders that state another one are passed over; ``None`` passes over none.
        near: path of the annotations; of two folders that fit alike, the nearer one counts.

    Returns:
        The folder relative to the tree's root; ``None`` where there are no images.
    """
    parts = [name.replace("\\", "/").removeprefix("./").split("/") for name in names]
    best: dict[str, set[int]] = {}
    for count in range(1, 1 + max(map(len, parts), default=0)):
        votes = _votes(tree, ["/".join(each[-count:]) for each in parts], split, near)
        if votes and len(_found(votes)) >= len(_found(best)):
            best = votes
    if best:
        return _chosen(best, split, near)
    allowed = [folder for folder in tree.image_folders if _allows(folder, split, near)]
    return common(allowed) if allowed else None


def _votes(
    tree: Tree, names: Iterable[str], split: Stated | None, near: str
) -> dict[str, set[int]]:
    """For each folder the names that are found in it."""
    votes: dict[str, set[int]] = {}
    for index, name in enumerate(names):
        key = stem_key(name)
        for path in tree.images.get(key.rpartition("/")[2], ()):
            folder = "/".join(path.split("/")[: -1 - name.count("/")])
            if f"/{stem_key(path)}".endswith(f"/{key}") and _allows(folder, split, near):
                votes.setdefault(folder, set()).add(index)
    return votes


def _found(votes: dict[str, set[int]]) -> set[int]:
    return set().union(*votes.values())


def _chosen(votes: dict[str, set[int]], split: Stated | None, near: str) -> str:
    def rank(folder: str) -> tuple[int, bool, int]:
        return -len(votes[folder]), split_of(folder) != split, -len(common([folder, near]))

    first = min(map(rank, votes))
    if -first[0] < len(_found(votes)):
        return common(votes)
    return common(folder for folder in votes if rank(folder) == first)


def _allows(folder: str, split: Stated | None, near: str) -> bool:
    """Whether the parts of a folder that ``near`` does not share state no other split."""
    if split is None:
        return True
    return split_of(folder[len(common([folder, near])) :]) in (None, split)


def common(paths: Iterable[str]) -> str:
    """Return the folder that relative paths have in common, empty for the root."""
    return os.path.commonpath([f"/{path}" for path in paths])[1:]
