"""The parts that both experiments take, whatever their networks."""

from __future__ import annotations

from pathlib import Path

from toy_parts import COUNTING, CornerLoss, NearestCentre, Negative, Patches, TextFileDataset

from otadet.assign import Assigner
from otadet.criteria import Criterion
from otadet.data import Dataset
from otadet.data.transforms import Transform
from otadet.evaluation import Evaluator
from otadet.exp import BaseExp
from otadet.models import Backbone


class ToyParts(BaseExp):
    data_dir: str | None = None
    best_metric = "count_error"
    input_size = (64, 64)
    test_size = (64, 64)
    batch_size = 2

    def build_backbone(self) -> Backbone:
        return Patches()

    def build_assigner(self) -> Assigner:
        return NearestCentre()

    def build_criterion(self) -> Criterion:
        return CornerLoss(self.build_assigner())

    def build_post_transform(self) -> Transform | None:
        return Negative()

    def build_train_data(self) -> Dataset:
        return TextFileDataset(Path(self.data_dir or ".") / "boxes.txt")

    def build_val_data(self, class_names: tuple[str, ...] | None = None) -> Dataset:
        return self.build_train_data()

    def build_evaluator(self, dataset: Dataset) -> Evaluator:
        gts = [dataset.ground_truth(index) for index in range(len(dataset))]
        return Evaluator(gts, dataset.class_names, [COUNTING])
