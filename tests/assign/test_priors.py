"""Candidates of the centre priors."""

from dataclasses import replace

import torch

from otadet.assign import CenterBox
from otadet.assign.flat_batch import flatten
from tests.assign.scenes import scene


def test_small_boxes_are_raised_before_they_are_clipped_to() -> None:
    preds, targets = scene((2,), seed=0)
    boxes = torch.tensor([[18.0, 18.0, 22.0, 22.0], [10.0, 10.0, 40.0, 34.0]])
    batch = flatten(preds, [replace(targets[0], boxes=boxes)])
    found = CenterBox(2.5, least=16)
    raised = torch.tensor([[12.0, 12.0, 28.0, 28.0], [10.0, 10.0, 40.0, 34.0]])
    wanted = CenterBox(2.5).scan(replace(batch, gt_boxes=raised))
    assert torch.equal(found.scan(batch), wanted)
    before = CenterBox(2.5).scan(batch)
    assert wanted[0].sum() > before[0].sum() and torch.equal(wanted[1], before[1])
    for row, at, kept in zip(wanted, *found.select(batch)):
        assert set(at[kept].tolist()) == set(row.nonzero()[:, 0].tolist())
