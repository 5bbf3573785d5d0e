"""How well ``--minutes`` keeps its time, and what AP the time buys.

    python benchmarks/minutes.py --data ../shared/data/bccd --weights yolox_nano
    python benchmarks/minutes.py --data DIR --weights FILE --minutes 1 2 --runs 2

Each run is ``tools/train.py DATA --minutes M -c WEIGHTS`` from the start of its process to its
end, one thread, one after the other. Every second one shares the machine with another process
that computes all the time.
Prints a table and writes ``benchmarks/results/minutes_cpu.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import RESULTS, Row, environment, show, write_results

ROOT = Path(__file__).parents[1]
FILE = RESULTS / "minutes_cpu.json"
LOAD = "while True: sum(range(10**6))"


@contextmanager
def company(wanted: bool) -> Iterator[None]:
    """Another process that computes all the time, where it is wanted."""
    if not wanted:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", LOAD]) as other:
        try:
            yield
        finally:
            other.terminate()


def measured(minutes: float, seed: int, shared: bool, args: argparse.Namespace) -> Row:
    """One run, and what became of its time."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, str(ROOT / "tools/train.py"), str(args.data), "-c", str(args.weights),
            "-d", "cpu", "-o", folder, "--minutes", str(minutes), f"seed={seed}", *args.overrides,
        ]  # fmt: skip
        before = os.getloadavg()[0]
        with company(shared):
            start = time.perf_counter()
            variables = {**os.environ, "OMP_NUM_THREADS": "1"}
            subprocess.run(command, check=True, env=variables, cwd=ROOT)
            seconds = time.perf_counter() - start
        lines = (Path(folder) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    values = [line for line in map(json.loads, lines) if line["kind"] == "val"]
    best = max(values, key=lambda line: float(line["AP"]))
    return {
        "minutes": minutes, "seed": seed, "shared": shared, "seconds": round(seconds, 1),
        "kept": round(seconds / (60 * minutes) - 1, 4), "steps": values[-1]["step"],
        "AP": round(best["AP"], 4), "AP50": round(best["AP50"], 4),
        "load_before": round(before, 1), "load_after": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the data set")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--minutes", nargs="+", type=float, default=[3, 8, 20])
    parser.add_argument("--runs", type=int, default=2, help="of each time, every second shared")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings of all runs")
    args = parser.parse_intermixed_args()
    args.data = Path(args.data).resolve()
    if Path(args.weights).is_file():
        args.weights = Path(args.weights).resolve()
    rows: list[Row] = []
    for minutes in args.minutes:
        for run in range(args.runs):
            rows.append(measured(minutes, 0, run % 2 == 1, args))
            write_results(FILE, environment("cpu"), {"runs": rows})
    show("runs by time", rows)


if __name__ == "__main__":
    main()
