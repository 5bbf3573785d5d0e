"""Studies of assigners: comparisons (``tools/compare.py``) whose tables are in the docs.

    python benchmarks/studies.py --data ../shared/data --weights yolox_nano --devices cpu:2
    python benchmarks/studies.py --data DIR --weights FILE --studies ota_study_crowd_q

A study is a folder of ``--output``, where it goes on after an interruption, and writes
``benchmarks/results/<study>_cpu.json``. Runs are short, so they show who learns quickly. Those of
``nano_*`` fine-tune the published YOLOX-Nano, all others train ``small_fcos.py``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from compared import CROWD, compared
from crowd_set import CROWDING, OBJECTS, write_set
from exchanges import (
    FINALISTS,
    FURTHER,
    GOALS,
    NANO_COCO,
    NANO_FINALISTS,
    NANO_HIDDEN,
    NANO_MORE,
    NANO_OTHERS,
    NANO_OTHERS_TINY,
    NANO_SOFT,
    NANO_UNSERVED,
    NANO_VARIANTS,
    PAPER_ROWS,
    SHORT,
    SOFT,
    VARIANTS,
)
from measure import RESULTS

NUCLEI = ["max_detections=400", "nms_threshold=0.6"]
METHODS = ["-f", "benchmarks/small_fcos.py", "--methods"]
FOUR = [*METHODS, "ota", "simota", "atss", "fcos"]
BY_Q = [*METHODS, "ota", "ota dynamic_q=10", "ota dynamic_q=5", "ota dynamic_q=3", "ota_image_k",
        "simota", "simota dynamic_q=5", "simota dynamic_q=3"]  # fmt: skip

BY_Q_NANO = ["simota", "simota_q5"]

GENERATED = {"crowd": (OBJECTS, CROWDING), "tiny": ((5.0, 18.0), 0.1), "sparse": ((5.0, 18.0), 0.0)}
"""Sets that are generated (``crowd_set.py``): sides of their objects in pixels, crowding."""


def exchanged(*names: str) -> list[str]:
    """Words of the command that compare forms of ``exchanges.py``."""
    return ["--exps", *(f"benchmarks/exchange_fcos.py variant={name}" for name in names)]


def nano(*names: str, size: str = "224,288") -> list[str]:
    """Words of the command that fine-tune YOLOX-Nano under forms of ``exchanges.py``."""
    forms = [f"benchmarks/exchange_nano.py variant={name}" for name in names]
    return ["--exps", *forms, "-b", "8", f"input_size={size}", f"test_size={size}"]


@dataclass(frozen=True)
class Study:
    """What is compared on which set.

    Attributes:
        data: folder of the set, or one of ``GENERATED``.
        words: of the command: what is compared, and settings.
        steps: of a run.
        seeds: how many.
    """

    data: str
    words: list[str]
    steps: int = 200
    seeds: int = 3


STUDIES = {
    "compare_nuclei": Study("nuclei", [*FOUR, *NUCLEI], 120),
    "compare_crowd": Study("crowd", [*FOUR, *CROWD], 120),
    "ota_study_crowd_q": Study("crowd", [*BY_Q, *CROWD]),
    # Every form with one seed, so that a difference is one over images alone.
    "exchange_parts": Study("crowd", [*exchanged(*VARIANTS), *CROWD], seeds=1),
    "exchange_more": Study("crowd", [*exchanged("ota_q5", *FURTHER), *CROWD], seeds=1),
    "exchange_longer": Study(
        "crowd", [*exchanged("ota", "ota_q5", "supply:q10", "supply:k1"), *CROWD], 800, seeds=1
    ),
    "exchange_longest": Study("crowd", [*exchanged("ota_q5", "ota"), *CROWD], 3000, seeds=1),
    "exchange_nuclei": Study("nuclei", [*exchanged(*FINALISTS), *NUCLEI]),
    "short_crowd": Study("crowd", [*exchanged(*SHORT), *CROWD]),
    "soft_targets": Study("crowd", [*exchanged(*SOFT), *CROWD], seeds=1),
    "paper_tables": Study("crowd", [*exchanged(*PAPER_ROWS), *CROWD], seeds=1),
    "nano_nuclei": Study("nuclei", [*nano(*NANO_VARIANTS), "max_detections=400"], 150),
    "nano_bccd": Study("bccd", nano(*NANO_FINALISTS), 150),
    "nano_sparse": Study(
        "sparse", [*nano("simota", "simota_q5", "ota_wide_q5"), *CROWD], 150, seeds=1
    ),
    "nano_more_nuclei": Study("nuclei", [*nano(*NANO_MORE), "max_detections=400"], 150, seeds=1),
    "nano_goals": Study("nuclei", [*nano(*GOALS), "max_detections=400"], 150, seeds=1),
    "nano_soft_nuclei": Study("nuclei", [*nano(*NANO_SOFT), "max_detections=400"], 150),
    "nano_soft_tiny": Study("tiny", [*nano(*NANO_SOFT), *CROWD], 150),
    "nano_soft_bccd": Study("bccd", nano(*NANO_SOFT), 150),
    # Those of nano_tiny with the same seed are what they are compared with.
    "nano_hidden": Study("tiny", [*nano(*NANO_HIDDEN), *CROWD], 150, seeds=1),
    "nano_unserved": Study("tiny", [*nano("simota_q5", *NANO_UNSERVED), *CROWD], 150, seeds=1),
    # Whether a small q still gains when a run is three times as long.
    "nano_nuclei_longer": Study("nuclei", [*nano(*BY_Q_NANO), "max_detections=400"], 450, seeds=1),
    "nano_coco": Study("coco256", nano(*NANO_COCO, size="416,416"), 60, seeds=1),
    "nano_others_nuclei": Study(
        "nuclei", [*nano(*NANO_OTHERS), "max_detections=400"], 150, seeds=1
    ),
    "nano_others_tiny": Study("tiny", [*nano(*NANO_OTHERS_TINY), *CROWD], 150, seeds=1),
    "nano_others_bccd": Study("bccd", nano(*NANO_OTHERS), 150, seeds=1),
    "nano_soft_longer": Study(
        "nuclei", [*nano(*NANO_COCO[1:]), "max_detections=400"], 450, seeds=1
    ),
    "nano_bccd_longer": Study("bccd", nano(*BY_Q_NANO), 450, seeds=1),
    "nano_tiny": Study("tiny", [*nano(*NANO_FINALISTS, "simota_q5_repaired"), *CROWD], 150),
}


def carry_out(name: str, args: argparse.Namespace) -> None:
    """Compare, and keep what tables are made of: no curves, which the comparison's page has."""
    study, output = STUDIES[name], args.output.resolve()
    place = (args.data / study.data).resolve()
    if study.data in GENERATED:
        place = output / f"{study.data}_set"
        if not place.exists():
            objects, crowding = GENERATED[study.data]
            write_set(place, train=400, val=150, objects=objects, crowding=crowding)
    words = ["-c", args.weights, "--seeds", str(study.seeds), "--budget", str(study.steps),
             "--data", str(place), *study.words]  # fmt: skip
    compared(output / name, words, args.devices)
    found = json.loads((output / name / "comparison.json").read_text(encoding="utf-8"))
    for method in found["methods"]:
        del method["curves"]
    (RESULTS / f"{name}_cpu.json").write_text(as_text(found), encoding="utf-8")


def as_text(found: dict[str, object]) -> str:
    """JSON with a line for each entry, and for each method and pair."""
    entries = []
    for key, value in found.items():
        rows = value if isinstance(value, list) and value else [value]
        text = ",\n  ".join(json.dumps(row) for row in rows)
        entries.append(f'"{key}": ' + (f"[\n  {text}\n ]" if rows is value else text))
    return "{\n " + ",\n ".join(entries) + "\n}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with nuclei/")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--studies", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--devices", default="cpu", help="as for tools/compare.py")
    parser.add_argument("--output", type=Path, default=Path("runs/studies"))
    args = parser.parse_args()
    for name in args.studies:
        carry_out(name, args)


if __name__ == "__main__":
    main()
