"""Any command of ``otadet`` as a real process that starts quickly.

They are forked from a server that has imported everything once; nothing in them is other than in
a process that a shell starts.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["pytest", "tests.hostile.processes", "otadet.cli.demo",
                                "otadet.cli.train", "otadet.cli.convert_dataset"])  # fmt: skip


class Ended(NamedTuple):
    """Exit code, negative for a signal; what was printed; what was logged; files opened."""

    code: int
    out: str
    log: str
    opened: frozenset[str]

    @property
    def error(self) -> str:
        """The one line that a refusal is."""
        assert "Traceback" not in self.log and self.code == 2, self
        lines = [line for line in self.log.splitlines() if "ERROR" in line]
        assert len(lines) == 1 and lines[0] == self.log.splitlines()[-1], self.log
        return lines[0].partition("ERROR   ")[2]


def ended(words: Sequence[object], folder: Path, largest: int = 0, timeout: float = 200) -> Ended:
    """Run ``otadet`` with these words in a folder until it ends.

    Args:
        words: the command and its options.
        folder: the current one of the process.
        largest: bytes that the process may write to one file; what exceeds them fails as on a
            full disk, and files opened are not listed. 0 for no limit.
        timeout: seconds.
    """
    with tempfile.TemporaryDirectory() as logs:
        process = _FORKED.Process(
            target=_command, args=([str(word) for word in words], str(folder), logs, largest)
        )
        process.start()
        process.join(timeout)
        hangs = process.is_alive()
        if hangs:
            process.kill()
            process.join()
        out, log, opened = (
            (Path(logs) / name).read_bytes().decode("utf-8", "surrogateescape")
            for name in ("out", "log", "opened")
        )
    assert not hangs, f"{words}: still running: {log}"
    assert process.exitcode is not None
    return Ended(process.exitcode, out, log, frozenset(opened.split("\n")))


def _command(words: list[str], folder: str, logs: str, largest: int) -> None:
    from otadet.cli.app import main
    from otadet.cli.process import run_main

    os.setsid()
    for number, name in ((1, "out"), (2, "log")):
        file = os.open(f"{logs}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    opened = os.open(f"{logs}/opened", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def note(event: str, args: tuple[object, ...]) -> None:
        if event == "open" and isinstance(args[0], str):
            os.write(opened, f"{args[0]}\n".encode("utf-8", "surrogateescape"))

    if not largest:  # which the list of opened files would reach first
        sys.addaudithook(note)
    os.chdir(folder)
    multiprocessing.set_start_method(None, force=True)
    import torch

    torch.set_num_threads(1)
    if largest:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    sys.argv = ["otadet", *words]
    run_main(lambda _: main(words))
