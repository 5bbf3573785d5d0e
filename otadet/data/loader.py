"""Data loader: batches from worker processes."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from otadet.data.base import Dataset
from otadet.data.batch_order import Order, Request
from otadet.data.collate import collate
from otadet.data.sample_builder import SampleSchedule
from otadet.data.transforms import PAD
from otadet.errors import InputError, RunError
from otadet.geometry import Size
from otadet.rng import generator
from otadet.types import Batch, Sample


def build_loader(
    dataset: Dataset,
    schedule: SampleSchedule,
    order: Order,
    *,
    workers: int = 0,
    seed: int = 0,
    start_step: int = 0,
    multiple: int = 32,
    fill: int = PAD,
    size: Size | None = None,
    pin_memory: bool = False,
    prefetch: int = 2,
    start_method: str | None = None,
) -> BatchLoader:
    """Build a loader of batches, which are the same whatever the number of workers.

    Args:
        dataset: where samples come from.
        schedule: the sample builder of each step; it gets a generator made of the seed, the step
            and the sample's place in the batch.
        order: which images form which batch.
        workers: loader processes; 0 loads in this one.
        seed: of the augmentation.
        start_step: the first batch, for a resumed run.
        multiple: the batch's sides are multiples of this, see :func:`~otadet.data.collate`.
        fill: grey value of padding.
        size: fixed height and width of the batch.
        pin_memory: put images into page-locked memory, for a CUDA device.
        prefetch: batches that each worker prepares ahead.
        start_method: ``fork``, ``spawn`` or ``forkserver``; ``None`` is the platform's own.
    """
    source = _Source(dataset, schedule, seed)
    batches = _Batches(order, start_step)
    pack = _Pack(multiple, fill, size)
    # With a generator of its own it draws nothing from torch's global random numbers, which a
    # resumed run would otherwise draw once more than the run it goes on from.
    loader: DataLoader[Any] = DataLoader(
        source,
        batch_sampler=batches,
        collate_fn=pack,
        num_workers=workers,
        pin_memory=pin_memory,
        worker_init_fn=_init_worker,
        persistent_workers=workers > 0,
        prefetch_factor=prefetch if workers else None,
        multiprocessing_context=start_method if workers else None,
        generator=torch.Generator().manual_seed(seed),
    )
    return BatchLoader(loader, order, start_step)


class BatchLoader:
    """Iterable of batches; each iteration starts again at the first step.

    Raises while iterating:
        InputError: of the data set, as the one line it was in the worker.
        RunError: a worker process died; says with which exit code.
    """

    def __init__(self, loader: DataLoader[Any], order: Order, start_step: int) -> None:
        self._loader = loader
        self._order = order
        self._start_step = start_step
        self._workers: set[BaseProcess] = set()

    def __len__(self) -> int:
        """Return the number of batches; TypeError for an endless order."""
        if not isinstance(self._order, Sized):
            raise TypeError(f"{type(self._order).__name__} is endless")
        return max(0, len(self._order) - self._start_step)

    def __iter__(self) -> Iterator[Batch]:
        before = set(multiprocessing.active_children())
        batches = iter(self._loader)
        self._workers |= set(multiprocessing.active_children()) - before
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except RuntimeError as error:
                raise self._to_run_error(error) from error
            if isinstance(batch, _Failure):
                raise InputError(batch.message)
            yield batch

    def _to_run_error(self, error: RuntimeError) -> RuntimeError:
        """Convert to an error that names a dead worker's exit code, where there is one."""
        for worker in self._workers:
            if worker.exitcode:
                return RunError(
                    f"data worker {worker.pid} died with exit code {worker.exitcode} (a negative "
                    "one is the signal's number; -9 is often too little memory, -7 too little "
                    "shared memory): try fewer workers, or none to see the error itself"
                )
        return error


@dataclass(frozen=True)
class _Failure:
    """InputError as a value: torch would wrap an exception of a worker in its traceback."""

    message: str


@dataclass(frozen=True, eq=False)
class _Source(TorchDataset[Any]):
    """Samples by request, in a worker."""

    dataset: Dataset
    schedule: SampleSchedule
    seed: int

    def __getitem__(self, request: Request) -> Sample | _Failure:
        rng = generator(self.seed, request.step, request.slot)
        try:
            return self.schedule(request.step)(self.dataset, request.image, rng)
        except InputError as error:
            return _Failure(str(error))


@dataclass(frozen=True, eq=False)
class _Batches:
    """Batch sampler of torch over an order."""

    order: Order
    start_step: int

    def __iter__(self) -> Iterator[list[Request]]:
        return self.order.batches(self.start_step)


@dataclass(frozen=True)
class _Pack:
    """:func:`collate` with its settings, picklable."""

    multiple: int
    fill: int
    size: Size | None

    def __call__(self, samples: list[Sample | _Failure]) -> Batch | _Failure:
        good: list[Sample] = []
        for sample in samples:
            if isinstance(sample, _Failure):
                return sample
            good.append(sample)
        return collate(good, self.multiple, self.fill, self.size)


def _init_worker(_: int) -> None:
    """Set up a worker: one OpenCV thread (torch's loader limits its own), Ctrl-C ignored.

    Ctrl-C reaches every process of the terminal: the trainer still wants batches while it comes
    to an end, and stops its workers itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the trainer's own handler came with the fork
    cv2.setNumThreads(0)
