"""Data loader: batches from worker processes."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Generator, Iterator, Sized
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from otadet import signals
from otadet.data.base import Dataset
from otadet.data.batch_order import Order, Request
from otadet.data.collate import collate
from otadet.data.sample_builder import SampleSchedule
from otadet.data.transforms import PAD
from otadet.errors import InputError, RunError
from otadet.geometry import Size
from otadet.rng import generator
from otadet.types import Batch, Sample

GRACE = 5.0
"""Seconds that worker processes have to finish what they are loading when the loader ends, or to be
known as dead when a connection to them breaks."""


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
        prefetch_factor=prefetch if workers else None,
        multiprocessing_context=start_method if workers else None,
        generator=torch.Generator().manual_seed(seed),
    )
    return BatchLoader(loader, order, start_step)


class BatchLoader:
    """Iterable of batches; each iteration starts again at the first step, with its own workers.

    An iteration that is not taken to its end is closed by whoever began it
    (:func:`contextlib.closing`): workers are gone afterwards, however it ends. They ignore SIGINT
    and SIGTERM, which reach the whole process group: the main process still wants batches while it
    comes to an end.

    Raises while iterating:
        InputError: of the data set, as the one line it was in the worker.
        RunError: a worker process died; says with which exit code.
    """

    def __init__(self, loader: DataLoader[Any], order: Order, start_step: int) -> None:
        self._loader = loader
        self._order = order
        self._start_step = start_step

    def __len__(self) -> int:
        """Return the number of batches; TypeError for an endless order."""
        if not isinstance(self._order, Sized):
            raise TypeError(f"{type(self._order).__name__} is endless")
        return max(0, len(self._order) - self._start_step)

    def __iter__(self) -> Generator[Batch, None, None]:
        before = set(multiprocessing.active_children())
        batches = self._begin()
        workers = frozenset(multiprocessing.active_children()) - before
        # An iteration that nobody closed: at its exit Python sends SIGTERM, which workers ignore.
        at_exit = Finalize(None, _kill_at_exit, (workers,), exitpriority=0)
        try:
            yield from self._read(batches, workers)
        finally:
            _end(batches, workers)
            at_exit.cancel()

    def _begin(self) -> Iterator[Any]:
        if self._loader.num_workers and multiprocessing.get_start_method() != "fork":
            resource_tracker.ensure_running()
        with signals.blocked():
            return iter(self._loader)

    def _read(self, batches: Iterator[Any], workers: frozenset[BaseProcess]) -> Iterator[Batch]:
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (RuntimeError, OSError, EOFError) as error:
                raise _to_run_error(error, workers) from error
            if isinstance(batch, _Failure):
                raise InputError(batch.message)
            yield batch


def _to_run_error(error: Exception, workers: frozenset[BaseProcess]) -> Exception:
    """Convert to an error that names a dead worker's exit code, where there is one.

    A batch that is ready is fetched from the worker that made it: where that has died, the error is
    one of its socket, and comes a moment before the worker is known to be dead.
    """
    if workers and not isinstance(error, RuntimeError):
        gone = connection.wait([worker.sentinel for worker in workers], timeout=GRACE)
        for worker in workers:
            if worker.sentinel in gone:  # its files are closed, and soon it has an exit code
                worker.join(GRACE)
    for worker in workers:
        if worker.exitcode:
            return RunError(
                f"data worker {worker.pid} died with exit code {worker.exitcode} (a negative "
                "one is the signal's number; -9 is often too little memory, -7 too little "
                "shared memory): try fewer workers, or none to see the error itself"
            )
    return error


def _end(batches: Iterator[Any], workers: frozenset[BaseProcess]) -> None:
    """End the workers in an orderly way, and kill those that take longer than :data:`GRACE`."""
    if not workers:
        return
    timer = threading.Timer(GRACE, _kill, (workers,))
    timer.daemon = True
    timer.start()
    # Torch ends them when the iterator is freed, which the traceback of an error keeps alive.
    with suppress(RuntimeError):  # by torch's handler of SIGCHLD, of a worker that had to be killed
        batches._shutdown_workers()  # type: ignore[attr-defined]
    timer.cancel()
    _kill(workers)
    for worker in workers:
        worker.join()


def _kill(workers: frozenset[BaseProcess]) -> None:
    for worker in workers:
        worker.kill()


def _kill_at_exit(workers: frozenset[BaseProcess]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would complain
    _kill(workers)


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
    """One thread a worker, they are many already; torch's own are limited by its loader."""
    signals.ignore()
    cv2.setNumThreads(0)
