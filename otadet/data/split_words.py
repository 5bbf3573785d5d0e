"""Recognise the split that the name of a file or folder states."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

from otadet.choices import Split

Stated = Split | Literal["test"]

_WORDS: dict[str, Stated] = {
    **dict.fromkeys(("train", "training", "trn", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval", "valset"), "val"),
    **dict.fromkeys(("test", "testing", "testset"), "test"),
}  # fmt: skip
_LETTERS = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def split_of(path: str) -> Stated | None:
    """Return the split that a relative path states, ``None`` where it states none.

    The last part counts that states any. Words are whole: ``instances_train2017.json``,
    ``MyVal.json`` and ``valid/labels`` state a split, ``strain.json`` none; nor does a part that
    states two, such as ``train_val.json``.
    """
    for part in reversed(PurePosixPath(path).parts):
        found = {_WORDS[word] for word in words_of(part) if word in _WORDS}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def words_of(name: str) -> list[str]:
    """Split a name into its words in small letters, without digits."""
    return [word.lower() for run in _LETTERS.findall(name) for word in _CAMEL.split(run)]
