"""Hooks: methods of an experiment that are called by name, and names that only look like one."""

from __future__ import annotations

from collections.abc import Iterable

from otadet.errors import InputError
from otadet.texts import nearest

PREFIX = "build_"
MEANT = {
    "build_train_draw": "build_sample_builder",
    "train_draw": "train_sample_builder",
    "build_train_transform": "build_post_transform",
}
"""Hooks of former versions and of other components, with the hook that takes their place."""


def check_hooks(owner: str, names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Refuse methods that would be ignored because their name is not quite a hook's.

    Args:
        owner: name of the class, for messages.
        names: methods that the class adds.
        known: methods that its base classes have.

    Returns:
        A notice for each other method that begins with ``build_``: it may be a helper.

    Raises:
        InputError: a method has a former name of a hook or one close to a hook's.
    """
    hooks = {name.removeprefix(PREFIX) for name in known if name.startswith(PREFIX)}
    notices = []
    for name in names:
        if name in MEANT:
            raise InputError(f"{owner}: no hook is called {name}; rename it to {MEANT[name]}")
        if not name.startswith(PREFIX):
            continue
        # Without the prefix, which would make any two hooks alike.
        near = nearest(name.removeprefix(PREFIX), hooks, 0.8)
        if near:
            raise InputError(
                f"{owner}: no hook is called {name}; did you mean {PREFIX}{near}? "
                f"(begin the name of a helper method with an underscore: _{name})"
            )
        notices.append(
            f"{owner}.{name} is no hook: only {owner}'s own methods call it "
            f"(_{name} would say so without this notice)"
        )
    return notices
