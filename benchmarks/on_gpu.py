"""All that needs a GPU in one call: its tests, the benchmarks, and real trainings.

    python benchmarks/on_gpu.py --data ../shared/data --weights yolox_nano.pth --output results
    python benchmarks/on_gpu.py --only ota_study ...    # how many IoUs k sums, R-50 at 800 px
    python benchmarks/on_gpu.py --list

Each part is a command of its own with a limit of time, and all have one together; one that fails
or is cut off does not stop the others. ``--output`` gets a log a part, the benchmarks' JSON,
the trainings' metrics.jsonl, and ``summary.json`` with exit codes and seconds. Exit code 1
where any part failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from measure import environment, show

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Part:
    """A command and how long it may run."""

    name: str
    words: tuple[str, ...]
    seconds: int = 120


def parts(data: Path, weights: Path, output: Path) -> tuple[Part, ...]:
    """Everything, the most telling first."""
    step = ("benchmarks/train_step.py", "--device", "cuda", "--precision", "fp16", "--data",
            str(data / "coco256"), "--threads", "4", "--repeats", "20")  # fmt: skip
    train = ("tools/train.py", "-n", "finetune_nano", "-d", "1", "--fp16", "-c", str(weights))
    found = [
        Part("tests", ("-m", "pytest", "-m", "gpu", "-q")),
        Part("assign", ("benchmarks/assign.py", "--device", "cuda", "--quick", "--output",
                        str(output / "assign"))),
        Part("steps_yolox", (*step, "--only", "yolox_nano", "yolox_s", "--batch", "32", "--sizes",
                             "640", "--output", str(output / "steps_yolox"))),
        Part("steps_fcos", (*step, "--only", "ota_fcos_r50", "--batch", "16", "--fcos-size", "800",
                            "--output", str(output / "steps_fcos"))),
    ]  # fmt: skip
    for name in ("ota_fcos_r50", "ota_fcos_r101_2x", "ota_fcos_x101_2x", "ota_fcos_x101_dcn_2x"):
        fresh = ("backbone_weights=none", "frozen_norm=false", "frozen_stages=0")
        run = ("tools/train.py", "-n", name, "-d", "1", "-b", "8", "--fp16", "max_iters=40", *fresh,
               f"data_dir={data / 'coco256'}", "train_ann=annotations/train.json",
               "val_ann=annotations/val.json", "train_images=images", "val_images=images",
               "-o", str(output / name))  # fmt: skip
        found.append(Part(name, run))
    for method in ("ota_short", "simota_short"):
        run = (*train, f"data_dir={data / 'bccd'}", f"assigner={method}", "input_size=480,640",
               "test_size=480,640", "-o", str(output / f"bccd_{method}"))  # fmt: skip
        found.append(Part(f"bccd_{method}", run, 180))
    # Of its own: --only ota_study. Without pretrained weights R-50 learns little in so few steps of
    # blood cells, but every method learns under the same conditions.
    forms = ("ota", "ota dynamic_q=10", "ota_short", "simota", "simota_short", "atss")
    network = ("backbone=resnet50", "fpn_channels=256", "head_width=256", "head_convs=4",
               "input_size=800,1088", "test_size=800,1088")  # fmt: skip
    study = ("tools/compare.py", "-n", "ota_fcos_r18", "-d", "1", "-b", "16", "--fp16", "--methods",
             *forms, "--seeds", "2", "--budget", "200", "--data", str(data / "bccd"), *network,
             "-o", str(output / "ota_study"))  # fmt: skip
    found.append(Part("ota_study", study, 540))
    return tuple(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, help="YOLOX-nano to fine-tune from",
                        default=Path("../shared/weights/yolox_nano_coco_unfolded.pth"))  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path("runs/on_gpu"))
    parser.add_argument("--only", nargs="+", metavar="PART")
    parser.add_argument("--seconds", type=float, default=570, help="for all parts together (570)")
    parser.add_argument("--list", action="store_true", help="name the parts and stop")
    args = parser.parse_args()
    output = args.output.resolve()
    todo = parts(args.data.resolve(), args.weights.resolve(), output)
    if args.list:
        print("\n".join(f"{p.name} ({p.seconds} s): {' '.join(p.words)}" for p in todo))
        return 0
    output.mkdir(parents=True, exist_ok=True)
    rows = []
    end = time.perf_counter() + args.seconds
    for part in todo:
        if args.only and part.name not in args.only:
            continue
        print(f"{part.name} ...", flush=True)
        start = time.perf_counter()
        with (output / f"{part.name}.log").open("w", encoding="utf-8") as log:
            try:
                code = subprocess.run(
                    [sys.executable, *part.words], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
                    timeout=max(1.0, min(part.seconds, end - start)), check=False,
                ).returncode  # fmt: skip
            except subprocess.TimeoutExpired:
                code = 124
        seconds = round(time.perf_counter() - start, 1)
        rows.append({"part": part.name, "exit code": code, "seconds": seconds})
        record = {"environment": environment("cuda"), "parts": rows}
        (output / "summary.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    show("on the GPU", rows)
    return int(any(row["exit code"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
