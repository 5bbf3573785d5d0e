"""Launch one process per device with torch's elastic launcher, or join its processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import resource_tracker
from pathlib import Path
from types import FrameType
from typing import TypeVar

import torch
import torch.distributed as td
from loguru import logger
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.distributed.rendezvous import rendezvous as find_store

from otadet import signals
from otadet.engine import endings
from otadet.engine.checkpoint_writer import RUN_ID
from otadet.engine.devices import Devices, threads_per_process
from otadet.engine.endings import Ending
from otadet.engine.run_directory import FILE_ONLY
from otadet.engine.run_errors import exit_code
from otadet.errors import InputError, PeerError
from otadet.texts import indented

T = TypeVar("T")

GROUP_TIMEOUT = 1800.0
"""Default timeout of a collective, in seconds."""


@dataclass(frozen=True)
class Rendezvous:
    """Rendezvous of several processes, restarts and timeout.

    Attributes:
        machines: number of machines.
        machine_rank: index of this one.
        url: ``host:port`` of the first machine; chosen automatically on a single one.
        max_restarts: restarts of all processes after one has failed.
        timeout: seconds that a collective may take.
    """

    machines: int = 1
    machine_rank: int = 0
    url: str = "localhost:0"
    max_restarts: int = 0
    timeout: float = GROUP_TIMEOUT


def _join(
    work: Callable[[torch.device, T], int], argument: T, devices: Devices, timeout: float
) -> int:
    """Join the group, run ``work``, and leave; runs in each process."""
    local = int(os.environ["LOCAL_RANK"])
    if local >= len(devices):
        raise InputError(
            f"this is process {local} of the machine, but -d names {len(devices)} devices; "
            f"start as many processes as devices"
        )
    device = _current(devices.device(local))
    rank, ours = int(os.environ["RANK"]), endings.are_gathered()
    try:
        signals.interrupt_on_stop()
        if ours:
            stopped = endings.stop_signal()
            if stopped is not None:  # a restart after it: end at once
                raise KeyboardInterrupt(stopped)
            endings.forget(rank)
        _meet("nccl" if device.type == "cuda" else "gloo", timedelta(seconds=timeout))
        code = work(device, argument)
        if ours:  # torch swallows a KeyboardInterrupt from here on; the launcher would wait forever
            signals.restore_defaults()
        return code
    except KeyboardInterrupt as stop:
        if not ours:
            raise
        signals.ignore()
        sys.exit(128 + signals.number_of(stop))  # the launcher logs it
    except Exception as error:
        if ours:
            signals.ignore()  # the launcher's, to a process that is already ending
        sys.exit(_ended(error, rank, ours))
    finally:
        if td.is_initialized():
            td.destroy_process_group()


def _ended(error: Exception, rank: int, ours: bool) -> int:
    """Log why this process ends and return the exit code.

    Where our launcher has started it, it logs to the run's log alone, since the launcher logs the
    first cause last.
    """
    known = exit_code(error)
    if known is None:
        logger.error("rank {}:\n{}", rank, indented(traceback.format_exc().strip()))
        return 1
    code, line = known
    line = line if line.startswith("rank ") else f"rank {rank}: {line}"
    left = ours and endings.leave(rank, code, line, isinstance(error, PeerError))
    logger.bind(**({FILE_ONLY: True} if left else {})).error("{}", line)
    return code


def _meet(backend: str, timeout: timedelta) -> None:
    """Make the group of all processes.

    The launcher's store outlives them: those that are started anew must not find the addresses of
    those that are gone.
    """
    store, rank, world_size = next(find_store("env://", timeout=timeout))
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    td.init_process_group(
        backend, store=PrefixStore(f"start-{again}", store), rank=rank, world_size=world_size,
        timeout=timeout,
    )  # fmt: skip


def _current(device: torch.device) -> torch.device:
    """Make the device CUDA's current one and return it."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def launched_externally() -> bool:
    """Whether ``torchrun`` or another launcher started this process."""
    return "RANK" in os.environ and "LOCAL_RANK" in os.environ


