"""What AP some minutes of one CPU core buy: ``--minutes``, a recipe tuned by hand, two rivals.

    python benchmarks/minutes.py --data ../shared/data --weights FILE --rivals DIR --jobs 2
    python benchmarks/minutes.py --data DIR --weights FILE bccd/auto/8/0 nuclei/finetune_nano/8/0

A run is SET/METHOD/MINUTES/SEED, with /shared behind it where another process computes on the same
core all the time; without any, the runs of docs/auto.md. SET is a folder of ``--data``. Methods:

- ``auto``: ``tools/train.py SET --minutes M``;
- ``finetune_nano``: its settings in benchmarks/finetune.py, with ``--minutes M``;
- either with other settings: ``"auto:assigner=simota objectness=one"``;
- ``pixeltable-yolox``, ``libreyolo``: benchmarks/rivals/, which say what was adapted. They have no
  setting for time: three epochs that do not count say how many fit (rivals/epochs.py).

All of them start from the same weights. Each run is a real process on one core and with one
thread, from the start of the process to its end, the last evaluation or detection included.
``--jobs 2`` runs two side by side, each on its own core. AP is that of the weights at the end,
which nobody chose on the validation images, from detections in original pixels, by pycocotools
(coco_ap.py).

Writes ``benchmarks/results/minutes_cpu.json`` after every run; what is in there is not run again.
The rivals' packages go to a folder of their own, beside this environment:

    pip install --target DIR --no-deps -r benchmarks/rivals/requirements.txt
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import distributions
from pathlib import Path

from measure import RESULTS, Row, environment, package, show
from minutes_run import METHODS, RIVALS, Conditions, FailedError, Run, measured

from otadet.atomic import atomic_write

FILE = RESULTS / "minutes_cpu.json"
SETS = ("bccd", "nuclei")
PUBLISHED = "assigner=simota objectness=one"
"""Settings of finetune_nano as YOLOX has them."""
AS_BEFORE = {"bccd": PUBLISHED, "nuclei": "objectness=one"}
"""Those of the rules when most runs were made, which took q = 5 where objects are small."""


def plan() -> list[Run]:
    """The runs of docs/auto.md; those of more minutes and seeds have targets as in YOLOX."""
    alone = [(method, 8, 0) for method in (*METHODS, f"finetune_nano:{PUBLISHED}")]
    runs = [Run(data, *words) for words in alone for data in SETS]
    for data, given in AS_BEFORE.items():
        auto = f"auto:{given}"
        runs += [Run(data, auto, *words) for words in ((8, 0), (8, 1), (8, 2), (3, 0), (20, 0))]
        runs += [Run(data, auto, 3, seed, shared=True) for seed in (0, 1)]
    runs.append(Run("bccd", f"auto:{AS_BEFORE['bccd']}", 8, 0, shared=True))
    # In these a rule would choose otherwise.
    runs.append(Run("nuclei", f"auto:input_size=320,320 {AS_BEFORE['nuclei']}", 8, 0))
    runs.append(Run("bccd", f"auto:mosaic=0.5 {AS_BEFORE['bccd']}", 20, 0))
    return runs


def conditions(args: argparse.Namespace, runs: list[Run]) -> Conditions:
    """What all runs share, checked before the first one."""
    for name in sorted({run.data for run in runs}):
        for part in ("annotations/train.json", "annotations/val.json", "images"):
            if not (args.data / name / part).exists():
                fail(f"--data {args.data}: expected {name}/{part} in it, got none")
    if not args.weights.is_file():
        fail(f"--weights {args.weights}: expected a file of YOLOX-Nano's weights, got none")
    rivals = args.rivals.resolve() if args.rivals else None
    if any(run.method in RIVALS for run in runs) and (rivals is None or not rivals.is_dir()):
        fail(f"--rivals: expected a folder of packages (see the head of this file), got {rivals}")
    keep = args.keep.resolve() if args.keep else None
    return Conditions(args.data.resolve(), args.weights.resolve(), rivals, keep)


def fail(reason: str) -> None:
    """End with one line."""
    print(f"minutes.py: error: {reason}", file=sys.stderr)
    sys.exit(2)


class Record:
    """The file of results, which grows by one row after each run."""

    def __init__(self, file: Path, machine: Row) -> None:
        self.file = file
        self.lock = threading.Lock()
        self.machine = machine
        found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        self.rows: list[Row] = found.get("tables", {}).get("runs", [])
        here = machine["device"]
        if self.rows and found["device"] != here:
            fail(f"{file}: expected runs of this machine ({here}), got runs of {found['device']}")

    def has(self, run: Run) -> bool:
        """Whether a run has been measured; one that failed has not."""
        return any(run.is_of(row) and "error" not in row for row in self.rows)

    def add(self, run: Run, row: Row) -> None:
        """Write a run's row, in place of an earlier one."""
        with self.lock:
            self.rows = [*(other for other in self.rows if not run.is_of(other)), row]
            content = {**self.machine, "tables": {"runs": self.rows}}
            atomic_write(self.file, json.dumps(content, indent=1) + "\n")


