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
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from measure import RESULTS, Row, environment, show, write_results
from tqdm import tqdm

import otadet
from otadet.data import Dataset
from otadet.engine.predictor import Predictor
from otadet.evaluation import build_evaluator
from otadet.exp import load_class
from otadet.types import Detections, GroundTruth

Image = npt.NDArray[np.uint8]
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


def by_sahi(predictor: Predictor, **options: object) -> Callable[[Image], Detections]:
    """The same network cut into the same tiles by sahi."""
    from sahi.models.base import DetectionModel
    from sahi.predict import get_sliced_prediction
    from sahi.prediction import ObjectPrediction

    class Model(DetectionModel):
        def set_model(self, model: Predictor, **kwargs: object) -> None:
            self.model = model
            names = model.class_names
            self.category_mapping = {str(i): name for i, name in enumerate(names)}

        def perform_inference(self, image: Image) -> None:
            self._original_predictions = [self.model(np.ascontiguousarray(image))]

        def _create_object_prediction_list_from_original_predictions(
            self, shift_amount_list: list, full_shape_list: list | None = None
        ) -> None:
            # One image alone comes as a pair of numbers, several as a list of pairs.
            shift = np.reshape(shift_amount_list or [0, 0], (-1, 2))[0].tolist()
            shape = np.reshape(full_shape_list, (-1, 2))[0].tolist() if full_shape_list else None
            self._object_prediction_list_per_image = [[
                ObjectPrediction(
                    bbox=box, category_id=label, score=score, shift_amount=shift, full_shape=shape,
                    category_name=self.model.class_names[label],
                )
                for box, label, score in zip(each.boxes.tolist(), each.labels.tolist(),
                                             each.scores.tolist())
            ] for each in self._original_predictions]  # fmt: skip

    model = Model(model=predictor, confidence_threshold=SCORE, device="cpu")

    def detect(image: Image) -> Detections:
        found = get_sliced_prediction(
            image, model, slice_height=TILE, slice_width=TILE,
            overlap_height_ratio=OVERLAP / TILE, overlap_width_ratio=OVERLAP / TILE, verbose=0,
            **options,
        ).object_prediction_list  # fmt: skip
        found.sort(key=lambda each: -each.score.value)
        rows = [each.bbox.to_xyxy() for each in found[:MOST]]
        return Detections(
            torch.tensor(rows, dtype=torch.float32).reshape(-1, 4),
            torch.tensor([each.score.value for each in found[:MOST]]),
            torch.tensor([each.category.id for each in found[:MOST]], dtype=torch.int64),
        )

    return detect


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
    rows: dict[str, Callable[[Image], Detections]] = {
        "resized to 416 px": plain,
        "tiles": load(**tiles, tile_whole=False),
        "tiles and the whole image": load(**tiles),
        "sahi": by_sahi(plain, force_postprocess_type=True),
        "sahi, NMS": by_sahi(plain, postprocess_type="NMS", postprocess_match_metric="IOU",
                             postprocess_match_threshold=plain.exp.nms_threshold),
    }  # fmt: skip
    cls = load_class(name="yolox_nano")
    data = cls(
        data_dir=str(args.data), val_ann="annotations/val.json", val_images="images"
    ).build_val_data(plain.class_names)
    images = collages(data)[: args.images]
    gts = [gt for _, gt in images]
    scores = {name: build_evaluator(gts, plain.class_names, ("coco",), MOST) for name in rows}
    seconds: dict[str, list[float]] = defaultdict(list)
    for image, gt in tqdm(images, desc="collages", unit="image"):
        for name, detect in rows.items():
            start = time.process_time()
            found = detect(image)
            seconds[name].append(time.process_time() - start)
            scores[name].update(gt.image_id, found)
    table: list[Row] = []
    for name, evaluator in scores.items():
        metrics = evaluator.compute().metrics
        wanted = ("AP", "AP50", "APs", "APm", "APl")
        table.append({
            "how": name, **{key: round(metrics[key], 4) for key in wanted},
            "seconds an image": round(min(seconds[name]), 2), "images": len(images),
            "objects": sum(len(gt.boxes) for gt in gts),
        })  # fmt: skip
    show("large images", table)
    write_results(RESULTS / "tiles_cpu.json", environment("cpu"), {"rows": table})


if __name__ == "__main__":
    main()
