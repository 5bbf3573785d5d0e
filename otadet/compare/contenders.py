"""What is compared: methods under one experiment, or experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otadet.errors import InputError
from otadet.exp import BaseExp, load_class


@dataclass(frozen=True)
class Contender:
    """A method, or an experiment, that is compared with others.

    Attributes:
        label: its name, as the command line has it.
        file: experiment file.
        words: settings of its own, ``key=value``.
    """

    label: str
    file: str
    words: tuple[str, ...] = ()

    def build(self, words: Sequence[str]) -> BaseExp:
        """Make the experiment with ``words`` and the contender's own settings, which win."""
        cls = load_class(file=self.file)
        return cls(**cls.parse([*words, *self.words]))


def of_methods(texts: Sequence[str], base: type[BaseExp]) -> list[Contender]:
    """Read ``ota`` or ``"atss anchor_scale=3"``: a method, and settings that go with it."""
    found = []
    for text in texts:
        method, *words = text.split()
        found.append(Contender(" ".join([method, *words]), base.file, (f"method={method}", *words)))
    return _different(found)


def of_experiments(texts: Sequence[str]) -> list[Contender]:
    """Read ``yolox_nano``, ``my/exp.py`` or ``"yolox_nano lr=0.02"``: an experiment and settings.

    Raises:
        InputError: there is no such experiment.
    """
    found = []
    for text in texts:
        name, words = _words(text)
        cls = load_class(name) if Path(name).suffix == ".py" else load_class(name=name)
        found.append(Contender(" ".join([cls.name, *words]), cls.file, tuple(words)))
    return _different(found)


def _words(text: str) -> tuple[str, list[str]]:
    """Split into a name or path, which may hold blanks, and the settings after it."""
    words = text.split()
    count = next((i for i, word in enumerate(words) if i and "=" in word), len(words))
    settings = words[count:]
    name = text[: text.index(" " + settings[0])] if settings else text
    return name.strip(), settings


def _different(contenders: list[Contender]) -> list[Contender]:
    labels = [each.label for each in contenders]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice or len(labels) < 2:
        got = f"{twice[0]!r} twice" if twice else ", ".join(labels) or "none"
        raise InputError(f"compare: expected at least two different methods, got {got}")
    return contenders
