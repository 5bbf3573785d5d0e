"""Candidates, k and positives by the size of objects while a network learns, for several forms.

    python benchmarks/k_by_size.py --data ../shared/data --weights yolox_nano

Trains the network of ``small_fcos.py`` on ``nuclei`` with OTA for 400 steps and asks every form at
the start and after each epoch what it gives to the objects of 48 validation images: the same
predictions for all. Writes ``benchmarks/results/k_by_size_cpu.json``, which
``docs/k_by_size_figure.py`` draws.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import torch
from measure import RESULTS, Row, environment, show, write_results

from otadet.assign import OTA, Assigner, DynamicK, SimOTA
from otadet.boxes import area
from otadet.data import collate
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.init_weights import init_weights
from otadet.engine.weights import find_file
from otadet.exp import BaseExp, load_class
from otadet.models import Detector
from otadet.rng import generator

ROOT = Path(__file__).parents[1]
FILE = RESULTS / "k_by_size_cpu.json"
FORMS: dict[str, Assigner] = {
    "ota": OTA(),
    "ota, q = 5": OTA(supply=DynamicK(5)),
    "ota_image_k": OTA(supply=DynamicK(10, over="image")),
    "ota_paper": OTA.paper(),
    "simota": SimOTA(),
}
EDGES = (0, 8, 16, 32, 64, float("inf"))
"""Limits of the sizes, the root of an object's area in pixels of the input."""
IMAGES = 48
EPOCHS = 100
"""More than there are."""


@torch.no_grad()
def ask(exp: BaseExp, model: Detector, step: int) -> list[Row]:
    """What each form gives to the objects of the validation images, a row a form and size."""
    data, transform = exp.build_val_data(), exp.build_val_transform()
    count = min(IMAGES, len(data))
    batches = [
        collate(
            [transform(data.load(i), generator(0)) for i in range(first, min(first + 8, count))]
        )
        for first in range(0, count, 8)
    ]
    outputs = [(model.eval()(batch.images), batch.targets) for batch in batches]
    sizes = torch.cat([area(t.boxes).sqrt() for _, targets in outputs for t in targets])
    group = torch.bucketize(sizes, torch.tensor(EDGES[1:-1]), right=True)
    rows: list[Row] = []
    for name, form in FORMS.items():
        reports = [form.explain(preds, targets) for preds, targets in outputs]
        table = torch.stack([
            torch.cat([each.float() for r in reports for each in getattr(r, key)])
            for key in ("candidates", "requested", "positives")
        ])  # fmt: skip
        for index, (low, high) in enumerate(pairwise(EDGES)):
            mine = group == index
            if mine.any():
                candidates, k, positives = table[:, mine].mean(dim=1).tolist()
                rows.append({
                    "step": step, "form": name, "from px": low, "to px": min(high, 1e9),
                    "objects": int(mine.sum()), "candidates": round(candidates, 2),
                    "k": round(k, 2), "positives": round(positives, 2),
                })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with nuclei/")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    args = parser.parse_args()
    torch.set_num_threads(1)
    words = ["method=ota", f"data_dir={(args.data / 'nuclei').resolve()}", "max_detections=400"]
    file = ROOT / "benchmarks/small_fcos.py"
    cls = load_class(str(file))
    exp = cls(**cls.parse(words))
    data = exp.build_train_data()
    torch.manual_seed(0)
    model = exp.build_model(len(data.class_names))
    init_weights(model, exp, data, torch.device("cpu"), weights=find_file(args.weights))
    rows = ask(exp, model, 0)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        subprocess.run(
            [sys.executable, str(ROOT / "tools/train.py"), "-f", str(file), "-d", "cpu", *words,
             "-c", args.weights, "-o", str(run), "--keep-checkpoints", str(EPOCHS)],
            check=True,
        )  # fmt: skip
        kept = [load_checkpoint(path) for path in (run / "epochs").glob("*.pth")]
    for checkpoint in sorted(kept, key=lambda each: each.step):
        model.load_state_dict(checkpoint.weights)
        rows += ask(exp, model, checkpoint.step)
    write_results(FILE, environment("cpu"), {"rows": rows})
    show("objects by size", rows)


if __name__ == "__main__":
    main()
