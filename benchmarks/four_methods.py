"""OTA, SimOTA, ATSS and FCOS on nuclei and in generated crowds, three seeds: who is ahead?

    python benchmarks/four_methods.py --data ../shared/data --weights yolox_nano --budget 120

A comparison (``tools/compare.py``) on each set with the network of ``benchmarks/small_fcos.py``,
in ``--output``, where it goes on after an interruption. ``nuclei`` are cell nuclei, ``crowd`` is
the set of ``benchmarks/crowd_set.py``. Copies what the command wrote to
``benchmarks/results/compare_*_cpu.json``. So short runs show who learns quickly.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from compared import CROWD, compared
from crowd_set import write_set
from measure import RESULTS

SETS = {"nuclei": ["max_detections=400", "nms_threshold=0.6"], "crowd": CROWD}
"""Settings by name of the data set."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with nuclei/")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--budget", type=int, default=120, help="steps of a run")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--output", type=Path, default=Path("runs/four_methods"))
    args = parser.parse_args()
    places = {"nuclei": args.data / "nuclei", "crowd": args.output / "crowd_set"}
    for name in args.sets:
        if name == "crowd" and not places[name].exists():
            write_set(places[name], train=400, val=150)
        folder = args.output.resolve() / name
        compared(folder, [
            "-f", "benchmarks/small_fcos.py", "-c", args.weights,
            "--methods", "ota", "simota", "atss", "fcos", "--seeds", "3",
            "--budget", str(args.budget), "--data", str(places[name].resolve()), *SETS[name],
        ])  # fmt: skip
        shutil.copyfile(folder / "comparison.json", RESULTS / f"compare_{name}_cpu.json")


if __name__ == "__main__":
    main()
