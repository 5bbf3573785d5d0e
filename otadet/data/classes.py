"""The classes of a data set: names, and the ids that its annotation file gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otadet.data.base import Dataset


@dataclass(frozen=True)
class Classes:
    """The classes of a data set.

    Attributes:
        names: by class index.
        ids: COCO's category ids; ``None`` where there are none.
    """

    names: tuple[str, ...]
    ids: tuple[int, ...] | None = None

    @property
    def category_ids(self) -> Sequence[int]:
        """:attr:`ids`, or the class indices plus one."""
        return self.ids or range(1, len(self.names) + 1)


def category_ids(dataset: Dataset) -> tuple[int, ...] | None:
    """Return the ids in the order of the class names; ``None`` for a data set without ids."""
    ids: tuple[int, ...] | None = getattr(dataset, "category_ids", None)
    return ids


def ids_by_name(
    class_names: Sequence[str], names: Sequence[str], ids: Sequence[int]
) -> tuple[int, ...] | None:
    """Return the id of each class, found by its name, whatever the order in the file.

    A class that the file does not list gets the next number above the largest id, so that every
    class has one of its own.

    Args:
        class_names: the classes to number, in the order of the network's outputs.
        names: the file's classes.
        ids: the id of each of ``names``; empty for a format without ids, which gives ``None``.
    """
    if not len(ids):
        return None
    known = {name: int(each) for name, each in zip(names, ids)}
    free = max(0, *known.values()) + 1
    for name in class_names:
        if name not in known:
            known[name], free = free, free + 1
    return tuple(known[name] for name in class_names)
