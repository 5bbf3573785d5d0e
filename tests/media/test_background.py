"""Reading ahead and writing behind: order, limits, errors, and no thread left."""

import threading
from collections.abc import Iterator

import pytest

from otadet.media import Sink, prefetch


def threads() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith("otadet-")}


def test_ahead_keeps_the_order_and_never_runs_far_ahead() -> None:
    made = []

    def items() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    used = []
    for item in prefetch(items(), size=3):
        used.append(item)
        assert len(made) <= len(used) + 3 + 2  # in the queue, and one in each hand
    assert used == list(range(50)) and threads() == set()


def test_ahead_raises_where_the_item_is_used_and_stops_with_its_user() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk")

    taken = prefetch(items(), 2)
    assert next(taken) == 1
    with pytest.raises(OSError, match="the disk"):
        next(taken)
    endless = prefetch(iter(int, 1), 2)
    next(endless)
    endless.close()
    assert threads() == set()


def test_sink_writes_all_in_order_before_it_is_left() -> None:
    done: list[int] = []
    with Sink(done.append, 2) as sink:
        for i in range(40):
            sink.put(i)
    assert done == list(range(40)) and threads() == set()


def test_sink_raises_an_error_and_drops_the_rest() -> None:
    done = []

    def use(item: int) -> None:
        if item == 3:
            raise OSError("the disk")
        done.append(item)

    with pytest.raises(OSError, match="the disk"), Sink(use, 2) as sink:
        for i in range(10_000):
            sink.put(i)
    assert done == [0, 1, 2] and threads() == set()
