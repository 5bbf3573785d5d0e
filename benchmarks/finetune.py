"""What fine-tuning a published nano reaches in minutes on a CPU, and why.

    python benchmarks/finetune.py --data ../shared/data --weights yolox_nano
    python benchmarks/finetune.py --data DIR --weights FILE --rows bccd bccd_simota

Each row is a real run of ``tools/train.py``, one after the other, on one core unless ``--threads``
says otherwise. Rows that leave something out
have the same number of steps and the same seed as the row they are compared with. Prints a
table and writes ``benchmarks/results/finetune_cpu.json``; rows that were measured before and are
not asked for now keep their place in the file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from measure import RESULTS, Row, environment, show, write_results

ROOT = Path(__file__).parents[1]
FILE = RESULTS / "finetune_cpu.json"

BCCD = ["input_size=256,320", "test_size=256,320", "max_epochs=24"]
NUCLEI = [
    "input_size=320,320", "test_size=320,320", "max_epochs=12", "max_detections=400",
]  # fmt: skip
PUBLISHED = [*BCCD, "assigner=simota", "objectness=one"]
"""As YOLOX has it; what each choice is worth was measured with that."""
SGD = ["optimizer=sgd", "lr=0.01", "lr_batch=64", "weight_decay=0.0005"]

ROWS: dict[str, tuple[str, list[str]]] = {
    "bccd": ("bccd", BCCD),
    "bccd_simota": ("bccd", PUBLISHED),
    "bccd_ota": ("bccd", [*BCCD, "assigner=ota", "objectness=one"]),
    "nuclei": ("nuclei", NUCLEI),
    "nuclei_simota": ("nuclei", [*NUCLEI, "assigner=simota", "objectness=one"]),
    "nuclei_ota": ("nuclei", [*NUCLEI, "assigner=ota", "objectness=one"]),
    "bccd_sgd": ("bccd", [*PUBLISHED, *SGD]),
    "bccd_no_mosaic": ("bccd", [*PUBLISHED, "mosaic=0"]),
    "bccd_mosaic_1": ("bccd", [*PUBLISHED, "mosaic=1"]),
    "bccd_square": (
        "bccd",
        [*PUBLISHED, "input_size=320,320", "test_size=320,320", "max_epochs=19"],
    ),
    "bccd_no_average": ("bccd", [*PUBLISHED, "ema_decay=0"]),
    "bccd_last_phase": ("bccd", [*PUBLISHED, "last_epochs=5"]),
    "nuclei_100": ("nuclei", [*NUCLEI, "assigner=simota", "objectness=one", "max_detections=100"]),
}
"""Data set and settings by name of the row."""


def measured(name: str, args: argparse.Namespace) -> Row:
    """One run from the weights, and what it found."""
    data, words = ROWS[name]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(args.keep) / name if args.keep else Path(folder)
        command = [
            sys.executable, str(ROOT / "tools/train.py"), "-n", "finetune_nano", "-d", "cpu",
            "-c", args.weights, "-o", str(output), f"data_dir={Path(args.data) / data}", *words,
            *args.overrides,
        ]  # fmt: skip
        start = time.perf_counter()
        variables = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
        if args.threads == 1:
            core = str(min(os.sched_getaffinity(0)))
            command = ["taskset", "--cpu-list", core, *command, "workers=0"]
        done = subprocess.run(command, check=False, env=variables, cwd=ROOT)
        if done.returncode:
            sys.exit(done.returncode)  # it has said why
        seconds = time.perf_counter() - start
        lines = [
            json.loads(line)
            for line in (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        ]
    steps = [line for line in lines if line["kind"] == "train"]
    values = [line for line in lines if line["kind"] == "val"]
    best = max(values, key=lambda line: float(line["AP"]))
    return {
        "row": name,
        "AP": round(best["AP"], 4),
        "AP50": round(best["AP50"], 4),
        "AP_last": round(values[-1]["AP"], 4),
        "epochs": next(w for w in reversed(words) if w.startswith("max_epochs")).split("=")[1],
        "seconds": round(seconds),
        "images_s": round(sum(s["images_per_second"] for s in steps) / len(steps), 1),
        "settings": " ".join(words),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with bccd/ and nuclei/")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW",
                        help=", ".join(ROWS))  # fmt: skip
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="1 (default) keeps a run on one core, loading included",
    )
    parser.add_argument("--keep", metavar="DIR", help="keep the runs' folders here")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings for all rows")
    args = parser.parse_intermixed_args()
    args.data = str(Path(args.data).resolve())
    if Path(args.weights).is_file():
        args.weights = str(Path(args.weights).resolve())
    torch.set_num_threads(args.threads)
    found: dict[str, Row] = {}
    if FILE.is_file():
        found = {
            row["row"]: row
            for row in json.loads(FILE.read_text(encoding="utf-8"))["tables"]["runs"]
        }
    for name in args.rows:
        found[name] = measured(name, args) | {"date": environment("cpu")["date"]}
        rows = [found[n] for n in ROWS if n in found]
        write_results(FILE, environment("cpu"), {"runs": rows})
    show("fine-tuned", [{k: v for k, v in row.items() if k != "settings"} for row in rows])


if __name__ == "__main__":
    main()
