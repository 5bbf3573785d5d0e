"""Detection beside other packages, from resized images to detections; and NMS in crowds.

    python benchmarks/infer.py [--weights yolox_nano_coco.pth] [--bf16] [--compile] [--only nano]

All of a network's contenders take turns in every round, so that other work on the machine falls on
all alike; a number is the median of the rounds, a ratio is to otadet as it is. With one thread
(OMP_NUM_THREADS=1) CPU time is measured.

- ``pixeltable-yolox`` (imported as ``yolox``; ``pip install --no-deps pixeltable-yolox`` and
  psutil) has the same networks. Where weights are given both have them. Its postprocess takes the
  best class of a point, ours all.
- torchvision's ``fcos_resnet50_fpn`` has our FCOS-R50's layers but for the IoU branch's place; it
  gets images of the final size.

Networks but YOLOX-nano have random weights; the score threshold is 0.2 for them, so that no random
score is a candidate, and postprocess under load is what the crowds measure.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measure import RESULTS, Row, clock_of, environment, package, show, write_results
from torch import Tensor, nn
from torchvision.models.detection import fcos_resnet50_fpn
from torchvision.ops import batched_nms

from otadet.data.coco_classes import COCO_CLASSES
from otadet.engine.checkpoint import load_weights
from otadet.engine.weights import open_weights
from otadet.exp import Exp, load_exp
from otadet.export import ExportOptions, OnnxDetector, ResizeRule, metadata, to_onnx, write_metadata
from otadet.geometry import Geometry
from otadet.models import Detector, fuse
from otadet.postprocess import Postprocess
from otadet.types import Batch, Target

Call = Callable[[], Any]
CLASSES = len(COCO_CLASSES)
SIZES = {"yolox_nano": 416, "yolox_s": 416, "ota_fcos_r18": 416, "ota_fcos_r50": 320}
THRESHOLD = 0.2


@dataclass(frozen=True, eq=False)
class Subject:
    """A network of ours and the batch that it looks at."""

    name: str
    exp: Exp
    model: Detector
    postprocess: Postprocess
    batch: Batch
    size: int


def subject(name: str, batch_size: int, size: int, weights: Path | None) -> Subject:
    settings: dict[str, object] = {"test_size": (size, size), "resize": "letterbox"}
    if name.startswith("ota"):
        settings |= {"backbone_weights": None, "frozen_norm": False, "frozen_stages": 0}
    trained = name == "yolox_nano" and weights is not None
    exp = load_exp(name=name, overrides=settings if trained
                   else {**settings, "score_threshold": THRESHOLD})  # fmt: skip
    torch.manual_seed(0)
    model = exp.build_model(CLASSES).eval()
    if trained:
        load_weights(model, open_weights(str(weights), type(exp)))
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(
        0, 256, (batch_size, 3, size, size), generator=generator, dtype=torch.uint8
    ).contiguous(memory_format=torch.channels_last)
    geometry = Geometry.identity((size, size))
    empty = Target(torch.zeros((0, 4)), torch.zeros(0, dtype=torch.int64))
    batch = Batch(images, (empty,) * batch_size, (geometry,) * batch_size, tuple(range(batch_size)))
    return Subject(name, exp, model, exp.build_postprocess(), batch, size)


def ours(s: Subject, model: nn.Module, bf16: bool = False) -> Call:
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run() -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            preds = model(s.batch.images)
        return s.postprocess(preds, s.batch.geometries)

    return run


def in_onnxruntime(s: Subject) -> Call:
    options = ExportOptions(ResizeRule("letterbox", s.exp.test_size), dynamic="batch")
    file = to_onnx(s.model, s.postprocess, options, "torchscript").model
    entries = metadata(
        class_names=COCO_CLASSES, strides=[v.stride for v in grid(s)], options=options,
        postprocess=s.postprocess, experiment=s.name, settings=s.exp.as_dict(),
    )  # fmt: skip
    write_metadata(file, entries)
    detector = OnnxDetector.of(file)
    return lambda: detector(s.batch)


def grid(s: Subject) -> Any:
    with torch.no_grad():
        return s.model(s.batch.images[:1]).points.grid


def pixeltable(s: Subject, weights: Path | None) -> Call:
    from yolox.config import YoloxConfig
    from yolox.utils.boxes import postprocess

    model = YoloxConfig.get_named_config(s.name).get_model().eval()
    if s.name == "yolox_nano" and weights is not None:
        model.load_state_dict(torch.load(weights, weights_only=True)["model"])
    images = s.batch.images.flip(1).float()  # its preprocessing gives BGR, float32
    images = images.contiguous(memory_format=torch.channels_last)
    model = model.to(memory_format=torch.channels_last)
    score, nms = s.postprocess.score_threshold, s.postprocess.nms_threshold
    return lambda: postprocess(model(images), CLASSES, score, nms)


def torchvision_fcos(s: Subject) -> Call:
    model = fcos_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=CLASSES, min_size=s.size,
        max_size=s.size, score_thresh=s.postprocess.score_threshold,
        nms_thresh=s.postprocess.nms_threshold, topk_candidates=1000,
    ).eval().to(memory_format=torch.channels_last)  # fmt: skip
    images = list(s.batch.images.float() / 255)
    return lambda: model(images)


def contenders(s: Subject, args: argparse.Namespace) -> dict[str, Call]:
    calls = {"otadet": ours(s, s.model), "otadet fused": ours(s, fuse(s.model))}
    if args.bf16:
        calls["otadet bf16"] = ours(s, s.model, bf16=True)
    if args.compile:
        calls["otadet compiled"] = ours(s, torch.compile(fuse(s.model)))  # type: ignore[arg-type]
    calls["otadet onnxruntime"] = in_onnxruntime(s)
    if s.name.startswith("yolox") and package("pixeltable-yolox"):
        calls["pixeltable-yolox"] = pixeltable(s, args.weights)
    if s.name == "ota_fcos_r50":
        calls["torchvision"] = torchvision_fcos(s)
    return calls


def timed(calls: dict[str, Call], rounds: int, warm: bool = False) -> dict[str, float]:
    """Median milliseconds of each, in turns; with ``warm`` each runs once just before its turn, as
    what takes a millisecond depends on what the one before left in the cache."""
    now = clock_of("cpu")
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):  # the first warms up
        for name, call in calls.items():
            if warm:
                call()
            start = now()
            call()
            if turn:
                seconds[name].append(now() - start)
    return {name: 1e3 * statistics.median(values) for name, values in seconds.items()}


def network_rows(name: str, batch_size: int, args: argparse.Namespace) -> list[Row]:
    s = subject(name, batch_size, args.size or SIZES[name], args.weights)
    times = timed(contenders(s, args), args.rounds)
    return [
        {
            "network": name, "size": s.size, "batch": batch_size, "who": who,
            "ms_an_image": ms / batch_size, "ratio": ms / times["otadet"],
        }
        for who, ms in times.items()
    ]  # fmt: skip


def crowd(count: int, classes: int) -> tuple[Tensor, Tensor]:
    """``count`` boxes around a twentieth as many objects, and the one class score of each."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand((count // 20, 2), generator=generator) * 1200
    side = 20 + 80 * torch.rand((count // 20, 2), generator=generator)
    which = torch.arange(count) % (count // 20)
    middle = centre[which] + 4 * torch.randn((count, 2), generator=generator)
    half = side[which] * (1 + 0.1 * torch.randn((count, 2), generator=generator)).clamp(min=0.5) / 2
    scores = torch.zeros(count, CLASSES)
    label = which % classes
    scores[torch.arange(count), label] = 0.1 + 0.9 * torch.rand(count, generator=generator)
    return torch.cat([middle - half, middle + half], dim=1), scores


def crowd_rows(count: int, classes: int, rounds: int) -> list[Row]:
    boxes, scores = crowd(count, classes)
    level = torch.zeros(count, dtype=torch.int64)
    frame = Geometry.identity((1280, 1280))
    size = (boxes[:, 2:] - boxes[:, :2], (boxes[:, :2] + boxes[:, 2:]) / 2)
    table = torch.cat([size[1], size[0], torch.ones(count, 1), scores], dim=1)[None]
    score, label = scores.max(dim=1)

    def select(**changes: Any) -> Call:
        postprocess = Postprocess(score_threshold=0.05, nms_threshold=0.6, **changes)
        return lambda: postprocess.select(boxes, scores, level, frame)

    calls: dict[str, Call] = {
        "otadet": select(),
        "otadet, all candidates": select(candidates=count),
        "otadet, soft, all candidates": select(candidates=count, nms_kind="gaussian"),
        "torchvision batched_nms alone": lambda: batched_nms(boxes, score, label, 0.6),
    }
    if package("pixeltable-yolox"):
        from yolox.utils.boxes import postprocess

        calls["pixeltable-yolox"] = lambda: postprocess(table.clone(), CLASSES, 0.05, 0.6)
    times = timed(calls, rounds, warm=True)
    return [
        {"candidates": count, "classes": classes, "who": who, "ms": ms,
         "ratio": ms / times["otadet"]}
        for who, ms in times.items()
    ]  # fmt: skip


@torch.no_grad()
def main() -> None:
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--weights", type=Path, help="official weights of YOLOX-nano on COCO")
    p.add_argument("--bf16", action="store_true", help="also in bfloat16")
    p.add_argument("--compile", action="store_true", help="also with torch.compile: takes minutes")
    p.add_argument(
        "--size", type=int, help="side of the input, a multiple of 32; default by network"
    )
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--only", default="", help="networks whose name has this in it")
    p.add_argument("-o", "--output", type=Path, default=RESULTS / "infer_cpu.json")
    args = p.parse_args()
    names = ("pixeltable-yolox", "torchvision", "onnxruntime")
    about = {**environment("cpu"), **{name: package(name) for name in names}}
    crowds = [
        row for count in (1000, 10_000) for classes in (1, 80)
        for row in crowd_rows(count, classes, args.rounds)
    ]  # fmt: skip
    show("nms", crowds)
    networks: list[Row] = []
    for name in (name for name in SIZES if args.only in name):
        for batch_size in (1, 8):
            networks += network_rows(name, batch_size, args)
            write_results(args.output, about, {"networks": networks, "nms": crowds})
    show("networks", networks)


if __name__ == "__main__":
    main()
