"""Long lists of cases: some run in every run of the tests, all of them in ``make test-slow``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def some_always(cases: Iterable[Any], every: int, name: Callable[[Any], str] = str) -> list[Any]:
    """The cases as parameters of a test, all slow but one of so many."""
    return [
        pytest.param(case, id=name(case), marks=() if index % every == 0 else pytest.mark.slow)
        for index, case in enumerate(cases)
    ]
