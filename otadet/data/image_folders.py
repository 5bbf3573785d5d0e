"""Find the folder of the images that annotations name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from otadet.data.folder_tree import Tree, stem_key
from otadet.data.split_words import Stated, split_of


def find_images(tree: Tree, names: Sequence[str], split: Stated | None, near: str) -> str | None:
    """Find the folder that names of images are relative to.

    It is the one below which most of ``names`` are found, endings aside; where they lie in
    several, the folder above these. Where none is found by its whole name, the last parts count,
    and where none is found by that, it is the folder above all images.

    Args:
        tree: the data set's folder.
        names: some of the images, with or without ending.
        split: folders that state another one are passed over; ``None`` passes over none.
        near: path of the annotations; of two folders that fit alike, the nearer one counts.

    Returns:
        The folder relative to the tree's root; ``None`` where there are no images.
    """
    whole = [name.replace("\\", "/").removeprefix("./") for name in names]
    for each in (whole, [name.rpartition("/")[2] for name in whole]):
        votes = _votes(tree, each, split, near)
        if votes:
            return _chosen(votes, split, near)
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


def _chosen(votes: dict[str, set[int]], split: Stated | None, near: str) -> str:
    def rank(folder: str) -> tuple[int, bool, int, int, str]:
        shared = len(common([folder, near]))
        return -len(votes[folder]), split_of(folder) != split, -shared, len(folder), folder

    best = min(votes, key=rank)
    if len(votes[best]) == len(set().union(*votes.values())):
        return best
    return common(votes)


def _allows(folder: str, split: Stated | None, near: str) -> bool:
    """Whether the parts of a folder that ``near`` does not share state no other split."""
    if split is None:
        return True
    return split_of(folder[len(common([folder, near])) :]) in (None, split)


def common(paths: Iterable[str]) -> str:
    """Return the folder that relative paths have in common, empty for the root."""
    return os.path.commonpath([f"/{path}" for path in paths])[1:]
