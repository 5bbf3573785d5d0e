"""What test-time augmentation is worth, and what it costs beside a plain pass.

    python benchmarks/tta.py --weights yolox_nano.pth -n yolox_nano --data COCO256
    python benchmarks/tta.py --weights runs/ota_fcos_r18/best.pth --data BCCD --rows none flip

Every row is an evaluation of all images of ``annotations/val.json``. Times are the CPU's,
on one thread, of everything but reading the annotations and preparing the metrics' ground truth.
Prints a table and writes ``benchmarks/results/tta_cpu.json``; rows of other networks, and those
not asked for, keep their place in the file.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from measure import RESULTS, Row, environment, show, write_results

from otadet.engine.evaluate import evaluate
from otadet.engine.precision import Precision
from otadet.engine.predictor import Predictor
from otadet.engine.weights import open_weights
from otadet.exp import load_class, load_named
from otadet.tta import ATSS_SCALES

FILE = RESULTS / "tta_cpu.json"

ROWS: dict[str, dict[str, object]] = {
    "none": {},
    "flip": {"tta": "flip"},
    "three": {"tta": "atss", "tta_scales": ("640:-", "800", "1000")},
    "atss": {"tta": "atss"},
    "atss_no_ranges": {
        "tta": "atss",
        "tta_scales": (*(f"{scale.short}:-" for scale in ATSS_SCALES[:-1]), "800"),
    },
}  # fmt: skip
"""Settings by name of the row."""


def measured(name: str, args: argparse.Namespace) -> Row:
    """One evaluation of the network."""
    named = load_class(None, args.name) if args.name else None
    checkpoint = open_weights(args.weights, named)
    cls = load_named(checkpoint.experiment, f"checkpoint {args.weights}", checkpoint.path.parent)
    data = {
        "data_dir": str(args.data), "val_ann": "annotations/val.json", "val_images": "images",
        "workers": 0,
    }  # fmt: skip
    exp = cls(checkpoint.settings, **{**data, **ROWS[name]})
    device = torch.device("cpu")
    predictor = Predictor.from_checkpoint(
        checkpoint, exp, device, Precision("fp32", "cpu"), fused=True
    )
    dataset = exp.build_val_data(checkpoint.class_names)
    augmentation = exp.build_augmentation()
    start = time.process_time()
    found = evaluate(
        predictor.model, dataset, exp, device, predictor.precision, 8, augmentation=augmentation
    )
    seconds = time.process_time() - start
    metrics = {k: round(found.metrics[k], 4) for k in ("AP", "AP50", "AP75", "APs", "APm", "APl")}
    return {
        "network": checkpoint.experiment,
        "data": args.data.name,
        "size": "x".join(map(str, exp.test_size)),
        "row": name,
        "passes": len(augmentation.views) if augmentation else 1,
        **metrics,
        "ms_image": round(1e3 * seconds / len(dataset), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="checkpoint or published weights")
    parser.add_argument("-n", "--name", help="experiment, for weights that name none")
    parser.add_argument("--data", required=True, type=Path, help="images/, annotations/val.json")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW",
                        help=", ".join(ROWS))  # fmt: skip
    args = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[tuple[str, str, str], Row] = {}
    if FILE.is_file():
        old = json.loads(FILE.read_text(encoding="utf-8"))["tables"]["evaluations"]
        found = {(r["network"], r["data"], r["row"]): r for r in old}
    for name in args.rows:
        row = measured(name, args)
        found[row["network"], row["data"], name] = row
        plain = found.get((row["network"], row["data"], "none"))
        row["times_plain"] = round(row["ms_image"] / plain["ms_image"], 1) if plain else None
        write_results(FILE, environment("cpu"), {"evaluations": list(found.values())})
    show("test-time augmentation", list(found.values()))


if __name__ == "__main__":
    main()
