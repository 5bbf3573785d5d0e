"""The order of batches is a function of seed and step."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otadet.data import BatchOrder, EvalOrder

counts = st.integers(1, 60)


def sizes_of(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(50, 100, (count, 2))


def epoch_of(orders: list[BatchOrder], epoch: int) -> np.ndarray:
    """``[steps, global batch]`` images, all processes side by side."""
    steps = orders[0].steps_per_epoch
    return np.array(
        [np.concatenate([o.indices(epoch * steps + s) for o in orders]) for s in range(steps)]
    )


def shards(sizes: np.ndarray, batch: int, world: int, grouped: bool, seed: int = 0) -> list:
    return [BatchOrder(sizes, batch, seed, rank, world, grouped) for rank in range(world)]


@settings(max_examples=60, deadline=None)
@given(counts, st.integers(1, 5), st.integers(1, 4), st.booleans(), st.integers(0, 3))
def test_every_image_in_every_epoch(
    count: int, batch: int, world: int, grouped: bool, epoch: int
) -> None:
    orders = shards(sizes_of(count), batch, world, grouped)
    images = epoch_of(orders, epoch)
    assert set(images.ravel()) == set(range(count))
    assert len(images) == -(-count // (batch * world)) or grouped
    # At most what fills up the last batch comes again.
    assert images.size - count < batch * world
    assert {o.steps_per_epoch for o in orders} == {len(images)}


@settings(max_examples=30, deadline=None)
@given(counts, st.sampled_from([2, 4, 6]), st.booleans())
def test_same_global_batches_for_any_number_of_processes(
    count: int, batch: int, grouped: bool
) -> None:
    sizes = sizes_of(count)
    alone = epoch_of(shards(sizes, batch, 1, grouped), 1)
    two = epoch_of(shards(sizes, batch // 2, 2, grouped), 1)
    assert np.array_equal(alone, two)


def test_resume_at_any_step() -> None:
    order = BatchOrder(sizes_of(23), 4, seed=9, group_by_aspect=True)
    whole = list(islice(order.batches(), 40))
    for start in range(0, 30, 7):
        assert list(islice(order.batches(start), 10)) == whole[start : start + 10]
    for step, batch in enumerate(whole):
        assert [r.image for r in batch] == order.indices(step).tolist()
        assert [(r.step, r.slot) for r in batch] == [(step, slot) for slot in range(4)]
    second = BatchOrder(sizes_of(23), 2, 9, 1, 2, True)
    assert [r.slot for r in next(second.batches())] == [2, 3]
    assert [r.image for r in next(second.batches())] == [r.image for r in whole[0][2:]]


def test_epochs_and_seeds_are_shuffled_differently() -> None:
    order = BatchOrder(sizes_of(50), 5, seed=1)
    first, second = (epoch_of([order], epoch).ravel().tolist() for epoch in (0, 1))
    other = epoch_of([BatchOrder(sizes_of(50), 5, seed=2)], 0).ravel().tolist()
    assert sorted(first) == sorted(second) == sorted(other) == list(range(50))
    assert first != second
    assert first != other
    assert first != list(range(50))


@settings(max_examples=40, deadline=None)
@given(counts, st.integers(2, 5), st.integers(0, 5))
def test_aspects_are_mixed_in_the_last_batches_only(count: int, batch: int, seed: int) -> None:
    sizes = sizes_of(count, seed)
    wide = sizes[:, 1] > sizes[:, 0]
    mixed = sum(len(set(wide[row])) > 1 for row in epoch_of(shards(sizes, batch, 1, True), seed))
    assert mixed <= 2
    if wide.sum() % batch == 0 and (~wide).sum() % batch == 0:
        assert mixed == 0


@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 9))
def test_evaluation_sees_every_image_once(count: int, batch: int, world: int) -> None:
    orders = [EvalOrder(count, batch, rank, world) for rank in range(world)]
    batches = [list(order.batches()) for order in orders]
    assert [r.image for mine in batches for b in mine for r in b] == list(range(count))
    assert [len(order) for order in orders] == [len(mine) for mine in batches]
    lengths = [len(order.shard) for order in orders]
    assert max(lengths) - min(lengths) <= 1
    assert all(1 <= len(b) <= batch for mine in batches for b in mine)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"rank": 2, "world_size": 2}, "rank"),
        ({"rank": -1}, "rank"),
    ],
)
def test_wrong_numbers(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BatchOrder(sizes_of(5), **{"batch_size": 2, **settings})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        EvalOrder(5, **{"batch_size": 2, **settings})
    with pytest.raises(ValueError, match="at least one image"):
        BatchOrder(sizes_of(0), 2)
