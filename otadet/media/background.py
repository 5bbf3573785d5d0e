"""Background threads with bounded queues: prefetch before the network, write behind it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL = 0.1
"""Seconds after which a waiting thread checks whether it should stop."""


def prefetch(items: Iterable[T], size: int) -> Generator[T, None, None]:
    """Produce ``items`` in a thread, at most ``size`` in advance.

    An error of the iterable is raised where the items are used. A caller that stops early ends the
    thread.
    """
    waiting: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(max(1, size))
    stop = threading.Event()

    def put(more: bool, value: T | BaseException | None) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put((more, value), timeout=_POLL)
                return

    def work() -> None:
        try:
            for item in items:
                put(True, item)
                if stop.is_set():
                    return
            put(False, None)
        except BaseException as error:  # raised again where the items are used
            put(False, error)

    thread = threading.Thread(target=work, name="otadet-read", daemon=True)
    thread.start()
    try:
        while True:
            more, value = waiting.get()
            if more:
                yield value  # type: ignore[misc]
            elif isinstance(value, BaseException):
                raise value
            else:
                return
    finally:
        stop.set()
        thread.join()


class Sink(Generic[T]):
    """Passes items to ``use`` in a thread, in their order.

    Use it as a context manager; leaving it waits for the queue, after an error the rest is dropped.

    Args:
        use: called with each item.
        size: largest number of waiting items; beyond it :meth:`put` waits.
    """

    def __init__(self, use: Callable[[T], None], size: int) -> None:
        self._use = use
        self._queue: queue.Queue[tuple[bool, T | None]] = queue.Queue(max(1, size))
        self._error: BaseException | None = None
        self._drop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="otadet-write", daemon=True)

    def put(self, item: T) -> None:
        """Queue an item.

        Raises:
            BaseException: that of ``use`` for an earlier item.
        """
        if self._error is not None:
            raise self._error
        self._queue.put((True, item))

    def __enter__(self) -> Sink[T]:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._drop.set()
        self._queue.put((False, None))
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _work(self) -> None:
        while True:
            more, item = self._queue.get()
            if not more:
                return
            if self._error is not None or self._drop.is_set():
                continue
            try:
                self._use(item)  # type: ignore[arg-type]
            except BaseException as problem:  # raised again where items are put
                self._error = problem
