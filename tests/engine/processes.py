"""Real processes of the command ``tools/train.py`` that start quickly, to be stopped and killed.

They are forked from a server that has imported everything once; nothing in them is other than in
a process that a shell starts.
"""

import multiprocessing
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

SMALL = [
    "input_size=64,64", "test_size=64,64", "head_convs=1", "fpn_channels=32", "head_width=32",
    "workers=0", "warmup_iters=2",
]  # fmt: skip
"""A small network, for data of a test's own."""
TINY = [
    "shapes_train=12", "shapes_val=5", "shapes_size=64,64", "shapes_classes=circle,square",
    "shapes_object=16,48", *SMALL,
]  # fmt: skip
"""The same on generated shapes."""

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["pytest", "tests.engine.processes", "otadet.cli.train"])


@dataclass(frozen=True)
class Running:
    """A process and the file with all that it says."""

    process: BaseProcess
    log: Path

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def kill_group(self, number: int) -> None:
        """Send a signal to the whole process group, as terminals and ``timeout`` do."""
        os.killpg(self.pid, number)

    def last_line(self) -> str:
        """The last line that was said, by an end that is no crash."""
        for crash in ("Traceback", "Exception ignored", "Error in"):
            assert crash not in self.said, self.said
        return [line for line in self.said.splitlines() if line.strip()][-1]

    def end(self, timeout: float = 120) -> int:
        """Exit code, negative for a signal."""
        self.process.join(timeout)
        assert self.process.exitcode is not None, f"still running:\n{self.said}"
        return self.process.exitcode

    def children(self) -> list[int]:
        """Process ids, oldest first."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="utf-8")
        return sorted(int(word) for word in text.split())

    def wait_for(self, happened: Callable[[], bool], timeout: float = 120) -> None:
        deadline = time.monotonic() + timeout
        while not happened():
            assert self.process.is_alive(), f"ended with {self.process.exitcode}:\n{self.said}"
            assert time.monotonic() < deadline, f"nothing happened:\n{self.said}"
            time.sleep(0.01)


@contextmanager
def started(
    words: Sequence[str], log: Path, environment: Mapping[str, str] | None = None,
    more_memory: int = 0,
) -> Iterator[Running]:  # fmt: skip
    """``tools/train.py`` with these words; it does not outlive the block.

    ``more_memory`` is how many bytes of address space it may take beyond what it starts with.
    """
    process = _FORKED.Process(
        target=_command, args=(list(words), str(log), dict(environment or {}), more_memory)
    )
    process.start()
    try:
        yield Running(process, log)
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        process.close()


def _command(
    words: list[str], log: str, environment: dict[str, str], more_memory: int
) -> None:  # fmt: skip
    from otadet.cli.process import run_main
    from otadet.cli.train import main

    os.setsid()  # a signal to its group does not reach the tests
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(environment)
    multiprocessing.set_start_method(None, force=True)  # the platform's own for loader processes
    torch.set_num_threads(1)
    sys.argv = ["train.py", *words]
    if more_memory:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
        limit = pages * resource.getpagesize() + more_memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    run_main(lambda _: main(words))


@contextmanager
def pair(
    words: Sequence[str], logs: Path, environments: Sequence[Mapping[str, str]] | None = None
) -> Iterator[tuple[Running, Running]]:
    """Two processes of one run, as ``torchrun`` (or what ``environments`` says) starts them."""
    if environments is None:
        port = free_port()
        environments = [
            {"RANK": str(r), "LOCAL_RANK": str(r), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
             "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            for r in range(2)
        ]  # fmt: skip
    logs.mkdir(parents=True, exist_ok=True)
    with (
        started(words, logs / "rank0.txt", environments[0]) as first,
        started(words, logs / "rank1.txt", environments[1]) as second,
    ):
        yield first, second


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def quick(output: Path, *words: str, batch: int = 4, precision: str = "fp32") -> list[str]:
    """A tiny run on the CPU, in ``precision`` whatever the CPU would take by itself."""
    own_data = any(word.startswith("data_dir=") for word in words)
    words = (f"--{precision}", *(SMALL if own_data else TINY), *words)
    return ["-n", "quickstart", "-d", "cpu", "-b", str(batch), "-o", str(output), *words]
