"""Methods of assignment in crowds: MR^-2, AP, JI, recall and AP by crowding, over several seeds.

    python benchmarks/crowd.py --weights yolox_nano
    python benchmarks/crowd.py --weights yolox_nano --only "ota dynamic_q=5" simota
    python benchmarks/crowd.py --weights yolox_nano --parts --seeds 1

A set in CrowdHuman's form is generated (``benchmarks/crowd_set.py``): some forty objects of one
class an image, masks and objects to ignore among them. A comparison (``tools/compare.py``) is run
on it, in ``--output``, with the network and the 400 steps of ``benchmarks/small_fcos.py``, and of
``exps/ota_crowdhuman_r50.py`` the whole boxes, the ignore regions, NMS at 0.6 and 300 detections.
``--parts`` exchanges one part of OTA for SimOTA's, to see which one makes the difference. Prints
mean and spread (standard deviation over the seeds), and writes every run to
``benchmarks/results/crowd_cpu.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from compared import CROWD, compared
from crowd_set import write_set
from measure import RESULTS, Row, environment, show, spread, write_results

FILE = RESULTS / "crowd_cpu.json"
METHODS = {
    "ota": "OTA", "ota_newton": "OTA, converged", "ota dynamic_q=5": "OTA, q = 5",
    "simota": "SimOTA", "simota dynamic_q=5": "SimOTA, q = 5", "atss": "ATSS",
    "atss anchor_scale=3": "ATSS, anchors of 3 strides", "fcos": "FCOS",
}  # fmt: skip
PARTS = {
    f"ota_parts part={part}": f"OTA, SimOTA's {part}"
    for part in ("prior", "cost", "supply", "match")
}
"""Names in the table by label of the comparison."""
SHOWN = ("MR", "CrowdHumanAP", "JI", "CrowdHumanRecall", "AP", "AP50")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--parts", action="store_true", help="OTA with one part of SimOTA's")
    parser.add_argument("--only", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--devices", default="cpu", help="as for tools/compare.py")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--output", type=Path, default=Path("runs/crowd"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[tuple[str, int], Row] = {}
    if FILE.is_file():
        rows = json.loads(FILE.read_text(encoding="utf-8"))["tables"]["runs"]
        found = {(row["method"], row["seed"]): row for row in rows}
    data = args.output.resolve() / "crowd_set"
    if not data.exists():
        write_set(data, train=400, val=150)
    exps = [f"benchmarks/ota_parts.py {label.split()[1]}" for label in PARTS]
    which = ["--exps", *exps] if args.parts else ["-f", "benchmarks/small_fcos.py", "--methods",
                                                  *args.only]  # fmt: skip
    words = [
        *which, "-c", args.weights, "--seeds", str(args.seeds), "--budget", "400",
        "--data", str(data), *CROWD, "metrics=coco,crowdhuman,crowding",
    ]  # fmt: skip
    folder = args.output.resolve() / ("parts" if args.parts else "methods")
    for row in compared(folder, words, args.devices):
        name = (METHODS | PARTS)[row["method"]]
        found[name, row["seed"]] = {**row, "method": name}
    write_results(FILE, environment("cpu"), {"runs": [found[key] for key in sorted(found)]})
    names = [*METHODS.values(), *PARTS.values()]
    show(
        "in crowds, mean and spread over the seeds",
        [summary(m, found) for m in names if m in {name for name, _ in found}],
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
