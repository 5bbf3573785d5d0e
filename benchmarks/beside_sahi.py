"""Shared by the benchmarks of large images: sahi on our network, and rows side by side."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from measure import Row
from tqdm import tqdm

from otadet.engine.predictor import Predictor
from otadet.evaluation import build_evaluator
from otadet.tiling import Tiling
from otadet.types import Detections, GroundTruth

Image = npt.NDArray[np.uint8]
Detect = Callable[[Image], Detections]


def side_by_side(
    rows: Mapping[str, Detect],
    images: Sequence[tuple[Image, GroundTruth]],
    class_names: tuple[str, ...],
    most: int,
) -> list[Row]:
    """AP and the CPU's time of an image, of every row; asked in turn, image by image.

    AP by size counts pixels of the images as they are.
    """
    gts = [gt for _, gt in images]
    scores = {name: build_evaluator(gts, class_names, ("coco",), most) for name in rows}
    seconds: dict[str, list[float]] = defaultdict(list)
    for image, gt in tqdm(images, desc="large images", unit="image"):
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
    return table


def by_sahi(
    predictor: Predictor, tiling: Tiling, score: float, most: int, **options: object
) -> Callable[[Image], Detections]:
    """The same network over the same tiles by sahi, its ``most`` best detections."""
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

    model = Model(model=predictor, confidence_threshold=score, device="cpu")

    def detect(image: Image) -> Detections:
        found = get_sliced_prediction(
            image, model, slice_height=tiling.size, slice_width=tiling.size, verbose=0,
            overlap_height_ratio=tiling.overlap / tiling.size,
            overlap_width_ratio=tiling.overlap / tiling.size, **options,
        ).object_prediction_list  # fmt: skip
        found.sort(key=lambda each: -each.score.value)
        rows = [each.bbox.to_xyxy() for each in found[:most]]
        return Detections(
            torch.tensor(rows, dtype=torch.float32).reshape(-1, 4),
            torch.tensor([each.score.value for each in found[:most]]),
            torch.tensor([each.category.id for each in found[:most]], dtype=torch.int64),
        )

    return detect
