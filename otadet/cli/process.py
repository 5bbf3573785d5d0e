"""A command as a process: standard streams, exit code, one line for an error."""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn, TextIO

from loguru import logger

from otadet.engine.run_directory import setup_logging, silence
from otadet.errors import InputError
from otadet.signals import interruptible, number_of, stop_line
from otadet.texts import indented

READER_GONE = 128 + signal.SIGPIPE
"""Exit code where what reads the output has ended, as ``| head`` does: that of other programs."""


def run_main(main: Callable[[Sequence[str] | None], int]) -> NoReturn:
    """Run a command and end the process.

    Wrong input ends it with one line and exit code 2, what else is known to end runs with one line
    and 1, and anything else with its traceback, in the run's log too, and 1.
    """
    open_streams()
    setup_logging()
    try:
        with interruptible():
            code = _written(lambda: main(None))
    except KeyboardInterrupt as stop:
        logger.warning(stop_line(number_of(stop)))
        code = 128 + number_of(stop)
    except Exception as error:
        code = _log_error(error)
    _settle(sys.stdout)
    _settle(sys.stderr)
    sys.exit(code)


def open_streams() -> None:
    """Open standard streams that the caller has closed (``>&-``) to the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Open takes the lowest free number, which is the stream's own: no file that is opened
            # later gets what libraries and other processes write to that number.
            stream = open(os.devnull, mode)  # noqa: PTH123, SIM115 - for as long as the process
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _written(work: Callable[[], int]) -> int:
    """The exit code of ``work``, also of a parser that ends the process, once the output is out."""
    try:
        code = work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    sys.stdout.flush()
    return code


def _log_error(error: Exception) -> int:
    """Log the error that ended the command; returns the exit code."""
    if isinstance(error, BrokenPipeError) and _reader_is_gone(sys.stdout):
        return READER_GONE
    if isinstance(error, InputError):  # known without importing torch
        code, line = 2, str(error)
    else:
        from otadet.engine.run_errors import exit_code

        known = exit_code(error)
        shown = indented("".join(traceback.format_exception(error))).strip()
        code, line = (1, shown) if known is None else known
    logger.error("{}", line)
    return code


def _settle(stream: TextIO) -> None:
    """Flush a stream; discard what cannot be written, which Python would retry at exit."""
    try:
        stream.flush()
    except OSError:
        silence(stream)


def _reader_is_gone(stream: TextIO) -> bool:
    look = select.poll()
    look.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in look.poll(0))
