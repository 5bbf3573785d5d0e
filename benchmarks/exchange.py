"""OTA with one part exchanged at a time, then the best forms and their rivals on two real sets.

    python benchmarks/exchange.py --data ../shared/data --weights yolox_nano --devices cpu:2

Comparisons (``tools/compare.py``) of assigners of ``exchanges.py`` under the network of
``small_fcos.py``, in ``--output``, where each goes on after an interruption. ``parts`` is every
form on the generated crowd, one seed, so that a difference is one over images alone; ``longer`` a
few of them for four times as many steps; the others are the finalists, three seeds. Copies what
the command wrote to ``benchmarks/results/exchange_*_cpu.json``.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

from compared import CROWD, compared
from crowd_set import write_set
from exchanges import FINALISTS, VARIANTS
from measure import RESULTS


@dataclass(frozen=True)
class Study:
    """What is compared on which set.

    Attributes:
        data: folder of the set; ``crowd`` is generated.
        settings: of every run.
        variants: names in ``exchanges.py``.
        seeds: how many.
        budget: steps of a run.
    """

    data: str
    settings: list[str]
    variants: tuple[str, ...] = FINALISTS
    seeds: int = 3
    budget: int = 200


STUDIES = {
    "parts": Study("crowd", CROWD, tuple(VARIANTS), seeds=1),
    "longer": Study("crowd", CROWD, ("ota", "ota_q5", "supply:q10", "supply:k1"), 1, budget=800),
    "nuclei": Study("nuclei", ["max_detections=400", "nms_threshold=0.6"]),
    "bccd": Study("bccd", ["max_detections=100"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with bccd/ and nuclei/")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--studies", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--devices", default="cpu", help="as for tools/compare.py")
    parser.add_argument("--output", type=Path, default=Path("runs/exchange"))
    args = parser.parse_args()
    for name in args.studies:
        study = STUDIES[name]
        place = (args.data / study.data).resolve()
        if study.data == "crowd":
            place = args.output.resolve() / "crowd_set"
            if not place.exists():
                write_set(place, train=400, val=150)
        folder = args.output.resolve() / name
        variants = [f"benchmarks/exchange_fcos.py variant={each}" for each in study.variants]
        compared(
            folder,
            [
                "-c", args.weights, "--seeds", str(study.seeds), "--budget", str(study.budget),
                "--data", str(place), "--exps", *variants, *study.settings,
            ],
            args.devices,
        )  # fmt: skip
        shutil.copyfile(folder / "comparison.json", RESULTS / f"exchange_{name}_cpu.json")


if __name__ == "__main__":
    main()
