"""SIGINT and SIGTERM: blocking, ignoring, and interrupting on them."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)
"""The signals that ask a process to end: Ctrl-C, and what ``timeout``, schedulers and launchers
send. Terminals, ``timeout`` and most schedulers send them to the whole process group."""

SAME_SIGNAL = 2.0
"""Seconds within which a second signal counts as the first one, sent again by a launcher."""


@contextmanager
def blocked() -> Iterator[None]:
    """Block SIGINT and SIGTERM in this thread while the block is open; none is lost.

    A process that is started inside is born with both blocked, so that no signal finds it before
    it is ready. Where it starts afresh (not by ``fork``), the caller starts multiprocessing's
    resource tracker first, whose start would unblock them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore() -> None:
    """Ignore SIGINT and SIGTERM; the main process ends this one."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def restore_defaults() -> None:
    """Let SIGINT and SIGTERM end this process at once."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)


def interrupt_on_stop() -> None:
    """Raise KeyboardInterrupt on SIGTERM from now on, as on Ctrl-C.

    The exception carries the signal's number; the same signal sent twice raises once. A signal that
    was blocked until now is delivered.
    """
    last = float("-inf")

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > SAME_SIGNAL:
            last = now
            raise KeyboardInterrupt(number)

    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup and `command &` leave them
            signal.signal(number, on_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


@contextmanager
def interruptible() -> Iterator[None]:
    """Run the block under :func:`interrupt_on_stop`."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    interrupt_on_stop()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def number_of(stop: KeyboardInterrupt) -> int:
    """Return the signal that raised ``stop``."""
    return stop.args[0] if stop.args else signal.SIGINT


def stop_line(number: int) -> str:
    """Return the log line for a process that signal ``number`` ended."""
    return f"stopped by {'Ctrl-C' if number == signal.SIGINT else name(number)}"


def name(number: int) -> str:
    """Return a signal's name, ``SIGTERM`` for 15."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
