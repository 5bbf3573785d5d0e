"""Methods of assignment in crowds: MR^-2, AP, JI, recall and AP by crowding, over several seeds.

    python benchmarks/crowd.py --weights yolox_nano
    python benchmarks/crowd.py --weights yolox_nano --parts --seeds 0

A set in CrowdHuman's form is generated (``benchmarks/crowd_set.py``): some forty objects of one
class an image, masks and objects to ignore among them. Each row is a real run of
``tools/train.py`` with the network and the 400 steps of ``benchmarks/small_fcos.py``, and of
``exps/ota_crowdhuman_r50.py`` the whole boxes, the ignore regions, NMS at 0.6 and 300 detections.
``--parts``
exchanges one part of OTA for SimOTA's, to see which one makes the difference. Prints mean and
spread (standard deviation over the seeds), and writes every run to
``benchmarks/results/crowd_cpu.json``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from crowd_set import write_set
from measure import RESULTS, Row, environment, show, spread, write_results
from methods import CROWD, trained

FILE = RESULTS / "crowd_cpu.json"
METHODS = {
    "OTA": "method=ota",
    "OTA, converged": "method=ota_newton",
    "SimOTA": "method=simota",
    "ATSS": "method=atss",
    "FCOS": "method=fcos",
}
PARTS = {f"OTA, SimOTA's {part}": f"part={part}" for part in ("prior", "cost", "supply", "match")}
RECIPE = [*CROWD, "metrics=coco,crowdhuman,crowding"]
SHOWN = ("MR", "CrowdHumanAP", "JI", "CrowdHumanRecall", "AP", "AP50")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, *PARTS], default=list(METHODS))
    parser.add_argument("--parts", action="store_true", help="OTA with one part of SimOTA's")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--missing", action="store_true", help="only rows not measured so far")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.parts:
        args.methods = list(PARTS)
    if Path(args.weights).is_file():
        args.weights = str(Path(args.weights).resolve())
    found: dict[tuple[str, int], Row] = {}
    if FILE.is_file():
        rows = json.loads(FILE.read_text(encoding="utf-8"))["tables"]["runs"]
        found = {(row["method"], row["seed"]): row for row in rows}
    with tempfile.TemporaryDirectory() as folder:
        write_set(Path(folder), train=400, val=150)
        for seed in args.seeds:
            for method in args.methods:
                if args.missing and (method, seed) in found:
                    continue
                setting = (METHODS | PARTS)[method]
                words = [f"data_dir={folder}", *RECIPE, setting, f"seed={seed}"]
                network = "small_fcos" if method in METHODS else "ota_parts"
                row = trained(f"benchmarks/{network}.py", args.weights, words)
                found[method, seed] = {"method": method, "seed": seed, **row}
                rows = [found[key] for key in sorted(found)]
                write_results(FILE, environment("cpu"), {"runs": rows})
                print(f"{method}, seed {seed}: MR {row['MR']}, AP50 {row['AP50']}", flush=True)
    show(
        "in crowds, mean and spread over the seeds",
        [summary(m, found) for m in [*METHODS, *PARTS] if m in {name for name, _ in found}],
    )


def summary(method: str, found: dict[tuple[str, int], Row]) -> Row:
    """Mean and standard deviation of every number over the seeds."""
    rows = [row for (name, _), row in found.items() if name == method]
    by_crowding = [key for key in rows[0] if key.startswith("AP_crowd")]
    line: Row = {"method": method, "seeds": len(rows)}
    for key in (*SHOWN, *by_crowding):
        line[key] = spread([float(row[key]) for row in rows])
    return line


if __name__ == "__main__":
    main()
