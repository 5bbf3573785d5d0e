"""What must hold for any input: time, memory, and nothing touched outside the folder."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import HypothesisWarning
from hypothesis.strategies import SearchStrategy
from loguru import logger

SECONDS = float(os.environ.get("FUZZ_SECONDS", "3"))
"""How long a target runs."""

CPU_SECONDS = 5
MEMORY = 1 << 30
"""Limits of one input: time of the process, bytes beyond what it takes before."""

RUNS: list[str] = []
"""A line for each target that ended without a finding."""

_ROUND = 50
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate",
    "os.chmod", "os.chown", "os.utime",
}  # fmt: skip
_NEVER = {
    "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "socket.connect",
    "socket.bind", "socket.getaddrinfo", "pickle.find_class",
}  # fmt: skip

# Waiting counts too, longer: other processes may have the cores.
_TIMERS = (
    (signal.ITIMER_PROF, signal.SIGPROF, CPU_SECONDS), (signal.ITIMER_REAL, signal.SIGALRM, 60),
)  # fmt: skip

_watch: tuple[str, str, list[str]] | None = None


class TooSlowError(BaseException):
    """No handler of errors takes it for one of the input."""


def fuzz(inputs: SearchStrategy[Any], check: Callable[[Any], None], warm: Any = None) -> None:
    """Check as many inputs as the time allows; ends at the first finding, made small.

    Args:
        inputs: of the target.
        check: raises what is a finding.
        warm: an input to begin with, which imports and allocates what every input needs.
    """
    count, begin = 0, time.monotonic()

    @settings(max_examples=_ROUND, deadline=None, database=None, suppress_health_check=HealthCheck,
              phases=(Phase.generate, Phase.shrink))  # fmt: skip
    @given(inputs)
    def one_round(given_input: Any) -> None:
        nonlocal count
        count += 1
        check(given_input)

    logger.remove()  # what is logged is of other tests
    warnings.simplefilter("ignore", HypothesisWarning)  # of a large finding; pytest resets it
    if warm is not None:
        check(warm)
    while time.monotonic() < begin + SECONDS:
        try:
            one_round()
        except (Exception, TooSlowError) as error:  # noqa: PERF203 - it ends the loop
            text = "".join(traceback.format_exception(error))  # pytest's is pages long
            pytest.fail(f"input {count}: {text}", pytrace=False)
    name = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
    RUNS.append(f"{name}: {count} inputs in {time.monotonic() - begin:.0f} s")


@contextmanager
def _little_memory() -> Iterator[None]:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def watched(folder: Path, secret: Path) -> Iterator[None]:
    """Let the block read no ``secret``, write in ``folder`` alone, and take the time allowed."""
    global _watch
    faults: list[str] = []
    _watch = (f"{os.path.realpath(folder)}/", os.path.realpath(secret), faults)
    tempfile.tempdir = str(folder)  # torch makes a temporary folder to refuse a tar file in
    for timer, number, seconds in _TIMERS:
        signal.signal(number, _too_slow)
        signal.setitimer(timer, seconds)
    faulthandler.dump_traceback_later(120, exit=True)  # in code of C no handler runs
    try:
        with _little_memory():
            yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        for timer, _, _ in _TIMERS:
            signal.setitimer(timer, 0)
        _watch = tempfile.tempdir = None
    assert not faults, faults


def _too_slow(number: int, _: object) -> None:
    raise TooSlowError("waits" if number == signal.SIGALRM else f"takes over {CPU_SECONDS} s")


def _note(event: str, args: tuple[Any, ...]) -> None:
    if _watch is None:
        return
    folder, secret, faults = _watch
    if event in _NEVER:
        faults.append(f"{event} {args}")
    elif event in _CHANGES or event == "open":
        if isinstance(args[0], int):
            return
        path = os.path.realpath(os.fsdecode(args[0]))
        writes = event != "open" or bool((args[2] or 0) & _WRITES)
        if writes and not path.startswith(folder) and path != os.devnull:
            faults.append(f"{event} {path}")
        if path.startswith(secret):
            faults.append(f"{event} {path}")


sys.addaudithook(_note)