def in_slot(run: Run, cores: queue.SimpleQueue[int], where: Conditions, record: Record) -> Row:
    """One run on a core of its own."""
    core = cores.get()
    try:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {core})  # of this thread; the run's process inherits it
        print(f"{run}: begins on core {core}", flush=True)
        row = {**run.row(), "core": core}
        try:
            with tempfile.TemporaryDirectory() as folder:
                row |= measured(run, where, where.folder(run) or Path(folder))
        except FailedError as error:
            row |= {"error": str(error)}
        row["date"] = environment("cpu")["date"]
        record.add(run, row)
        return row
    finally:
        cores.put(core)


def versions(rivals: Path | None) -> Row:
    """Versions of the packages that are compared."""
    found = {"pixeltable-yolox": package("pixeltable-yolox"), "otadet": package("otadet")}
    for each in distributions(path=[str(rivals)]) if rivals else ():
        if each.name in RIVALS:
            found[each.name] = each.version
    return found


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="*", metavar="SET/METHOD/MINUTES/SEED[/shared]",
                        help="default: those of docs/auto.md")  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, help="folder with bccd/ and nuclei/")
    parser.add_argument("--weights", type=Path, required=True, help="YOLOX-Nano's, of COCO")
    parser.add_argument("--rivals", type=Path, help="folder of the rivals' packages")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, a core each")
    parser.add_argument("-o", "--output", type=Path, default=FILE, help="default: that file")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the runs' folders here")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    try:
        runs = [Run.parse(word) for word in args.runs] or plan()
    except ValueError as error:
        fail(str(error))
    where = conditions(args, runs)
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    if not 1 <= args.jobs <= len(usable):
        fail(f"--jobs: expected 1 to {len(usable)}, a core each, got {args.jobs}")
    machine = {**environment("cpu"), "threads": 1, "jobs": args.jobs}
    record = Record(args.output, {**machine, "versions": versions(where.rivals)})
    cores: queue.SimpleQueue[int] = queue.SimpleQueue()
    for core in usable[: args.jobs]:
        cores.put(core)
    todo = [run for run in runs if not record.has(run)]
    print(f"{len(todo)} of {len(runs)} runs to measure", flush=True)
    with ThreadPoolExecutor(args.jobs) as pool:
        futures = {pool.submit(in_slot, run, cores, where, record): run for run in todo}
        for future in as_completed(futures):
            row = future.result()
            came = row.get("error") or f"AP {row['AP']:.3f} after {row['seconds']:.0f} s"
            print(f"{futures[future]}: {came}", flush=True)
    shown = [row for row in record.rows if any(run.is_of(row) for run in runs)]
    show("runs by time", shown)
    print(f"\nwritten to {args.output}")
    sys.exit(1 if any("error" in row for row in shown) else 0)


if __name__ == "__main__":
    main()
