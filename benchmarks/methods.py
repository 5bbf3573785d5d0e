"""Every method of assignment under one small network and one recipe: what each learns.

    python benchmarks/methods.py --data ../shared/data --weights yolox_nano
    python benchmarks/methods.py --data DIR --weights FILE --methods ota atss --sets crowd --seeds 1

A comparison (``tools/compare.py``) on each set with ``benchmarks/small_fcos.py`` on the CPU, in
``--output``, where it goes on after an interruption. ``bccd`` are blood cells and 400 steps,
``crowd`` is the set of ``benchmarks/crowd_set.py`` and 200 steps, since an image there holds three
times as many objects. Prints a table and writes ``benchmarks/results/methods_cpu.json``; rows that
were measured before and are not asked for now keep their place.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import torch
from compared import CROWD, compared
from crowd_set import write_set
from measure import RESULTS, Row, environment, show, spread, write_results

from otadet.exp.methods import METHODS

FILE = RESULTS / "methods_cpu.json"
SETS = {"bccd": ["--budget", "400"], "crowd": ["--budget", "200", *CROWD]}
"""Budget and settings by name of the data set."""
VARIANTS = ("retinanet anchor_scale=3", "atss anchor_scale=3")
"""Methods with a setting: anchors of 24 px and more, where objects are of 14 to 56."""
NUMBERS = ("AP", "AP50", "AP75")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with bccd/")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    choices = [*METHODS, *VARIANTS]
    parser.add_argument("--methods", nargs="+", choices=choices, default=list(METHODS))
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds")
    parser.add_argument("--output", type=Path, default=Path("runs/methods"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[tuple[str, str, int], Row] = {}
    if FILE.is_file():
        rows = json.loads(FILE.read_text(encoding="utf-8"))["tables"]["runs"]
        found = {(row["set"], row["method"], row["seed"]): row for row in rows}
    if "crowd" in args.sets:
        write_set(args.output / "crowd_set", train=400, val=150)
    places = {"bccd": args.data / "bccd", "crowd": args.output / "crowd_set"}
    for name in args.sets:
        words = [
            "-f", "benchmarks/small_fcos.py", "-c", args.weights, "--methods", *args.methods,
            "--seeds", str(args.seeds), "--data", str(places[name].resolve()), *SETS[name],
        ]  # fmt: skip
        for row in compared(args.output.resolve() / name, words):
            found[name, row["method"], row["seed"]] = {"set": name, **row}
        rows = [found[key] for key in sorted(found)]
        write_results(FILE, environment("cpu"), {"runs": rows})
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
