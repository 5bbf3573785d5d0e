"""Train, measure and write the detector of blood cells that comes with the package.

    python benchmarks/cells_detector.py --data BCCD --weights yolox_nano --minutes 20

A benchmark, since it is a real run of ``tools/train.py`` on one core whose figures go to
``benchmarks/results/ota_nano_cells_cpu.json``, as those of ``finetune.py`` do. It writes besides
``otadet/weights/ota_nano_cells.pth``: the run's best weights, kernels in half precision, without
the run's paths, with origin and licences. The figures are those of this file, read again by
``tools/eval.py`` and ``tools/demo.py``; ``docs/make_tables.py`` puts them into README.md and
docs/weights.md.

BCCD is a folder in COCO's layout: ``images/``, ``annotations/train.json`` and ``val.json``, the
latter with the image that is ``docs/assets/cells.jpg``. ``key=value`` replaces settings of
``exps/ota_nano_cells.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import torch
from measure import RESULTS, Row, environment, refusing, show, write_results
from torch import Tensor

import otadet
from otadet.engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from otadet.errors import InputError
from otadet.exp import load_class
from otadet.models import PUBLISHED
from otadet.provenance import Provenance

ROOT = Path(__file__).parents[1]
NAME = "ota_nano_cells"
TARGET = PUBLISHED[NAME].path
FILE = RESULTS / f"{NAME}_cpu.json"
IMAGE = "docs/assets/cells.jpg"

LOCAL = ("data_dir", "minutes", "workers", "cache")
"""Settings that belong to the run and its machine, and not to the detector."""


def image_objects(data: Path) -> tuple[str, Counter[str]]:
    """Name of the data set's file that is ``IMAGE``, and how many objects of a class it holds."""
    digest = hashlib.sha256((ROOT / IMAGE).read_bytes()).digest()
    for split in ("train", "val"):
        if not (data / f"annotations/{split}.json").is_file():
            raise InputError(f"--data {data}: expected annotations/{split}.json in it, got none")
        content = json.loads((data / f"annotations/{split}.json").read_text(encoding="utf-8"))
        for image in content["images"]:
            path = data / "images" / image["file_name"]
            if hashlib.sha256(path.read_bytes()).digest() == digest:
                if split == "train":
                    sys.exit(f"{IMAGE} is {path}, which is trained on; choose one of val.json")
                names = {each["id"]: each["name"] for each in content["categories"]}
                mine = (a for a in content["annotations"] if a["image_id"] == image["id"])
                return path.name, Counter(names[a["category_id"]] for a in mine)
    sys.exit(f"{IMAGE}: expected an image of {data}/annotations/val.json, got another")


