"""The answer to ``--help-settings``: every setting by component, with its value and meaning."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap

from otadet.exp.settings import Settings
from otadet.exp.values import as_word, describe
from otadet.texts import one_line

_OWN = "of this experiment"
_LONGEST = 1000


def listing(settings: Settings) -> str:
    """Write every setting as a command takes it, with what it takes and its meaning."""
    texts, hints = meanings(type(settings)), settings.hints()
    lines: list[str] = []
    for title, names in groups(type(settings)).items():
        lines += [*([""] if lines else []), f"[{title}]"]
        for name in names:
            word = one_line(f"{name}={as_word(getattr(settings, name))}", _LONGEST)
            kind = describe(hints[name])
            lines += textwrap.wrap(f"{word:<34} {kind}", 100, subsequent_indent=" " * 35)
            lines += textwrap.wrap(
                texts.get(name, ""), 96, initial_indent="    ", subsequent_indent="    "
            )
    return "\n".join(lines)


def groups(cls: type[Settings]) -> dict[str, list[str]]:
    """Return the names of settings by the heading of the component that declares them."""
    home: dict[str, type[Settings]] = {}
    for base in cls.__mro__:  # the last one is the most basic
        if issubclass(base, Settings):
            home |= dict.fromkeys(vars(base).get("__annotations__", {}), base)
    titles = [vars(base).get("group") or _OWN for base in cls.__mro__]
    found: dict[str, list[str]] = {title: [] for title in titles}
    for name in cls.hints():
        found[vars(home[name]).get("group") or _OWN].append(name)
    return {title: names for title, names in found.items() if names}


def meanings(cls: type[Settings]) -> dict[str, str]:
    """Return the explanation of each setting, the string below it, as one line by name."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Settings):
            found.update(_strings_below(base))
    return found


def _strings_below(cls: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):  # a class without a file
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        entry.target.id: " ".join(below.value.value.split())
        for entry, below in itertools.pairwise(body)
        if isinstance(entry, ast.AnnAssign)
        and isinstance(entry.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
