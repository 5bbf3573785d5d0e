"""Verification of an exported file: the same images through the file and through torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from onnx import ModelProto, TensorProto, helper
from torch import Tensor

from otadet.data import Letterbox, ShapesDataset, collate, read_image
from otadet.export.compare import Agreement, agreement
from otadet.export.nms_nodes import RAW_OUTPUTS
from otadet.export.onnx_graph import INPUT
from otadet.export.options import ExportOptions
from otadet.export.session import as_input, given_detections, open_session
from otadet.geometry import Size, padded
from otadet.models import Detector
from otadet.postprocess import Postprocess, combined_scores
from otadet.rng import generator
from otadet.types import Batch, Detections, Predictions, Sample

IMAGES = 8
"""Largest number of image files for the comparison."""

BOX_LIMIT = 0.05
"""Largest difference of a box's side, pixels of the input frame, inside the input."""

SCORE_LIMIT = 1e-4
"""Largest difference of a score."""

SCORE_FLOOR = 1e-3
"""Scores below it count as equal to it. onnxruntime's ``Sigmoid`` on CPUs is off by up to
1.4e-7 at any input, and gives 0 below -18; the square root of the geometric score rule enlarges
that error to 4e-4 near a score of 0, and to less than 1e-4 above this floor."""

Run = Callable[[Tensor], dict[str, npt.NDArray[Any]]]
"""A loaded file: uint8 images ``[B, 3, H, W]`` to its outputs by name."""


@dataclass(frozen=True)
class Trial:
    """Differences of one batch.

    Attributes:
        batch: number of images.
        size: height and width of the input.
        boxes: largest difference over the sides of all points' boxes, clipped to the input,
            pixels of the input frame.
        scores: largest difference over all points and classes, from :data:`SCORE_FLOOR` on.
        detections: agreement of the final detections of all images.
    """

    batch: int
    size: tuple[int, int]
    boxes: float
    scores: float
    detections: Agreement


@dataclass(frozen=True)
class Verification:
    """Result of comparing a file with the network."""

    trials: tuple[Trial, ...]

    @property
    def boxes(self) -> float:
        """Largest difference of a box's side, pixels; NaN where there was one."""
        return float(np.max([t.boxes for t in self.trials]))

    @property
    def scores(self) -> float:
        """Largest difference of a score; NaN where there was one."""
        return float(np.max([t.scores for t in self.trials]))

    @property
    def detections(self) -> Agreement:
        """Agreement of the detections of all trials."""
        return sum((t.detections for t in self.trials), Agreement(0, 0, 0))

    @property
    def passed(self) -> bool:
        """Whether the file equals the network; NaN is a failure."""
        close = self.boxes <= BOX_LIMIT and self.scores <= SCORE_LIMIT
        return close and self.detections.different == 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = self.detections
        return {
            "passed": self.passed,
            "largest_box_difference": self.boxes,
            "largest_score_difference": self.scores,
            "limits": {"boxes": BOX_LIMIT, "scores": SCORE_LIMIT, "scores_from": SCORE_FLOOR},
            "detections": asdict(found),
            "share_of_equal_detections": found.share,
            "trials": [asdict(t) for t in self.trials],
        }

    def __str__(self) -> str:
        found = self.detections
        tied = f" ({found.tied} more are decided by rounding)" if found.tied else ""
        return (
            f"largest difference {self.boxes:.2g} px in boxes (limit {BOX_LIMIT}), "
            f"{self.scores:.2g} in scores (limit {SCORE_LIMIT}); "
            f"{found.equal} of {found.total} detections equal, {found.share:.2%}{tied}"
        )


def verify(
    file: ModelProto,
    model: Detector,
    postprocess: Postprocess,
    options: ExportOptions,
    batches: Sequence[Batch],
) -> Verification:
    """Compare an ONNX file with the network on the CPU.

    Args:
        file: as read back after writing.
        model: the network in evaluation mode, on the CPU.
        postprocess: as in evaluation.
        options: with which the file was exported.
        batches: of shapes that the file takes.
    """
    return verify_run(_session(file, options), model, postprocess, options, batches)