def run(command: list[str], cwd: Path, threads: int) -> str:
    """Output of a tool in a process of its own, on one core where it has one thread."""
    variables = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    core = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))] if threads == 1 else []
    words = [*core, sys.executable, str(ROOT / command[0]), *command[1:]]
    print(" ".join(words), flush=True)
    done = subprocess.run(
        words, check=False, env=variables, cwd=cwd, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{done.stdout}\nexit code {done.returncode}")
    return done.stdout


def halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors for the file: kernels in half precision, without BatchNorm's counters.

    Vectors stay as they are: they are 3 % of the numbers, and variances have the range of
    activations squared, which half precision does not.
    """
    kept = {k: v for k, v in weights.items() if not k.endswith("num_batches_tracked")}
    return {k: v.half() if v.ndim > 1 else v for k, v in kept.items()}


def write(
    path: Path, best: Checkpoint, provenance: Provenance | None, metrics: dict[str, float]
) -> None:
    """Write the file of the detector."""
    defaults = load_class(name=NAME).defaults()
    save_checkpoint(
        path,
        experiment=NAME,
        settings={**best.settings, **{name: defaults[name] for name in LOCAL}},
        class_names=best.class_names,
        category_ids=best.category_ids,
        weights=halved(best.weights),
        step=best.step,
        metrics=metrics,
        operating_point=best.operating_point,
        provenance=provenance,
    )


def provenance(words: list[str], images: Mapping[str, int], found: Row) -> Provenance:
    """Origin and licences of the detector."""
    shown = [w.rpartition("/")[2] if "/" in w else w for w in words if "data_dir" not in w]
    date = datetime.now(timezone.utc).date().isoformat()
    return Provenance(
        licence="Apache-2.0",
        origin="YOLOX-Nano's COCO weights, Copyright (c) 2021-2022 Megvii Inc., Apache-2.0",
        data="BCCD, https://github.com/Shenggan/BCCD_Dataset",
        data_licence="MIT",
        data_copyright="Copyright (c) 2017 shenggan",
        training=f"python tools/train.py {' '.join(shown)}; {images['train']} images; {date}; "
        f"otadet {otadet.__version__}, torch {torch.__version__}",
        evaluation=f"AP {found['AP']:.3f}, AP50 {found['AP50']:.3f} of this file on BCCD's "
        f"{images['val']} validation images, which were not trained on and by which the run chose "
        "its best step",
    )


def evaluated(path: Path, data: Path, folder: Path, threads: int) -> dict[str, float]:
    """Metrics of the file on the validation split."""
    words = ["tools/eval.py", "-c", str(path), "-d", "cpu", "-o", str(folder)]
    run([*words, f"data_dir={data}", "workers=0"], ROOT, threads)
    metrics: dict[str, float] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def shown_in_demo(folder: Path, threads: int) -> Row:
    """What the commands of README.md print about ``IMAGE``."""
    (folder / IMAGE).parent.mkdir(parents=True)
    shutil.copy(ROOT / IMAGE, folder / IMAGE)
    words = ["tools/demo.py", "image", "-n", NAME, "--path", IMAGE, "-d", "cpu"]
    lines = run(words, folder, threads).splitlines()
    about = (line for line in lines if f"{NAME}: " in line or IMAGE in line)
    result = otadet.load(NAME, device="cpu")(ROOT / IMAGE)
    return {
        "lines": [line.split(maxsplit=2)[2] for line in about],  # without time and level
        "found": dict(Counter(result.names)),
        "repr": repr(result).replace(str(ROOT / IMAGE), IMAGE),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="BCCD in COCO's layout")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--minutes", type=float, default=20, help="of the run, default 20")
    parser.add_argument("--threads", type=int, default=1, help="1 (default) takes one core")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the run directory here")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings of the run")
    args = parser.parse_intermixed_args()
    torch.set_num_threads(args.threads)
    data = args.data.resolve()
    weights = str(Path(args.weights).resolve()) if Path(args.weights).is_file() else args.weights
    original, objects = image_objects(data)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        trained = args.keep.resolve() if args.keep else folder / "run"
        words = ["-n", NAME, "-c", weights, "-d", "cpu", "--minutes", f"{args.minutes:g}"]
        words += ["workers=0", "cache=memory", f"data_dir={data}", *args.overrides]
        start = time.perf_counter()
        print(run(["tools/train.py", "-o", str(trained), *words], ROOT, args.threads))
        seconds = time.perf_counter() - start
        best, last = (load_checkpoint(trained / f"{name}.pth") for name in ("best", "last"))
        images = {split: last.training["data"][split]["images"] for split in ("train", "val")}
        write(folder / "half.pth", best, None, {})
        metrics = evaluated(folder / "half.pth", data, folder / "eval", args.threads)
        write(TARGET, best, provenance(words, images, metrics), metrics)
        again = evaluated(TARGET, data, folder / "again", args.threads)
        if again != metrics:
            sys.exit(f"{TARGET}: expected the metrics {metrics}, got {again}")
        demo = shown_in_demo(folder / "demo", args.threads)
        epoch = -(-images["train"] // best.settings["batch_size"])
    row = {
        "AP": round(metrics["AP"], 4),
        "AP50": round(metrics["AP50"], 4),
        "AP_float32": round(best.metrics["AP"], 4),
        "score": round(best.score, 3),
        "bytes": TARGET.stat().st_size,
        "assigner": best.settings["assigner"],
        "settings": " ".join(args.overrides),
        "weights": Path(weights).name,
        "train_images": images["train"],
        "val_images": images["val"],
        "minutes": args.minutes,
        "seconds": round(seconds),
        "steps": last.step,
        "best_step": best.step,
        "epochs": round(last.step / epoch, 1),
    }
    record = {**environment("cpu"), "otadet": otadet.__version__}
    shown = {"image": original, "objects": dict(objects), **demo}
    write_results(FILE, record, {"detector": [row], "demo": [shown]})
    show(TARGET.name, [row])
    print(run(["docs/make_tables.py"], ROOT, args.threads))


if __name__ == "__main__":
    refusing(main)
