"""Assigners by the names that the command line takes."""

from __future__ import annotations

from collections.abc import Sequence

from otadet.assign import Assigner
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.exp.methods import METHODS, MethodName
from otadet.texts import nearest

DEFAULT = ("ota", "simota", "atss", "fcos")

_ALIASES: dict[str, MethodName] = {"ota_converged": "ota_newton"}


def assigners_of(exp: BaseExp, names: Sequence[str] | None = None) -> dict[str, Assigner]:
    """Make the assigners, and the experiment's own where none of them equals it.

    Args:
        exp: its ``anchor_scale`` counts for those that compare anchors.
        names: keys of ``METHODS``, or ``own``; ``None`` takes :data:`DEFAULT`, the own one first.

    Raises:
        InputError: an unknown or repeated name, or none.
    """
    own = exp.build_assigner()
    if names is not None:
        _check(names)
        return {name: _assigner(name, exp, own) for name in names}
    chosen = {name: _assigner(name, exp, own) for name in DEFAULT}
    return chosen if own in chosen.values() else {"own": own, **chosen}


def _assigner(name: str, exp: BaseExp, own: Assigner) -> Assigner:
    if name == "own":
        return own
    known = {str(key): key for key in METHODS} | _ALIASES
    if name not in known:
        near = nearest(name, known)
        meant = f"did you mean {near!r}? " if near else ""
        raise InputError(
            f"--assigners: no assigner is called {name!r}; {meant}known are own, {', '.join(known)}"
        )
    return METHODS[known[name]].build_assigner(getattr(exp, "anchor_scale", 8.0))


def _check(names: Sequence[str]) -> None:
    twice = [name for name in names if names.count(name) > 1]
    if twice or not names:
        got = f"{twice[0]!r} twice" if twice else "none"
        raise InputError(f"--assigners: expected names, each once, as ota,simota; got {got}")
