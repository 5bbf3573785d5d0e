"""Report of a finished run: curves, detections beside ground truth, assignments."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import torch
from loguru import logger

from otadet import dist
from otadet.choices import DEFAULT_SCORE
from otadet.data import (
    ArrayImage,
    Dataset,
    WindowedImage,
    collate,
    open_sample,
    overview,
    write_image,
)
from otadet.data.summary import summary_lines
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.evaluate import detect
from otadet.engine.run_record import RunRecord, Start, read_record, versions
from otadet.engine.running_metrics import summary_table
from otadet.engine.tiled import TILES, detect_tiled, whole_sample
from otadet.engine.trainer import Trainer
from otadet.evaluation import headline
from otadet.experiments import own_experiments
from otadet.geometry import padded
from otadet.models import count_flops
from otadet.rng import generator
from otadet.texts import indented
from otadet.types import Batch, Detections, Sample
from otadet.visualize import draw_assignment, draw_boxes, draw_curves, side_by_side
from otadet.visualize.boxes import Image, viewable

IMAGES = 6


def announce(trainer: Trainer) -> None:
    """Log data, network, batch, device and length of the run, and write them to ``run.json``."""
    if not dist.is_main():
        return
    record = make_record(trainer)
    for lines in record.data.values():
        for line in lines:
            logger.info("{}", line)
    exp, batch, world = trainer.exp, trainer.options.batch_size, dist.world_size()
    logger.info("network: {}", record.network)
    parts = f" in {exp.accumulate} parts" if exp.accumulate > 1 else ""
    logger.info("batch {} in all = {} x {}{}; lr {}", batch, world, batch // world, parts,
                _rates(trainer))  # fmt: skip
    if trainer.plan.fixed:
        logger.info(
            "{}: {} steps = {:.1f} epochs of {}",
            exp.name, trainer.total, trainer.total / trainer.epoch_steps, trainer.epoch_steps,
        )  # fmt: skip
    else:
        logger.info(
            "{}: {:g} minutes; an epoch has {} steps; they are planned once they are timed",
            exp.name, exp.minutes, trainer.epoch_steps,
        )  # fmt: skip
    record.save(trainer.options.output)


def make_record(trainer: Trainer) -> RunRecord:
    """Describe the run that begins or goes on; earlier starts are those of its ``run.json``."""
    exp, options = trainer.exp, trainer.options
    train_lines = summary_lines(trainer.train_data, "train")
    val_lines = summary_lines(trainer.val_data, "val")
    settings, defaults = exp.as_dict(), exp.defaults()
    before = read_record(options.output) if options.resume else None
    model = trainer.state.model
    parameters = sum(p.numel() for p in model.parameters())
    flops = count_flops(model, padded(exp.test_size, 32))
    return RunRecord(
        experiment=exp.name,
        file=exp.file,
        settings=settings,
        defaults={k: v for k, v in defaults.items() if v != settings[k]},
        class_names=tuple(trainer.class_names),
        steps=trainer.total,
        epoch_steps=trainer.epoch_steps,
        batch_size=options.batch_size,
        precision=options.precision.name,
        network=f"{parameters / 1e6:.2f} M parameters, {flops / 1e9:.2f} GFLOPs an image",
        data={
            "train": train_lines,
            # What holds for both parts of a divided set is said once.
            "val": [line for line in val_lines if line not in train_lines],
        },
        versions=versions(),
        starts=(
            *(before.starts if before else ()),
            Start.now(trainer.state.step, trainer.device, dist.world_size()),
        ),
    )


def _rates(trainer: Trainer) -> str:
    """Format the learning rates of the parameter groups after the warm-up."""
    base, shares = trainer.course.schedule.base_lr, dict.fromkeys(trainer.state.lr_shares)
    return ", ".join(f"{base * share:g}" for share in shares)


def has_report(folder: Path) -> bool:
    """Whether the report in ``folder`` is complete: its images are written last."""
    return any((folder / "pictures").glob("assignment_*.jpg"))


def write_report(trainer: Trainer) -> None:
    """Write curves and images to the run directory and log a summary."""
    if not draw_report(trainer, trainer.options.output):
        logger.info("no curves.png: matplotlib is not installed (pip install 'otadet[log]')")
    _log_summary(trainer)


@torch.no_grad()
def draw_report(trainer: Trainer, folder: Path) -> bool:
    """Write curves and images to a folder; returns whether there are curves."""
    trainer.state.eval_model.eval()  # without averaged weights it is the one that was training
    curves = draw_curves(
        trainer.options.output / "metrics.jsonl", folder / "curves.png", trainer.totals.terms,
        trainer.exp.best_metric,
    )  # fmt: skip
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    count = min(IMAGES, len(trainer.val_data))
    indices = np.linspace(0, len(trainer.val_data) - 1, count).astype(int).tolist()
    point = trainer.state.operating_point
    score = point.score if point else DEFAULT_SCORE
    for index in indices:
        write_image(pictures / f"val_{index:05d}.jpg", _beside_gt(trainer, index, score))
    data = trainer.exp.in_tiles(trainer.val_data)
    for index in np.linspace(0, len(data) - 1, count).astype(int).tolist()[:2]:
        write_image(pictures / f"assignment_{index:05d}.jpg", _assignment(trainer, data, index))
    return curves


def _log_summary(trainer: Trainer) -> None:
    folder, file = trainer.options.output, trainer.exp.file
    best = shlex.quote(str(folder / "best.pth"))
    # A checkpoint's own name is enough where it leads to the experiment's file.
    found = str(own_experiments().get(trainer.exp.name, "")) == file
    own = "" if found else f"-f {shlex.quote(file)} "
    metrics = trainer.state.metrics
    # Not of the last evaluation but of the best one.
    logger.info(
        "{}; demo and otadet.load take it", load_checkpoint(folder / "best.pth").score_origin
    )
    rows = {
        "report.html": "all of this on one page, to open in a browser",
        "best.pth": "weights to use: demo, eval, export",
        "last.pth": "state of the training, for --resume",
        "log.txt, metrics.json, .jsonl, .csv": "log and numbers",
        "tensorboard": "the same numbers",
        "curves.png": "losses, AP, assignment",
        "pictures": "validation images; points that each object got",
    }  # fmt: skip
    there = {name: text for name, text in rows.items() if "," in name or (folder / name).exists()}
    lines = [
        summary_table(trainer.totals, trainer.state, trainer.exp.best_metric, trainer.device),
        f"written to {folder}/",
        *(f"  {name: <35}  {text}" for name, text in there.items()),
        "What to try next:",
        f"  otadet demo image {own}-c {best} --path IMAGE_OR_FOLDER",
        f"  otadet export {own}-c {best} --output best.onnx",
        f"  otadet eval {own}-c {best} --plots" if trainer.exp.data_dir else
        "  otadet train YOUR_DATA   (see README.md)",
    ]  # fmt: skip
    logger.info(
        "finished: {}\n{}",
        headline(metrics, trainer.exp.best_metric), indented("\n".join(lines)),
    )  # fmt: skip


def _beside_gt(trainer: Trainer, index: int, score: float) -> Image:
    sample, opened = _opened(trainer, index)
    found = _detected(trainer, opened, sample.geometry.amodal).above(score)
    pixels, shrunk = overview(opened)
    image, factor = viewable(pixels, shortest=480)
    factor, truth = factor / shrunk, sample.target()
    names = trainer.class_names
    return side_by_side(
        draw_boxes(image, truth.boxes * factor, truth.labels, names),
        draw_boxes(image, found.boxes * factor, found.labels, names, found.scores),
        (f"ground truth: {len(truth)}", f"detections with score >= {score:g}: {len(found)}"),
    )


def _opened(trainer: Trainer, index: int) -> tuple[Sample, WindowedImage]:
    """Open a validation image as the evaluation does."""
    if trainer.exp.build_tiling() is not None:
        return open_sample(trainer.val_data, index)
    sample = trainer.val_data.load(index)
    return sample, ArrayImage(sample.image)


def _detected(trainer: Trainer, image: WindowedImage, amodal: bool) -> Detections:
    """Detect as the evaluation does."""
    exp, tiling = trainer.exp, trainer.exp.build_tiling()

    def run(batch: Batch) -> list[Detections]:
        return detect(
            trainer.state.eval_model, batch, exp, trainer.device, trainer.options.precision
        )

    if tiling is None:
        sample = exp.build_val_transform()(whole_sample(image, amodal), generator(0))
        return run(collate([sample]))[0]
    return detect_tiled(image, exp, tiling, run, TILES, amodal)


def _assignment(trainer: Trainer, data: Dataset, index: int) -> Image:
    sample = trainer.exp.build_val_transform()(data.load(index), generator(0))
    batch = collate([sample]).to(trainer.device)
    with trainer.options.precision.autocast():
        predictions = trainer.state.eval_model(batch.images).dense
    assignment = trainer.exp.build_assigner()(predictions, batch.targets)
    return draw_assignment(sample.image, predictions.points, assignment, batch.targets[0])
