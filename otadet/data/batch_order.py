"""Order of batches: a pure function of seed and step, so that resume is exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from otadet.rng import generator

Ints = npt.NDArray[np.int64]


class Request(NamedTuple):
    """One image of one batch.

    Attributes:
        step: the training step, or the number of the batch in an evaluation.
        slot: the place in the batch of all processes together. Step and slot seed the image's
            augmentation, so it depends on neither the number of workers nor of processes.
        image: index of the image.
    """

    step: int
    slot: int
    image: int


class Order(Protocol):
    """Sequence of batches; endless for training, every image once for evaluation."""

    def batches(self, start_step: int = 0) -> Iterator[list[Request]]:
        """Yield this process's batches from ``start_step`` on."""
        ...


@dataclass(frozen=True, eq=False)
class BatchOrder:
    """Endless order of training batches.

    An epoch is a shuffle of all images in ``steps_per_epoch`` batches. Each image comes at least
    once; where a batch would be short, it is filled up with images of the same epoch. The images of
    a step depend on the global batch size, not on the number of processes that share it.

    Attributes:
        sizes: ``[N, 2]`` height and width of the images.
        batch_size: images a process and step.
        seed: of the order.
        rank: this process.
        world_size: number of processes; every one has the same number of steps.
        group_by_aspect: keep images that are wider than high apart from the others, in all but
            one or two batches of an epoch. Saves padding with :func:`resize_shortest`.

    Raises:
        ValueError: there are no images, or a number is out of range.
    """

    sizes: Ints
    batch_size: int
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    group_by_aspect: bool = False

    def __post_init__(self) -> None:
        _check_shard(len(self.sizes), self.batch_size, self.rank, self.world_size)

    @property
    def global_batch(self) -> int:
        """Number of images of all processes in a step."""
        return self.batch_size * self.world_size

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps in which every image comes at least once."""
        return len(self._epoch(0))

    def indices(self, step: int) -> Ints:
        """Return the images ``[batch_size]`` of this process at a step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        return self._mine(self._epoch(epoch)[place])

    def batches(self, start_step: int = 0) -> Iterator[list[Request]]:
        """Yield this process's batches from ``start_step`` on, endlessly."""
        per_epoch = self.steps_per_epoch
        first = self.rank * self.batch_size
        step = start_step
        while True:
            epoch = self._epoch(step // per_epoch)
            for batch in epoch[step % per_epoch :]:
                mine = self._mine(batch).tolist()
                yield [Request(step, first + slot, image) for slot, image in enumerate(mine)]
                step += 1

    def _mine(self, batch: Ints) -> Ints:
        return batch[self.rank * self.batch_size : (self.rank + 1) * self.batch_size]

    def _epoch(self, epoch: int) -> Ints:
        """``[steps_per_epoch, global_batch]`` images of one epoch."""
        rng = generator(self.seed, epoch)
        order = rng.permutation(len(self.sizes))
        if not self.group_by_aspect:
            return _filled(order, order, self.global_batch)
        wide = self.sizes[order, 1] > self.sizes[order, 0]
        full: list[Ints] = []
        rest: list[Ints] = []
        for group in (order[wide], order[~wide]):
            whole = len(group) // self.global_batch * self.global_batch
            full.append(group[:whole].reshape(-1, self.global_batch))
            rest.append(group[whole:])
        batches = np.concatenate([*full, _filled(np.concatenate(rest), order, self.global_batch)])
        return batches[rng.permutation(len(batches))]


@dataclass(frozen=True)
class EvalOrder:
    """Order of an evaluation, every image exactly once.

    Processes get contiguous shards of almost equal length; the last batch is short.

    Attributes:
        num_images: images of all processes.
        batch_size: images a batch.
        rank: this process.
        world_size: number of processes; with fewer images than processes some have none.
    """

    num_images: int
    batch_size: int
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        _check_shard(self.num_images, self.batch_size, self.rank, self.world_size)

    @property
    def shard(self) -> range:
        """Images of this process."""
        return range(
            self.num_images * self.rank // self.world_size,
            self.num_images * (self.rank + 1) // self.world_size,
        )

    def __len__(self) -> int:
        return -(-len(self.shard) // self.batch_size)

    def batches(self, start_step: int = 0) -> Iterator[list[Request]]:
        """Yield this process's batches from number ``start_step`` on."""
        for step in range(start_step, len(self)):
            mine = self.shard[step * self.batch_size : (step + 1) * self.batch_size]
            yield [Request(step, slot, image) for slot, image in enumerate(mine)]


@dataclass(frozen=True)
class Repeated:
    """Order of an evaluation in which every batch comes several times (test-time augmentation).

    Attributes:
        order: the batches.
        times: how often each comes; step ``s`` is the batch ``s // times``.
    """

    order: EvalOrder
    times: int

    def __len__(self) -> int:
        return len(self.order) * self.times

    def batches(self, start_step: int = 0) -> Iterator[list[Request]]:
        """Yield this process's batches from number ``start_step`` on."""
        for step in range(start_step, len(self)):
            (batch,) = islice(self.order.batches(step // self.times), 1)
            yield [request._replace(step=step) for request in batch]


def _filled(images: Ints, more: Ints, batch: int) -> Ints:
    """``images`` in batches, the last one filled up from ``more``, again and again if need be."""
    short = -len(images) % batch
    return np.concatenate([images, np.resize(more, short)]).reshape(-1, batch)


def _check_shard(images: int, batch_size: int, rank: int, world_size: int) -> None:
    if images < 1:
        raise ValueError("expected at least one image, got none")
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    if not 0 <= rank < world_size:
        raise ValueError(f"rank: expected 0 <= rank < world_size = {world_size}, got {rank}")
