"""Start one process a device with torch's elastic launcher, or join those that it started."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as td
from loguru import logger
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from otadet.engine.devices import Devices
from otadet.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Rendezvous:
    """How several machines find each other.

    Attributes:
        machines: how many there are.
        machine_rank: index of this one.
        url: ``host:port`` of the first machine; chosen freely on a single one.
    """

    machines: int = 1
    machine_rank: int = 0
    url: str = "localhost:0"


def _join(work: Callable[[torch.device, T], int], argument: T, devices: Devices) -> int:
    """What each process runs: join the group, do the work, leave."""
    local = int(os.environ["LOCAL_RANK"])
    if local >= len(devices):
        raise InputError(
            f"this is process {local} of the machine, but -d names {len(devices)} devices; "
            f"start as many processes as devices"
        )
    device = _current(devices.device(local))
    backend = "nccl" if device.type == "cuda" else "gloo"
    td.init_process_group(backend, timeout=timedelta(minutes=10))
    try:
        return work(device, argument)
    except InputError as error:
        logger.error("rank {}: {}", td.get_rank(), error)
        sys.exit(2)
    except FloatingPointError as error:
        logger.error("rank {}: {}", td.get_rank(), error)
        sys.exit(1)
    except Exception:
        logger.error("rank {}:\n{}", td.get_rank(), traceback.format_exc())
        raise
    finally:
        td.destroy_process_group()


def _current(device: torch.device) -> torch.device:
    """The device, made the one that CUDA means where nothing is said."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def joined() -> bool:
    """Whether ``torchrun`` or another launcher started this very process."""
    return "RANK" in os.environ and "LOCAL_RANK" in os.environ


def launch(
    work: Callable[[torch.device, T], int],
    argument: T,
    devices: Devices,
    rendezvous: Rendezvous | None = None,
) -> int:
    """Run ``work(device, argument)`` once for each device and return its exit code.

    With one device on one machine it runs right here; started by ``torchrun`` it joins the group;
    else torch's elastic launcher starts the processes and ends all of them when one fails.
    """
    rendezvous = rendezvous or Rendezvous()
    if joined():
        return _join(work, argument, devices)
    if len(devices) == 1 and rendezvous.machines == 1:
        return work(_current(devices.device(0)), argument)
    threads = max(1, (os.cpu_count() or 1) // len(devices))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    config = LaunchConfig(
        min_nodes=rendezvous.machines,
        max_nodes=rendezvous.machines,
        nproc_per_node=len(devices),
        rdzv_backend="c10d" if rendezvous.machines == 1 else "static",
        rdzv_endpoint=rendezvous.url,
        rdzv_configs={"rank": rendezvous.machine_rank, "timeout": 900},
        run_id="otadet",
        max_restarts=0,
    )
    try:
        codes = elastic_launch(config, _join)(work, argument, devices)
    except SignalException as error:
        logger.warning("stopped by {}", error.sigval.name)
        return 128 + int(error.sigval)
    except ChildFailedError as error:
        failed_rank, failure = error.get_first_failure()
        logger.error(
            "the process of rank {} ended with exit code {}", failed_rank, failure.exitcode
        )
        return max(1, int(failure.exitcode))
    return max(int(code) for code in codes.values())
