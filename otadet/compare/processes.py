"""The runs of a comparison as processes of their own, one at a time on each device."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from loguru import logger

from otadet import signals
from otadet.compare.plan import Run
from otadet.compare.states import state_of
from otadet.engine.devices import Devices, threads_per_process
from otadet.errors import RunError

OUTPUT = "output.txt"
"""What the processes of a run print, in its folder."""

_POLL = 0.5  # seconds


@dataclass(frozen=True)
class Slot:
    """A device that one run at a time is given.

    Attributes:
        device: as ``-d`` takes it.
        environment: variables of its processes.
    """

    device: str
    environment: Mapping[str, str] = field(default_factory=dict)


def slots_of(devices: Devices) -> list[Slot]:
    """Return a slot for each device; processes on a CPU share its cores."""
    if devices.kind == "cuda":
        return [Slot(f"{index},") for index in devices.indices]
    threads = str(threads_per_process(len(devices)))
    shared = {"OMP_NUM_THREADS": threads} if len(devices) > 1 else {}
    return [Slot(devices.kind, shared) for _ in devices.indices]


class Processes:
    """Trains and evaluates runs, each in its own processes.

    A run whose process fails or is killed goes on once from its last checkpoint. Where a process
    of an earlier comparison, which was killed, still works on a run, its end is waited for.

    Args:
        runs: in the order in which they are started.
        slots: one run at a time on each.
    """

    def __init__(self, runs: Sequence[Run], slots: Sequence[Slot]) -> None:
        self.failed: dict[str, str] = {}
        self.active: list[Run] = []
        self.ended: list[Run] = []
        self._waiting = deque(runs)
        self._slots = slots
        self._children: set[subprocess.Popen[bytes]] = set()
        self._stopping = False
        self._lock = threading.Lock()

    def run(self, tick: Callable[[], None]) -> None:
        """Take all runs to their end; those that fail are in :attr:`failed`, with the reason.

        Args:
            tick: called twice a second meanwhile.

        Raises:
            KeyboardInterrupt: a signal came; the processes have saved their state and ended.
        """
        threads = [threading.Thread(target=self._work, args=(slot,)) for slot in self._slots]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                tick()
                time.sleep(_POLL)
        except BaseException:
            self._stop()
            raise
        finally:
            for thread in threads:
                thread.join()

    def _work(self, slot: Slot) -> None:
        while not self._stopping:
            with self._lock:
                if not self._waiting:
                    return
                run = self._waiting.popleft()
                self.active.append(run)
            try:
                self._finish(run, slot)
            except Exception as error:  # the other runs go on
                if not self._stopping:
                    self.failed[run.name] = str(error)
            with self._lock:
                self.active.remove(run)
                self.ended.append(run)

    def _finish(self, run: Run, slot: Slot) -> None:
        try:
            self._attempt(run, slot)
        except RunError as error:
            if self._stopping:
                raise
            logger.warning("{}: {}; trying once more", run.name, error)
            self._attempt(run, slot)

    def _attempt(self, run: Run, slot: Slot) -> None:
        """Train and evaluate, as far as that is not done."""
        with self._output(run) as output:
            state = state_of(run)
            if state in ("new", "started"):
                words = train_words(run, slot.device, state == "started")
                self._start(slot, ["train", *words], output)
            if state_of(run) != "done":
                self._start(slot, ["eval", *eval_words(run, slot.device)], output)

    @contextmanager
    def _output(self, run: Run) -> Iterator[TextIO]:
        """Open what the processes of a run print to, once no earlier process holds it.

        The lock belongs to the open file, which the processes inherit: it is free once all of
        them have ended, also where the comparison that started them was killed.
        """
        folder = run.folder if run.evaluation is None else run.evaluation.parent
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / OUTPUT).open("a", encoding="utf-8") as output:
            if not _lock(output):
                logger.info("{}: a process started earlier works on it; waiting", run.name)
            while not _lock(output) and not self._stopping:
                time.sleep(_POLL)
            yield output

    def _start(self, slot: Slot, words: Sequence[str], output: TextIO) -> None:
        """Run a command to its end.

        Raises:
            RunError: it failed or was killed.
        """
        with self._lock:
            if self._stopping:
                return
            child = subprocess.Popen(
                [sys.executable, "-m", "otadet", *words], stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **slot.environment}, start_new_session=True,
            )  # fmt: skip
            self._children.add(child)
        code = child.wait()
        with self._lock:
            self._children.discard(child)
        if code:
            raise RunError(_cause(code, words[0], Path(output.name)))

    def _stop(self) -> None:
        """Ask all processes to save their state and end."""
        with self._lock:
            self._stopping = True
            for child in self._children:
                with suppress(ProcessLookupError):
                    child.send_signal(signal.SIGTERM)


def _lock(output: TextIO) -> bool:
    """Lock an open file, or return false where another process has it."""
    try:
        fcntl.flock(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        logger.debug("{}: cannot be locked", output.name)
    return True


def train_words(run: Run, device: str, resume: bool) -> list[str]:
    """Return the words of ``otadet train`` for a run."""
    start = ["--resume"] if resume else []
    if run.weights is not None and not resume:
        start += ["-c", run.weights]
    return [
        "-f", str(run.file), "-d", device, "-b", str(run.batch_size), f"--{run.precision}",
        "-o", str(run.folder), *start, *run.words,
    ]  # fmt: skip


def eval_words(run: Run, device: str) -> list[str]:
    """Return the words of ``otadet eval`` for the final weights of a run."""
    file = [] if run.file is None else ["-f", run.file]
    return [
        *file, "-c", str(run.folder / "last.pth"), "-d", device, "-o", str(run.evaluation),
        "--save-detections",
    ]  # fmt: skip


def _cause(code: int, command: str, output: Path) -> str:
    if code < 0:
        return f"{command} was killed by {signals.name(-code)}"
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing printed")
    return f"{command} ended with exit code {code}: {last}"
