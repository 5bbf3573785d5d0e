"""SIGINT and SIGTERM outside of training."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence

import pytest

from otadet.cli.process import run_main
from otadet.signals import STOPPING, blocked, interruptible, name, number_of


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_once(number: int) -> None:
    """The second comes from a launcher, while the first is being answered."""
    before = signal.getsignal(number)
    with interruptible():
        with pytest.raises(KeyboardInterrupt) as stop:
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
    assert number_of(stop.value) == number
    assert signal.getsignal(number) == before


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As the shell leaves SIGINT for a command in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("number", "line"),
    [(signal.SIGINT, "stopped by Ctrl-C"), (signal.SIGTERM, "stopped by SIGTERM")],
)
def test_a_command_ends_with_one_line(
    number: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(words: Sequence[str] | None) -> int:
        os.kill(os.getpid(), number)
        time.sleep(60)
        return 0

    with pytest.raises(SystemExit) as end:
        run_main(command)
    assert end.value.code == 128 + number
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].endswith(line)


def _mask() -> None:
    both = signal.pthread_sigmask(signal.SIG_BLOCK, []) >= set(STOPPING)
    os._exit(7 if both else 8)


def test_a_process_is_born_with_signals_blocked() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with blocked():
            process = multiprocessing.get_context("fork").Process(target=_mask)
            process.start()
            # To this thread, whose mask it is: another one of the runner's would take it.
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            assert heard == []
        assert heard == [signal.SIGTERM]  # not lost
        process.join(60)
        assert process.exitcode == 7
    finally:
        signal.signal(signal.SIGTERM, before)


def test_names() -> None:
    assert name(15) == "SIGTERM" and name(250) == "signal 250"
