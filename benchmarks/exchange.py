"""OTA with one part exchanged at a time, and its rivals, on three sets: which part matters?

    python benchmarks/exchange.py --data ../shared/data --weights yolox_nano --devices cpu:2

A comparison (``tools/compare.py``) of the assigners of ``exchanges.py`` on each set with the
network of ``small_fcos.py``, in ``--output``, where it goes on after an interruption. Copies what
the command wrote to ``benchmarks/results/exchange_*_cpu.json``.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from compared import CROWD, compared
from crowd_set import write_set
from exchanges import VARIANTS
from measure import RESULTS

SETS = {
    "crowd": CROWD,
    "nuclei": ["max_detections=400", "nms_threshold=0.6"],
    "bccd": ["max_detections=100"],
}
"""Settings by name of the data set."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with bccd/ and nuclei/")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--budget", type=int, default=200, help="steps of a run")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--devices", default="cpu", help="as for tools/compare.py")
    parser.add_argument("--output", type=Path, default=Path("runs/exchange"))
    args = parser.parse_args()
    for name in args.sets:
        place = (args.data / name).resolve()
        if name == "crowd":
            place = args.output.resolve() / "crowd_set"
            if not place.exists():
                write_set(place, train=400, val=150)
        folder = args.output.resolve() / name
        compared(
            folder,
            [
                "-c", args.weights, "--seeds", str(args.seeds), "--budget", str(args.budget),
                "--exps", *(f"benchmarks/exchange_fcos.py variant={v}" for v in args.variants),
                "--data", str(place), *SETS[name],
            ],
            args.devices,
        )  # fmt: skip
        shutil.copyfile(folder / "comparison.json", RESULTS / f"exchange_{name}_cpu.json")


if __name__ == "__main__":
    main()
