"""Every method of assignment under one small network and one recipe: what each learns.

    python benchmarks/methods.py --data ../shared/data --weights yolox_nano
    python benchmarks/methods.py --data DIR --weights FILE --methods ota atss --sets crowd
    python benchmarks/methods.py --data DIR --weights FILE --missing --sets bccd --seeds 0 1 2

Each row is a real run of ``tools/train.py`` with ``benchmarks/small_fcos.py`` on one core. ``bccd``
are blood cells and 400 steps, ``crowd`` is the set of ``benchmarks/crowd_set.py`` and 200 steps,
since an image there holds three times as many objects. Prints a table and
writes ``benchmarks/results/methods_cpu.json``; rows that were measured before and are not asked
for now keep their place.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import torch
from crowd_set import write_set
from measure import RESULTS, Row, environment, show, spread, write_results

from otadet.exp.methods import METHODS

ROOT = Path(__file__).parents[1]
FILE = RESULTS / "methods_cpu.json"
CROWD = [
    "data_format=odgt", "train_ann=annotation_train.odgt", "val_ann=annotation_val.odgt",
    "train_images=Images", "val_images=Images", "nms_threshold=0.6", "max_detections=300",
]  # fmt: skip
SETS = {"bccd": ["max_iters=400"], "crowd": [*CROWD, "max_iters=200"]}
"""Settings by name of the data set."""
VARIANTS = ("retinanet anchor_scale=3", "atss anchor_scale=3")
"""Methods with a setting: anchors of 24 px and more, where objects are of 14 to 56."""
NUMBERS = ("AP", "AP50", "AP75")


def trained(experiment: str, weights: str, words: list[str], threads: int = 1) -> Row:
    """One run from the weights: its last evaluation's numbers, its settings and its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, str(ROOT / "tools/train.py"), "-f", str(ROOT / experiment), "-d", "cpu",
            "-c", weights, "-o", folder, *words,
        ]  # fmt: skip
        start = time.perf_counter()
        with (Path(folder) / "output.txt").open("w", encoding="utf-8") as output:
            done = subprocess.run(
                command, env={**os.environ, "OMP_NUM_THREADS": str(threads)}, cwd=ROOT,
                stdout=output, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
        if done.returncode:
            text = (Path(folder) / "output.txt").read_text(encoding="utf-8")
            sys.exit(f"{' '.join(command)}\n{text[-3000:]}")
        lines = (Path(folder) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        values = [line for line in map(json.loads, lines) if line["kind"] == "val"][-1]
    numbers = {k: round(v, 4) for k, v in values.items() if isinstance(v, float)}
    return {
        **numbers,
        "run_seconds": round(time.perf_counter() - start),
        "settings": " ".join(w for w in words if not w.startswith("data_dir")),
        "date": environment("cpu")["date"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with bccd/")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    choices = [*METHODS, *VARIANTS]
    parser.add_argument("--methods", nargs="+", choices=choices, default=list(METHODS))
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--missing", action="store_true", help="only rows not measured so far")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if Path(args.weights).is_file():
        args.weights = str(Path(args.weights).resolve())
    found: dict[tuple[str, str, int], Row] = {}
    if FILE.is_file():
        rows = json.loads(FILE.read_text(encoding="utf-8"))["tables"]["runs"]
        found = {(row["set"], row["method"], row["seed"]): row for row in rows}
    with tempfile.TemporaryDirectory() as folder:
        if "crowd" in args.sets:
            write_set(Path(folder), train=400, val=150)
        places = {"bccd": args.data.resolve() / "bccd", "crowd": Path(folder)}
        for name, seed, method in product(args.sets, args.seeds, args.methods):
            if args.missing and (name, method, seed) in found:
                continue
            words = [
                *f"method={method}".split(),
                f"data_dir={places[name]}",
                f"seed={seed}",
                *SETS[name],
            ]
            row = trained("benchmarks/small_fcos.py", args.weights, words)
            found[name, method, seed] = {"set": name, "method": method, "seed": seed, **row}
            rows = [found[key] for key in sorted(found)]
            write_results(FILE, environment("cpu"), {"runs": rows})
            print(f"{name} {method} {seed}: AP {row['AP']}, AP50 {row['AP50']}", flush=True)
    for name in SETS:
        show(name, pooled([row for key, row in found.items() if key[0] == name]))


def pooled(rows: list[Row]) -> list[Row]:
    """A row a method, best first: mean and standard deviation over its seeds."""
    by_method: dict[str, list[Row]] = {}
    for row in rows:
        by_method.setdefault(str(row["method"]), []).append(row)
    lines: list[tuple[float, Row]] = []
    for method, runs in by_method.items():
        values = {key: [float(run[key]) for run in runs] for key in NUMBERS}
        line: Row = {"method": method, "seeds": len(runs)}
        line.update({key: spread(each) for key, each in values.items()})
        lines.append((-statistics.fmean(values["AP"]), line))
    return [line for _, line in sorted(lines, key=lambda each: each[0])]


if __name__ == "__main__":
    main()