def launch(
    work: Callable[[torch.device, T], int],
    argument: T,
    devices: Devices,
    rendezvous: Rendezvous | None = None,
) -> int:
    """Run ``work(device, argument)`` once for each device and return its exit code.

    With one device on one machine it runs right here; started by ``torchrun`` or ``srun`` it joins
    the group; else torch's elastic launcher starts the processes and ends all of them when one
    fails.
    """
    rendezvous = rendezvous or Rendezvous()
    if launched_externally():
        return _join(work, argument, devices, rendezvous.timeout)
    if len(devices) == 1 and rendezvous.machines == 1:
        return work(_current(devices.device(0)), argument)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads_per_process(len(devices))))
    os.environ[RUN_ID] = uuid.uuid4().hex
    # Its tracebacks are those of its own frames; what failed is said by the process and below.
    for name in ("torch.distributed.elastic", "torch.multiprocessing"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=rendezvous.machines,
        max_nodes=rendezvous.machines,
        nproc_per_node=len(devices),
        rdzv_backend="c10d" if rendezvous.machines == 1 else "static",
        rdzv_endpoint=rendezvous.url,
        rdzv_configs={"rank": rendezvous.machine_rank, "timeout": 900},
        run_id="otadet",
        max_restarts=rendezvous.max_restarts,
        # SIGTERM and SIGINT are passed on below; the launcher would kill after 30 s, while each
        # process waits for it to take the return value.
        signals_to_handle="SIGHUP,SIGQUIT",
    )
    with (
        endings.gathered() as folder, _forward_signals(folder) as heard,
        _start_with_signals_blocked(),
    ):  # fmt: skip
        try:
            codes = elastic_launch(config, _join)(work, argument, devices, rendezvous.timeout)
        except ChildFailedError as error:
            return _failed(error, heard, endings.read(folder))
    return max(int(code) for code in codes.values())


def _failed(error: ChildFailedError, heard: list[int], known: dict[int, Ending]) -> int:
    """Log the first cause; returns the exit code."""
    rank, failure = error.get_first_failure()
    code = int(failure.exitcode)
    cause = endings.first_cause(known)
    by_signal = any(code in (-number, 128 + number) for number in heard)
    only_lost = rank in known and known[rank].lost
    # Before the first step, or asked twice; a failure after the signal is another matter.
    if heard and (by_signal or only_lost) and (cause is None or cause.lost):
        logger.warning(signals.stop_line(heard[0]))
        return 128 + heard[0]
    if cause is not None and (rank in known or not cause.lost):
        logger.error("{}", cause.line)
        return cause.code
    if code < 0:
        logger.error(
            "the process of rank {} was killed by {}; --resume continues from the last checkpoint",
            rank, signals.name(-code),
        )  # fmt: skip
        return 1
    logger.error("the process of rank {} ended with exit code {}", rank, code)
    return max(1, code)


@contextmanager
def _start_with_signals_blocked() -> Iterator[None]:
    """Let the processes start with SIGINT and SIGTERM blocked.

    Importing torch takes seconds, in which they would end with a traceback. They receive what came
    meanwhile once they are ready; this process receives signals all the time, in a thread that does
    not block them.
    """
    over = threading.Event()
    ear = threading.Thread(target=over.wait, name="signals", daemon=True)
    ear.start()
    resource_tracker.ensure_running()
    try:
        with signals.blocked():
            yield
    finally:
        over.set()
        ear.join()


@contextmanager
def _forward_signals(folder: Path) -> Iterator[list[int]]:
    """Pass SIGTERM and SIGINT on to the processes; yields the signals that came.

    The processes end together after their step, however long that takes; those that are restarted
    find the signal in ``folder``.
    """
    heard: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        endings.leave_stop_signal(folder, number)
        children = multiprocessing.active_children()
        if not children:  # none yet: there is nothing to save
            raise KeyboardInterrupt(number)
        for child in children:
            if child.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, number)

    before = {n: signal.signal(n, pass_on) for n in signals.STOPPING}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