def verify_run(
    run: Run,
    model: Detector,
    postprocess: Postprocess,
    options: ExportOptions,
    batches: Sequence[Batch],
) -> Verification:
    """Compare a loaded file of any format with the network, as :func:`verify`.

    Args:
        run: images ``[B, 3, H, W]`` uint8 to the file's outputs by name.
        model: see :func:`verify`, as the rest.
        postprocess: as in evaluation.
        options: with which the file was exported.
        batches: of shapes that the file takes.
    """
    return Verification(tuple(_trial(run, model, postprocess, options, b) for b in batches))


def _session(file: ModelProto, options: ExportOptions) -> Run:
    if options.nms:  # boxes and scores before NMS are compared too
        file = copy.deepcopy(file)
        for name in RAW_OUTPUTS[:2]:
            file.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = open_session(file.SerializeToString())
    names = [output.name for output in session.get_outputs()]

    def run(images: Tensor) -> dict[str, npt.NDArray[Any]]:
        return dict(zip(names, session.run(names, {INPUT: as_input(images, options.uint8)})))

    return run


@torch.no_grad()
def _trial(
    run: Run, model: Detector, postprocess: Postprocess, options: ExportOptions, batch: Batch
) -> Trial:
    preds: Predictions = model(batch.images)
    scores = combined_scores(preds.cls_logits, preds.quality_logits, postprocess.score_rule)
    out = {name: torch.from_numpy(value) for name, value in run(batch.images).items()}
    names = RAW_OUTPUTS[:2] if options.nms else ("boxes", "scores")
    size = (batch.images.shape[2], batch.images.shape[3])
    boxes = _difference(_inside(out[names[0]], size), _inside(preds.boxes.float(), size))
    ours = postprocess(preds, batch.geometries)
    theirs = (
        given_detections(out, batch.geometries)
        if options.nms
        else _selected(out, postprocess, preds, batch)
    )
    found = [
        agreement(a, b, postprocess, BOX_LIMIT / min(map(abs, g.scale)), SCORE_LIMIT)
        for a, b, g in zip(ours, theirs, batch.geometries)
    ]
    gap = _difference(out[names[1]].clamp(min=SCORE_FLOOR), scores.clamp(min=SCORE_FLOOR))
    return Trial(len(batch), size, boxes, gap, sum(found, Agreement(0, 0, 0)))


def _selected(
    out: dict[str, Tensor], postprocess: Postprocess, preds: Predictions, batch: Batch
) -> list[Detections]:
    return [
        postprocess.select(boxes, scores, preds.points.level, geometry)
        for boxes, scores, geometry in zip(out["boxes"], out["scores"], batch.geometries)
    ]


def _inside(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    limit = torch.tensor([size[1], size[0], size[1], size[0]], dtype=torch.float32)
    return torch.minimum(boxes.clamp(min=0), limit)


def _difference(a: Tensor, b: Tensor) -> float:
    if a.shape != b.shape:
        return float("inf")
    return float((a - b).abs().max())


def sample_batches(files: Sequence[Path], options: ExportOptions) -> list[Batch]:
    """Make the batches that a file is compared on: of two sizes and shapes where these are free.

    Args:
        files: images, of which at most :data:`IMAGES`, spread evenly, are read; empty for
            generated images.
        options: form of the file.
    """
    if files:
        chosen = np.linspace(0, len(files) - 1, min(IMAGES, len(files))).astype(int)
        images = [Sample.unlabelled(read_image(files[i])) for i in chosen]
    else:
        shapes = [ShapesDataset(2, seed=0, size=s) for s in ((240, 320), (320, 240))]
        images = [data.load(i) for data in shapes for i in range(len(data))]
    counts = (1, 2) if options.free_batch else (1,)
    sizes = (options.size, _other(options.size)) if options.free_size else (options.size,)
    while len(images) < sum(counts) * len(sizes):  # every combination once
        images = [*images, *images]
    batches: list[Batch] = []
    at = 0
    while at < len(images):
        turn = len(batches)
        count = counts[turn % len(counts)]
        size = sizes[(turn // len(counts)) % len(sizes)]
        fitted = [Letterbox(size)(s, generator(0)) for s in images[at : at + count]]
        batches.append(collate(fitted, size=size))
        at += count
    return batches


def _other(size: Size) -> Size:
    """A second shape: sides swapped, or a lower one where it is a square."""
    height, width = size
    return (width, height) if height != width else padded((height * 3 // 4, width), 32)
