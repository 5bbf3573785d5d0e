"""Which image each of labelme's JSON files belongs to.

The one that has the name of the JSON file. ``imagePath``, which tools leave as it was when files
are renamed or moved, counts where there is no such image or several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otadet.choices import Split
from otadet.data.file_names import resolve_names
from otadet.data.folder_tree import Tree, stem_key
from otadet.data.image_file import IMAGE_ENDINGS
from otadet.data.split_words import split_of


@dataclass(frozen=True)
class Matched:
    """The images of ``F`` JSON files.

    Attributes:
        names: ``F``; the path that the file states where there is no image.
        renamed: the files whose ``imagePath`` names another image, by index.
        unlabelled: the images without a file.
        twins: images left over that have a file's name and another ending than its image.
    """

    names: tuple[str, ...]
    renamed: tuple[int, ...]
    unlabelled: tuple[str, ...]
    twins: tuple[str, ...]


def match_images(
    stems: Sequence[str], stated: Sequence[str], folder: Path, split: Split | None
) -> Matched:
    """Find the images of JSON files.

    Args:
        stems: of the files, relative to their folder, without ``.json``.
        stated: the path that each file states, with ``/``; or empty.
        folder: of the images.
        split: images in the folder of another one are not taken.
    """
    images = {
        name: stem_key(name)
        for name in Tree.of(folder).ending_in(*IMAGE_ENDINGS)
        if split is None or split_of(name.rpartition("/")[0]) in (None, split)
    }
    own = resolve_names(stems, [folder], split).names
    paths = [name if name in images else path or name for name, path in zip(own, stated)]
    names = resolve_names(paths, [folder], split).names
    renamed = tuple(
        i for i, (name, path) in enumerate(zip(own, stated))
        if name in images and path and _base(path) != _base(name)
    )  # fmt: skip
    taken = {stem_key(name) for name in names}
    used = set(names)
    left = [name for name in images if name not in used]
    unlabelled = tuple(name for name in left if images[name] not in taken)
    twins = tuple(name for name in left if images[name] in taken)
    return Matched(names, renamed, unlabelled, twins)


def _base(name: str) -> str:
    return stem_key(name.rpartition("/")[2])
