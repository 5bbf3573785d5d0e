"""Which objects get points from which assigner, on the predictions of one trained network.

    python benchmarks/served.py -c runs/studies/nano_unserved/runs/RUN/seed_0/last.pth

A run of ``studies.py --studies nano_unserved`` and its validation images, whose objects hide each
other. Prints a table and writes ``benchmarks/results/served_cpu.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from exchanges import NANO
from measure import RESULTS, Row, environment, refusing, show, write_results

from otadet.assign import Assigner
from otadet.assign.flat_batch import flatten
from otadet.data import collate
from otadet.engine.checkpoint import load_checkpoint, load_weights
from otadet.exp import load_exp
from otadet.rng import generator
from otadet.types import Predictions, Target

SHOWN = ("simota", "simota_q5", "simota_q5_repaired", "ota_q5", "ota_wide_q5",
         "free", "free_unbalanced", "free_partial", "free_partial_own")  # fmt: skip
POOR = 0.3
"""IoU with its object below which a positive's prediction fits poorly."""
WHOLE = 0.99
"""Share of a point from which an object has it whole."""


def served(name: str, assigner: Assigner, preds: Predictions, targets: list[Target]) -> Row:
    """Positives of an assigner, and objects without one."""
    found = assigner(preds, targets)
    positive = found.gt_index >= 0
    objects = sum(map(len, targets))
    bare = sum(
        len(target) - len(index[index >= 0].unique())
        for target, index in zip(targets, found.gt_index)
    )
    iou = found.iou[positive]
    return {
        "assigner": name, "objects": objects, "without a point": bare,
        "positives an object": round(positive.sum().item() / objects, 3),
        "mean IoU": round(iou.mean().item(), 3),
        f"IoU below {POOR}": round((iou < POOR).float().mean().item(), 3),
        "whole": share_of_whole(assigner, preds, targets),
    }  # fmt: skip


def share_of_whole(assigner: Assigner, preds: Predictions, targets: list[Target]) -> float | None:
    """Share of the positives that the plan gives their object whole, ``None`` for rules.

    The others could count less: soft labels by the plan.
    """
    _, result = assigner.solve(flatten(preds, targets))
    if result.plan is None:
        return None
    share = result.plan.flatten()[result.winner[result.winner >= 0]]
    return round((share >= WHOLE).float().mean().item(), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-c", "--checkpoint", type=Path, required=True)
    parser.add_argument("--images", type=int, default=32)
    args = parser.parse_args()
    checkpoint = load_checkpoint(args.checkpoint)
    settings = {k: v for k, v in checkpoint.settings.items() if v is not None}
    exp = load_exp(str(Path(__file__).with_name("exchange_nano.py")), overrides=settings)
    model = exp.build_model(len(checkpoint.class_names)).eval()
    load_weights(model, checkpoint)
    data, transform = exp.build_val_data(), exp.build_val_transform()
    batch = collate([transform(data.load(i), generator(0)) for i in range(args.images)])
    with torch.no_grad():
        preds = model(batch.images)
    rows = [served(name, NANO[name], preds, list(batch.targets)) for name in SHOWN]
    record = {
        **environment("cpu"),
        "images": args.images,
        "network": args.checkpoint.resolve().parents[1].name,
    }
    write_results(RESULTS / "served_cpu.json", record, {"assigners": rows})
    show("points that objects get", rows)


if __name__ == "__main__":
    refusing(main)
