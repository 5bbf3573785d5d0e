"""Evaluation of a network on a data set, and its validation loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from otadet import dist
from otadet.criteria import Criterion
from otadet.data import (
    Dataset,
    EvalOrder,
    OneImage,
    Repeated,
    RoundRobin,
    WindowedImage,
    build_loader,
    open_sample,
)
from otadet.data.transforms import Transform
from otadet.engine.devices import loader_workers
from otadet.engine.precision import Precision
from otadet.engine.step import finite_images
from otadet.engine.tiled import over_tiles
from otadet.engine.tta import ViewMerger, detect_in_chunks, view_postprocess
from otadet.evaluation import Evaluation, Evaluator
from otadet.exp import BaseExp
from otadet.media import prefetch
from otadet.postprocess import Postprocess
from otadet.tta import Augmentation
from otadet.types import Batch, Detections, Predictions, Target

T = TypeVar("T")


@torch.no_grad()
def detect(
    model: nn.Module, batch: Batch, exp: BaseExp, device: torch.device, precision: Precision
) -> list[Detections]:
    """Detect in one batch; image frame, on the CPU."""
    predictions = predict(model, batch, device, precision)
    return _detections(predictions, batch, exp.build_postprocess())


@torch.no_grad()
def predict(
    model: nn.Module, batch: Batch, device: torch.device, precision: Precision
) -> Predictions:  # fmt: skip
    """Predict one batch; input frame, on the device."""
    images = batch.images.to(device, non_blocking=True)
    with precision.autocast():
        predictions: Predictions = model(images)
    return predictions


def _detections(
    predictions: Predictions, batch: Batch, postprocess: Postprocess
) -> list[Detections]:
    return [d.to("cpu") for d in postprocess(predictions, batch.geometries)]


class ValLoss:
    """Loss over a whole data set, as if it were one batch.

    A batch's terms are sums over points divided by its number of positives; they are multiplied
    with it, added up and divided by the number of all. Processes may have different numbers of
    batches, so nothing is exchanged before the end.

    Args:
        criterion: of the run.
    """

    def __init__(self, criterion: Criterion) -> None:
        self._criterion = criterion
        self._sums: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self, predictions: Predictions, targets: Sequence[Target]) -> None:
        """Add a batch; non-finite predictions make the loss non-finite."""
        if not bool(finite_images(predictions).all()):
            self._sums["loss"] = torch.full((), torch.nan)
            return
        with dist.local_only(), _same_draws(predictions.boxes.device):
            report = self._criterion(predictions, targets)
        norm = report.positives.clamp(min=1.0)
        values = {"loss": report.total * norm, **{k: v * norm for k, v in report.terms.items()}}
        for name, value in {**values, "positives": report.positives}.items():
            value = value.detach().double().cpu()
            self._sums[name] = self._sums.get(name, torch.zeros((), dtype=value.dtype)) + value

    def compute(self) -> dict[str, float]:
        """Return ``loss`` and its terms, equal in every process; empty where not finite."""
        parts = dist.gather_objects({k: float(v) for k, v in self._sums.items()})
        sums: dict[str, float] = {}
        for part in parts:
            for name, value in part.items():
                sums[name] = sums.get(name, 0.0) + value
        norm = max(sums.pop("positives", 0.0), 1.0)
        means = {name: value / norm for name, value in sums.items()}
        return means if all(math.isfinite(v) for v in means.values()) else {}


@contextmanager
def _same_draws(device: torch.device) -> Iterator[None]:
    """Give a criterion (Faster R-CNN's samples) the same random numbers in every evaluation.

    The run's own go on as if there had been none.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(0)
        yield


def evaluate(
    model: nn.Module,
    dataset: Dataset,
    exp: BaseExp,
    device: torch.device,
    precision: Precision,
    batch_size: int,
    loss: ValLoss | None = None,
    mark: Callable[[str], None] = lambda phase: None,
    evaluator: Evaluator | None = None,
    augmentation: Augmentation | None = None,
) -> Evaluation:
    """Compute the experiment's metrics of ``model`` on ``dataset``.

    Every image is taken once; the images are split over the processes.

    Args:
        model: in evaluation mode, on ``device``.
        dataset: with classes in the order of the network's outputs.
        exp: resize, postprocess and evaluator.
        device: where the network runs.
        precision: of the forward pass.
        batch_size: images a step on this device.
        loss: is given the predictions and the objects of every batch, of every view too; not of
            tiles.
        mark: is told that the evaluation still moves.
        evaluator: gathers the detections; by default a new one of the experiment's.
        augmentation: views of each image in place of the plain pass, one after the other.

    Returns:
        The same evaluation on every process.
    """
    postprocess, tiling = exp.build_postprocess(), exp.build_tiling()
    if augmentation is not None:
        postprocess = view_postprocess(exp, augmentation)

    def detect_piece(batch: Batch) -> list[Detections]:
        predictions = predict(model, batch, device, precision)
        if loss is not None and tiling is None:
            loss.add(predictions, batch.to(device).targets)
        return _detections(predictions, batch, postprocess)

    def run(batch: Batch) -> list[Detections]:
        if augmentation is None:
            return detect_piece(batch)
        return detect_in_chunks(detect_piece, batch, exp, batch_size)

    if tiling is not None:
        tiles = over_tiles(exp, tiling, detect_piece, batch_size)
        return evaluate_images(tiles, dataset, exp, mark, evaluator)
    return evaluate_with(
        run, exp.build_val_transform(), dataset, exp, batch_size, mark, evaluator,
        augmentation,
    )  # fmt: skip


def evaluate_images(
    run: Callable[[WindowedImage, bool], Detections],
    dataset: Dataset,
    exp: BaseExp,
    mark: Callable[[str], None] = lambda phase: None,
    evaluator: Evaluator | None = None,
) -> Evaluation:
    """Evaluate a function that detects in one image of any size, such as tile by tile.

    Args:
        run: from an image, and whether boxes are amodal, to detections in its pixels, on the CPU.
        dataset: with classes in the order of the labels.
        exp: its evaluator.
        mark: is told that the evaluation still moves.
        evaluator: see :func:`evaluate`.
    """
    order = EvalOrder(len(dataset), 1, rank=dist.rank(), world_size=dist.world_size())
    evaluator = exp.build_evaluator(dataset) if evaluator is None else evaluator
    opened = (open_sample(dataset, each.image) for (each,) in order.batches(0))
    with closing(prefetch(opened, 1)) as samples:
        for sample, image in _bar(samples, len(order), "image"):
            mark("evaluate")
            evaluator.update(sample.image_id, run(image, sample.geometry.amodal))
    return _gathered(evaluator, mark)


def _bar(items: Iterable[T], total: int, unit: str) -> Iterable[T]:
    bar: Iterable[T] = tqdm(
        items, total=total, desc="evaluate", unit=unit, leave=False,
        disable=None if dist.is_main() else True,  # None: only on a terminal
    )  # fmt: skip
    return bar


def _gathered(evaluator: Evaluator, mark: Callable[[str], None]) -> Evaluation:
    """Put the detections of all processes together and compute the metrics."""
    mark("evaluate: the other processes")
    evaluator.merge(dist.gather_objects(evaluator.state()))
    mark("evaluate: metrics")
    return evaluator.compute()


def evaluate_with(
    run: Callable[[Batch], list[Detections]],
    transform: Transform,
    dataset: Dataset,
    exp: BaseExp,
    batch_size: int,
    mark: Callable[[str], None] = lambda phase: None,
    evaluator: Evaluator | None = None,
    augmentation: Augmentation | None = None,
) -> Evaluation:
    """Evaluate any function from batch to detections, such as an exported file.

    Args:
        run: from a batch to the detections of its images, image frame, on the CPU.
        transform: the resize, where nothing is augmented.
        dataset: with classes in the order of the labels.
        exp: evaluator and loader.
        batch_size: images a step on this device.
        mark: is told that the evaluation still moves.
        evaluator: see :func:`evaluate`.
        augmentation: its views take the place of ``transform``.
    """
    images = EvalOrder(len(dataset), batch_size, rank=dist.rank(), world_size=dist.world_size())
    views = [v.transform for v in augmentation.views] if augmentation else [transform]
    order = Repeated(images, len(views))
    plan, merging = RoundRobin(tuple(OneImage(view) for view in views)), ViewMerger(augmentation)
    loader = build_loader(dataset, plan, order, workers=loader_workers(exp.workers))
    evaluator = exp.build_evaluator(dataset) if evaluator is None else evaluator
    with closing(iter(loader)) as batches:
        for batch in _bar(batches, len(order), "batch"):
            mark("evaluate")
            for image_id, detections in zip(batch.image_ids, merging.add(run(batch)) or ()):
                evaluator.update(image_id, detections)
    return _gathered(evaluator, mark)
