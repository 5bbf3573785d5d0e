"""Overrides from a command line, and the names in them that an experiment does not have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from otadet.errors import InputError
from otadet.exp.sizes import parse_size
from otadet.exp.values import parse_value, plain
from otadet.foreign import ours
from otadet.texts import nearest

if TYPE_CHECKING:
    from otadet.exp.settings import Settings

_COMPONENTS: list[type[Settings]] = []


def register(component: type[Settings]) -> None:
    """Remember a component that only some experiments have."""
    _COMPONENTS.append(component)


def parse_words(cls: type[Settings], words: Iterable[str]) -> dict[str, Any]:
    """Read overrides of an experiment; see :meth:`Settings.parse`."""
    hints = cls.hints()
    renamed = {old: hints[new] for old, new in cls.merged("renamed").items() if new in hints}
    hints = {**renamed, **hints}
    overrides: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        key, equals, text = word.partition("=")
        if key not in hints and not equals and not key.isidentifier():
            raise InputError(
                f"expected settings as key=value, got {word!r}; a folder of data is given as "
                f"data_dir={word}, other paths by options (--help)"
            )
        if key not in hints:
            raise InputError(unknown(cls, key, text if equals else "".join(rest[:1])))
        where = f"setting {key}"
        if not equals:
            if not rest:
                raise InputError(f"{where}: expected a value after it, got nothing")
            text = rest.pop(0)
        overrides[key] = (
            parse_size(text, where) if key in cls.sizes else parse_value(text, hints[key], where)
        )
    return overrides


def called(cls: type[Settings]) -> str:
    """Return an experiment's name, or that of a class without a file."""
    return str(vars(cls).get("name", cls.__name__))


def unknown(cls: type[Settings], name: str, value: str = "") -> str:
    """Return the message for a setting that an experiment does not have.

    It names the experiments that have it, what another trainer's word is called here, or the
    nearest name.
    """
    hint = "(--help-settings lists them all)"
    owner = next((c.owner for c in _COMPONENTS if name in _names(c)), None)
    if owner is None and (meant := ours(name, value)):
        return f"{name}: {meant} (--help-settings lists all settings)"
    cutoff = 0.7 if owner else 0.5  # no typo: only a name that is nearly the same is meant
    near = nearest(name, cls.hints(), cutoff)
    if owner:
        meant = f"; nearest: {near!r}" if near else ""
        return f"{called(cls)} has no setting {name!r} (it belongs to {owner}){meant} {hint}"
    meant = f"; did you mean {near!r}?" if near else ""
    return f"unknown setting {name!r} of {cls.__name__}{meant} {hint}"


def is_changed(name: str, value: Any) -> bool:
    """Say whether a saved setting is another than the default of the components that have it."""
    own = [c for c in _COMPONENTS if name in _names(c)]
    defaults = [getattr(c, vars(c).get("renamed", {}).get(name, name)) for c in own]
    return plain(value) not in [plain(default) for default in defaults]


def _names(component: type[Settings]) -> set[str]:
    return {*vars(component).get("__annotations__", {}), *vars(component).get("renamed", {})}
