"""How many IoUs k sums, in OTA and in SimOTA: what is it worth?

    python benchmarks/ota_study.py --data ../shared/data --weights yolox_nano --studies crowd_q

Each study is a comparison (``tools/compare.py``) with three seeds, in ``--output``, where it goes
on after an interruption. ``crowd_q`` and ``bccd_q`` train the network of ``small_fcos.py`` for 200
steps, ``nuclei_nano`` fine-tunes a published YOLOX-nano for 150. Copies what the command wrote to
``benchmarks/results/ota_study_*_cpu.json``.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from compared import CROWD, compared
from crowd_set import write_set
from measure import RESULTS

FCOS = [
    "-f", "benchmarks/small_fcos.py", "--budget", "200", "--methods", "ota", "ota dynamic_q=10",
    "ota dynamic_q=5", "ota dynamic_q=3", "ota_image_k", "simota", "simota dynamic_q=5",
    "simota dynamic_q=3",
]  # fmt: skip
NANO = [
    "--budget", "150", "--exps", "finetune_nano", "finetune_nano dynamic_q=5",
    "finetune_nano assigner=ota", "finetune_nano assigner=ota dynamic_q=5", "input_size=224,224",
    "test_size=224,224", "-b", "8", "max_detections=400",
]  # fmt: skip
STUDIES = {"crowd_q": ("crowd", [*FCOS, *CROWD]), "bccd_q": ("bccd", FCOS),
           "nuclei_nano": ("nuclei", NANO)}  # fmt: skip
"""Folder of the data and words of the command by name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with bccd/ and nuclei/")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--studies", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--output", type=Path, default=Path("runs/ota_study"))
    args = parser.parse_args()
    for name in args.studies:
        data, words = STUDIES[name]
        folder, place = args.output.resolve() / name, (args.data / data).resolve()
        if data == "crowd":
            place = args.output.resolve() / "crowd_set"
            if not place.exists():
                write_set(place, train=400, val=150)
        compared(
            folder,
            ["-c", args.weights, "--seeds", str(args.seeds), "--data", str(place), *words],
        )
        shutil.copyfile(folder / "comparison.json", RESULTS / f"ota_study_{name}_cpu.json")


if __name__ == "__main__":
    main()
