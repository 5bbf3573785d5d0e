"""OTA and SimOTA part by part: how many IoUs k sums, prior, matcher.

    python benchmarks/ota_study.py --data ../shared/data --weights yolox_nano --studies crowd_q

Each study is a comparison (``tools/compare.py``) of forms of ``ota_variants.py`` with three seeds,
in ``--output``, where it goes on after an interruption. ``crowd_q`` and ``bccd_q`` train the
network of ``small_fcos.py`` for 200 steps, ``nuclei_nano`` fine-tunes a published YOLOX-nano for
150. Copies what the command wrote to ``benchmarks/results/ota_study_*_cpu.json``.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

from compared import CROWD, compared
from crowd_set import write_set
from measure import RESULTS

Q = ("ota_q20", "ota_q5", "simota_q10", "simota_q5", "ota_q10", "ota_q3", "simota_q3",
     "ota_image_q10")  # fmt: skip


@dataclass(frozen=True)
class Study:
    """Forms that are compared on one set.

    Attributes:
        experiment: file in ``benchmarks/``.
        data: folder of the data, or ``crowd``.
        budget: steps.
        forms: names in ``ota_variants.py``.
        settings: ``key=value``.
    """

    experiment: str
    data: str
    budget: int
    forms: tuple[str, ...]
    settings: tuple[str, ...] = ()


STUDIES = {
    "crowd_q": Study("study_fcos.py", "crowd", 200, Q, tuple(CROWD)),
    "bccd_q": Study("study_fcos.py", "bccd", 200, Q),
    "nuclei_nano": Study(
        "study_nano.py", "nuclei", 150,
        ("simota_q10", "simota_q5", "ota_q20", "ota_q5", "ota_near", "ota_near_newton"),
        ("max_detections=400",),
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with bccd/ and nuclei/")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--studies", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--output", type=Path, default=Path("runs/ota_study"))
    args = parser.parse_args()
    for name in args.studies:
        study, folder = STUDIES[name], args.output.resolve() / name
        place = (args.data / study.data).resolve()
        if study.data == "crowd":
            place = args.output.resolve() / "crowd_set"
            if not place.exists():
                write_set(place, train=400, val=150)
        compared(folder, [
            "--exps", *(f"benchmarks/{study.experiment} variant={form}" for form in study.forms),
            "-c", args.weights, "--seeds", str(args.seeds), "--budget", str(study.budget),
            f"data_dir={place}", *study.settings,
        ])  # fmt: skip
        shutil.copyfile(folder / "comparison.json", RESULTS / f"ota_study_{name}_cpu.json")


if __name__ == "__main__":
    main()
