"""An image of 20,000 x 20,000 px in training, detection and reading: peak memory and time.

    python benchmarks/large_image.py --folder /tmp/large --weights yolox_nano

Generates the image with 12 to 40 px large objects as TIFF (tiles of 256 px, deflate) and as JPEG,
about 1 GB, and deletes them at the end. Every row is a process of its own with one thread:

- all tiles of 640 px read once by otadet (``open_image``), and by OpenCV and Pillow, which decode
  the whole image first;
- training on tiles, 8 steps of 4, with a validation image of 1,000 px;
- detection in tiles of 640 px at 416 px, by ``otadet.load`` with YOLOX-nano.

Peak memory is the largest resident size of the process (``VmHWM``), the libraries included;
times are the CPU's. Needs ``otadet[large]`` and Pillow. Prints a table and writes
``benchmarks/results/large_image_cpu.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

SIDE, CELL, TILE, OVERLAP = 20_000, 1_000, 640, 128
STEPS, BATCH = 8, 4
SETTINGS = [
    f"tile={TILE}", f"tile_overlap={OVERLAP}", "input_size=320,320", "test_size=320,320",
    "workers=0", f"max_iters={STEPS}",
]  # fmt: skip


def tiles() -> list[tuple[int, int, int, int]]:
    """All tiles of the image."""
    from otadet.tiling import Tiling

    return [tile.box for tile in Tiling(TILE, OVERLAP).tiles((SIDE, SIDE))]


def plain_tiles() -> list[tuple[int, int, int, int]]:
    """The same in a process that knows nothing of otadet."""
    starts = [*range(0, SIDE - TILE, TILE - OVERLAP), SIDE - TILE]
    return [(x, y, x + TILE, y + TILE) for y in starts for x in starts]


def by_otadet(path: Path) -> None:
    from otadet.data import open_image

    image = open_image(path)
    for box in tiles():
        image.read(box)


def by_opencv(path: Path) -> None:
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(1 << 32)
    import cv2

    cv2.setNumThreads(1)
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    for left, top, right, bottom in plain_tiles():
        image[top:bottom, left:right].copy()


def by_pillow(path: Path) -> None:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path) as image:
        for box in plain_tiles():
            np.asarray(image.crop(box))


def training(path: Path) -> None:
    from otadet.cli.train import main

    folder = path.parent
    run = folder / f"run_{path.suffix[1:]}"
    words = [
        "-n", "quickstart", "-d", "cpu", "-b", str(BATCH), "-o", str(run), "--fp32",
        f"data_dir={folder}", f"train_ann=train_{path.suffix[1:]}.json", "val_ann=val.json",
        f"train_images={folder}", f"val_images={folder}", f"cache_dir={folder / 'cache'}",
        *SETTINGS,
    ]  # fmt: skip
    if main(words):
        raise SystemExit("training failed")


def detection(path: Path) -> None:
    import otadet

    detector = otadet.load(
        os.environ["WEIGHTS"], device="cpu", score=0.05, max_detections=20_000, tile=TILE,
        tile_overlap=OVERLAP,
    )  # fmt: skip
    print(f"{len(detector(path))} detections", file=sys.stderr)


def nothing(path: Path) -> None:
    import otadet.data
    import otadet.engine.trainer  # noqa: F401


TASKS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "libraries": ("otadet's libraries alone", nothing),
    "otadet": ("all tiles read, otadet", by_otadet),
    "opencv": ("all tiles read, OpenCV", by_opencv),
    "pillow": ("all tiles read, Pillow", by_pillow),
    "training": (f"training on tiles, {STEPS} steps of {BATCH}", training),
    "detection": ("detection in tiles", detection),
}


def write_data(folder: Path) -> dict[str, Path]:
    """Write the image as TIFF and JPEG, a small image for validation, and annotations."""
    import rasterio
    import rasterio.shutil
    from rasterio.windows import Window

    from otadet.data import ShapesDataset, write_image

    cells = ShapesDataset(20, seed=0, size=(CELL, CELL), object_size=(12.0, 40.0), crowding=0.2)
    loaded = [cells.load(i) for i in range(len(cells))]
    rows = []
    tif = folder / "large.tif"
    with rasterio.open(
        tif, "w", driver="GTiff", width=SIDE, height=SIDE, count=3, dtype="uint8", tiled=True,
        blockxsize=256, blockysize=256, compress="deflate", photometric="RGB",
    ) as file:  # fmt: skip
        for y in range(0, SIDE, CELL):
            line = [loaded[(x + 7 * y) // CELL % len(loaded)] for x in range(0, SIDE, CELL)]
            pixels = np.concatenate([each.image for each in line], axis=1)
            file.write(pixels.transpose(2, 0, 1), window=Window(0, y, SIDE, CELL))
            for i, each in enumerate(line):
                rows += coco_rows(each.boxes + np.array([i * CELL, y] * 2), each.labels)
    rasterio.shutil.copy(tif, folder / "large.jpg", driver="JPEG", quality=90)
    write_image(folder / "val.png", loaded[0].image)
    for name, image, side, found in (
        ("train_tif", "large.tif", SIDE, rows),
        ("train_jpg", "large.jpg", SIDE, rows),
        ("val", "val.png", CELL, coco_rows(loaded[0].boxes, loaded[0].labels)),
    ):
        content = {
            "images": [{"id": 1, "file_name": image, "width": side, "height": side}],
            "categories": [{"id": i + 1, "name": n} for i, n in enumerate(cells.class_names)],
            "annotations": [{"id": i + 1, **row} for i, row in enumerate(found)],
        }
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return {"TIFF": tif, "JPEG": folder / "large.jpg"}


def coco_rows(boxes: np.ndarray, labels: np.ndarray) -> list[dict[str, object]]:
    return [
        {"image_id": 1, "category_id": int(label) + 1, "iscrowd": 0,
         "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
        for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels)
    ]  # fmt: skip


def measure(task: str, path: Path, weights: str) -> dict[str, float]:
    """Run a task in a process of its own."""
    words = [sys.executable, __file__, "--task", task, "--path", str(path)]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(path.parent), "WEIGHTS": weights},
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_task(task: str, path: Path) -> None:
    """Do a task in this process and print what it took."""
    TASKS[task][1](path)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    memory = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    took = {"memory": int(memory) / 1024, "seconds": time.process_time()}
    print(json.dumps(took))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("runs"), help="for 4 GB of files")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--task", choices=TASKS, help="internal: one row, in this process")
    parser.add_argument("--path", type=Path, help="internal: of its image")
    args = parser.parse_args()
    if args.task:
        run_task(args.task, args.path)
        return
    from measure import RESULTS, environment, package, show, write_results

    folder = args.folder / "large_image"
    folder.mkdir(parents=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            paths = write_data(folder)
        table = []
        for task, (name, _) in TASKS.items():
            for kind, path in paths.items():
                if task == "libraries" and kind != "TIFF":
                    continue
                took = measure(task, path, args.weights)
                table.append({
                    "task": name, "file": "-" if task == "libraries" else kind,
                    "peak memory, MiB": round(took["memory"]),
                    "CPU seconds": round(took["seconds"], 1),
                    "file size, MB": round(path.stat().st_size / 1e6),
                })  # fmt: skip
                show("20,000 x 20,000 px", table[-1:])
    finally:
        shutil.rmtree(folder)
    show("20,000 x 20,000 px", table)
    record = {
        **environment("cpu"),
        **{name: package(name) for name in ("rasterio", "opencv-python-headless", "pillow")},
    }
    write_results(RESULTS / "large_image_cpu.json", record, {"rows": table})


if __name__ == "__main__":
    main()
