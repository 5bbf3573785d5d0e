"""Run a network over a data set: metrics for evaluation, detections for everything else."""

from __future__ import annotations

import torch
from torch import nn
from tqdm import tqdm

from otadet import dist
from otadet.data import Always, Dataset, EvalOrder, Single, build_loader
from otadet.engine.devices import loader_workers
from otadet.engine.precision import Precision
from otadet.evaluation import Evaluation
from otadet.exp import Exp
from otadet.types import Batch, Detections


@torch.no_grad()
def detect(
    model: nn.Module, batch: Batch, exp: Exp, device: torch.device, precision: Precision
) -> list[Detections]:
    """Detections of one batch, image frame, on the CPU."""
    images = batch.images.to(device, non_blocking=True)
    with precision.autocast():
        predictions = model(images)
    detections = exp.build_postprocess()(predictions, batch.geometries)
    return [d.to("cpu") for d in detections]


def evaluate(
    model: nn.Module,
    dataset: Dataset,
    exp: Exp,
    device: torch.device,
    precision: Precision,
    batch_size: int,
    progress: bool = True,
) -> Evaluation:
    """COCO metrics of ``model`` on ``dataset``; every picture once, split over the processes.

    Args:
        model: in evaluation mode, on ``device``.
        dataset: with classes in the order of the network's outputs.
        exp: resize, postprocess and evaluator.
        device: where the network runs.
        precision: of the forward pass.
        batch_size: pictures a step on this device.
        progress: show a bar.

    Returns:
        The same evaluation on every process.
    """
    order = EvalOrder(len(dataset), batch_size, rank=dist.rank(), world_size=dist.world_size())
    workers = loader_workers(exp.workers)
    plan = Always(Single(exp.build_val_transform()))
    loader = build_loader(dataset, plan, order, workers=workers)
    evaluator = exp.build_evaluator(dataset)
    bar = tqdm(
        loader,
        total=len(order),
        desc="evaluate",
        unit="batch",
        leave=False,
        disable=not (progress and dist.is_main()),
    )
    for batch in bar:
        for image_id, detections in zip(
            batch.image_ids, detect(model, batch, exp, device, precision)
        ):
            evaluator.update(image_id, detections)
    evaluator.merge(dist.gather_objects(evaluator.state()))
    return evaluator.compute()
