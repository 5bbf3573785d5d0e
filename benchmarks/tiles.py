"""Large images of small objects: resized, in tiles, and in tiles by ``sahi``, on the same weights.

    python benchmarks/tiles.py --data ../shared/data/coco256 --weights yolox_nano

Collages of 4 x 4 validation images of COCO, each unscaled in a cell of 640 px: 2,560 x 2,560 px.
The network is YOLOX-nano at 416 px. Rows are asked in turn, image by image, on one thread; times
are the CPU's of one image, decoding left out. ``sahi`` (``pip install sahi``, MIT) cuts the same
tiles, with its default merging of boxes and with NMS. Prints a table and writes
``benchmarks/results/tiles_cpu.json``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from beside_sahi import Detect, Image, by_sahi, side_by_side
from measure import RESULTS, environment, show, write_results

import otadet
from otadet.data import Dataset
from otadet.engine.predictor import Predictor
from otadet.exp import load_class
from otadet.tiling import Tiling
from otadet.types import GroundTruth

CELL, ACROSS = 640, 4
SCORE = 0.01
MOST = 1000
TILE, OVERLAP = 416, 84


def collages(data: Dataset) -> list[tuple[Image, GroundTruth]]:
    """Images of ``ACROSS x ACROSS`` images of the set with their ground truth."""
    found = []
    cells = ACROSS * ACROSS
    for first in range(0, len(data) - cells + 1, cells):
        canvas = np.full((CELL * ACROSS, CELL * ACROSS, 3), 114, np.uint8)
        parts: dict[str, list[npt.NDArray[np.generic]]] = defaultdict(list)
        for index in range(cells):
            sample, gt = data.load(first + index), data.ground_truth(first + index)
            row, column = divmod(index, ACROSS)
            height, width = sample.image.shape[:2]
            y, x = row * CELL, column * CELL
            canvas[y : y + height, x : x + width] = sample.image
            shift = np.array([x, y, x, y], np.float32)
            parts["boxes"].append(gt.boxes + shift)
            parts["ignore_boxes"].append(gt.ignore_boxes + shift)
            parts["labels"].append(gt.labels)
            parts["areas"].append(gt.areas)
        joined = {name: np.concatenate(values) for name, values in parts.items()}
        found.append(
            (canvas, GroundTruth(len(found), f"{len(found)}.png", canvas.shape[:2], **joined))
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with annotations/val.json")
    parser.add_argument("--weights", default="yolox_nano", help="file or published name")
    parser.add_argument("--images", type=int, default=8, help="collages")
    args = parser.parse_args()
    torch.set_num_threads(1)

    def load(**settings: object) -> Predictor:
        return otadet.load(
            args.weights, device="cpu", score=SCORE, max_detections=MOST, **settings
        ).predictor

    tiles = {"tile": TILE, "tile_overlap": OVERLAP}
    plain = load()
    tiling = Tiling(TILE, OVERLAP)
    rows: dict[str, Detect] = {
        "resized to 416 px": plain,
        "tiles": load(**tiles, tile_whole=False),
        "tiles and the whole image": load(**tiles),
        "sahi": by_sahi(plain, tiling, SCORE, MOST, force_postprocess_type=True),
        "sahi, NMS": by_sahi(
            plain, tiling, SCORE, MOST, postprocess_type="NMS", postprocess_match_metric="IOU",
            postprocess_match_threshold=plain.exp.nms_threshold,
        ),
    }  # fmt: skip
    cls = load_class(name="yolox_nano")
    data = cls(
        data_dir=str(args.data), val_ann="annotations/val.json", val_images="images"
    ).build_val_data(plain.class_names)
    images = collages(data)[: args.images]
    table = side_by_side(rows, images, plain.class_names, MOST)
    show("large images", table)
    write_results(RESULTS / "tiles_cpu.json", environment("cpu"), {"rows": table})


if __name__ == "__main__":
    main()
