"""What OTA is worth in other people's detectors: ``examples/`` beside their originals.

    python benchmarks/other_detectors.py --data ../shared/data/bccd --weights yolox_nano

torchvision's FCOS and RetinaNet and YOLOX as ``pixeltable-yolox`` has it train on the same batches,
with their own assignment and with OTA's, everything else equal: YOLOX-Nano's published backbone
(and in YOLOX neck and head), AdamW, averaged weights, images of 256 x 320 px of which half are
mirrored. Prints a table and writes ``benchmarks/results/other_detectors_cpu.json``.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from contenders import padded_labels
from measure import RESULTS, Row, environment, package, refusing, show, write_results
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import batched_nms, box_convert
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork
from tqdm import tqdm

from otadet.assign import OTA, Assigner, DynamicK
from otadet.data import collate
from otadet.engine.partial_load import load_partial
from otadet.engine.weights import open_weights
from otadet.exp import BaseExp, load_exp
from otadet.rng import generator
from otadet.types import Batch, Detections

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from torchvision_ota import OTAFCOS, OTARetinaNet
from yolox_ota import YoloxAssignments

SIZE = (256, 320)
STRIDES = (8, 16, 32)
CHANNELS = 64
BATCH = 8
LR = 0.001
FEWEST_SCORE = 0.01


class NanoPyramid(nn.Module):
    """YOLOX-Nano's backbone and torchvision's FPN."""

    out_channels = CHANNELS

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.pyramid = FeaturePyramidNetwork(list(backbone.channels), CHANNELS)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        levels = OrderedDict(zip("345", self.backbone(images)))
        found: dict[str, Tensor] = self.pyramid(levels)
        return found


class Torchvision(nn.Module):
    """torchvision's detector, original or with an assigner, over the small backbone."""

    def __init__(self, kind: type[nn.Module], exp: BaseExp, weights: Path, names: Any) -> None:
        super().__init__()
        network = exp.build_model(len(names))
        load_partial(network, open_weights(str(weights)), names)
        if issubclass(kind, FCOS):
            anchors = AnchorGenerator(tuple((s,) for s in STRIDES), ((1.0,),) * 3)
        else:
            sizes = [[4 * s * 2 ** (i / 3) for i in range(3)] for s in STRIDES]
            anchors = AnchorGenerator(tuple(map(tuple, sizes)), ((0.5, 1.0, 2.0),) * 3)
        self.detector = kind(
            NanoPyramid(network.backbone), num_classes=len(names), anchor_generator=anchors,
            image_mean=[0.0] * 3, image_std=[1.0] * 3, min_size=min(SIZE), max_size=max(SIZE),
            score_thresh=FEWEST_SCORE,
        )  # fmt: skip

    def loss(self, batch: Batch) -> Tensor:
        targets = [{"boxes": each.boxes, "labels": each.labels} for each in batch.targets]
        losses = self.detector(list(batch.images.float()), targets)
        return torch.stack(list(losses.values())).sum()

    def detect(self, batch: Batch) -> list[Detections]:
        found = self.detector(list(batch.images.float()))
        return [
            Detections(frame.to_image(each["boxes"]), each["scores"], each["labels"])
            for each, frame in zip(found, batch.geometries)
        ]


class Yolox(nn.Module):
    """YOLOX-Nano of ``pixeltable-yolox``, original or with an assigner."""

    def __init__(self, assigner: Assigner | None, weights: Path, names: Any) -> None:
        super().__init__()
        from yolox.config import YoloxConfig

        config = YoloxConfig.get_named_config("yolox_nano")
        config.num_classes = len(names)
        self.model = config.get_model()
        state = torch.load(weights, weights_only=True)["model"]
        own = self.model.state_dict()
        fits = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
        assert len(fits) > 0.95 * len(own), f"{weights}: {len(fits)} of {len(own)} tensors fit"
        self.model.load_state_dict(fits, strict=False)
        if assigner is not None:
            self.model.head.get_assignments = YoloxAssignments(assigner)

    def loss(self, batch: Batch) -> Tensor:
        total: Tensor = self.model(batch.images.flip(1).float(), padded_labels(batch.targets))[
            "total_loss"
        ]
        return total

    def detect(self, batch: Batch) -> list[Detections]:
        found = self.model(batch.images.flip(1).float())
        return [self._kept(each, frame) for each, frame in zip(found, batch.geometries)]

    def _kept(self, found: Tensor, frame: Any) -> Detections:
        scores = found[:, 4:5] * found[:, 5:]
        point, label = (scores > FEWEST_SCORE).nonzero(as_tuple=True)
        boxes, score = box_convert(found[point, :4], "cxcywh", "xyxy"), scores[point, label]
        keep = batched_nms(boxes, score, label, 0.65)
        return Detections(frame.to_image(boxes[keep]), score[keep], label[keep])


def with_assigner(kind: type[nn.Module], assigner: Assigner) -> type[nn.Module]:
    return type(kind.__name__, (kind,), {"assigner": assigner})


def batches(exp: BaseExp, steps: int, seed: int) -> Iterator[Batch]:
    """The same for every detector: shuffled images, letterboxed, every second one mirrored."""
    data = exp.build_train_data()
    builder = exp.build_sample_builder(SIZE)
    order: list[int] = []
    for step in range(steps):
        if len(order) < BATCH:
            order += generator(seed, step, 1).permutation(len(data)).tolist()
        chosen, order = order[:BATCH], order[BATCH:]
        yield collate([builder(data, i, generator(seed, step, i)) for i in chosen])


def trained(model: Any, exp: BaseExp, steps: int, seed: int, name: str) -> nn.Module:
    """Train, and return the averaged weights."""
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)
    optimizer = torch.optim.AdamW(model.parameters(), LR, weight_decay=0.05)
    for step, batch in enumerate(tqdm(batches(exp, steps, seed), name, steps)):
        rate = LR * min(1.0, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        model.loss(batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        average.update_parameters(model)
    module: nn.Module = average.module
    return module.eval()


@torch.no_grad()
def measured(model: Any, exp: BaseExp) -> dict[str, float]:
    """AP by the same evaluation for all."""
    data, transform = exp.build_val_data(), exp.build_val_transform()
    evaluator = exp.build_evaluator(data)
    for index in range(len(data)):
        batch = collate([transform(data.load(index), generator(0))])
        evaluator.update(batch.image_ids[0], model.detect(batch)[0])
    return evaluator.compute().metrics


def detectors(exp: BaseExp, weights: Path, names: Any) -> dict[str, Callable[[], nn.Module]]:
    """By name of detector and assignment."""
    forms: dict[str, Callable[[], nn.Module]] = {}
    for label, theirs, ours in (("FCOS", FCOS, OTAFCOS), ("RetinaNet", RetinaNet, OTARetinaNet)):
        kinds = {
            "its own": theirs, "OTA": ours,
            "OTA, q = 5": with_assigner(ours, OTA(supply=DynamicK(5))),
        }  # fmt: skip
        for rule, kind in kinds.items():
            forms[f"torchvision {label}|{rule}"] = lambda k=kind: Torchvision(
                k, exp, weights, names
            )
    yolox = OTA.yolox()
    rules = {
        "its own": None, "OTA": yolox, "OTA, q = 5": OTA(cost=yolox.cost, supply=DynamicK(5)),
    }  # fmt: skip
    for rule, assigner in rules.items():
        forms[f"YOLOX-Nano|{rule}"] = lambda a=assigner: Yolox(a, weights, names)
    return forms


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the data set")
    parser.add_argument("--weights", type=Path, required=True, help="YOLOX-Nano's file")
    parser.add_argument("--steps", type=int, default=300, help="of 8 images each (300)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    args = parser.parse_args()
    exp = load_exp(
        file=Path(__file__).with_name("small_fcos.py"),
        overrides={"data_dir": args.data, "input_size": SIZE, "test_size": SIZE, "crop": 0.0},
    )
    names = exp.build_val_data().class_names
    rows: list[Row] = []
    record = {**environment("cpu"), **{p: package(p) for p in ("torchvision", "pixeltable-yolox")}}
    for seed in args.seeds:
        for name, build in detectors(exp, args.weights, names).items():
            torch.manual_seed(seed)
            metrics = measured(trained(build(), exp, args.steps, seed, name), exp)
            detector, rule = name.split("|")
            rows.append(
                {"detector": detector, "assignment": rule, "seed": seed, "steps": args.steps,
                 **{key: round(metrics[key], 4) for key in ("AP", "AP50", "AP75")}}
            )  # fmt: skip
            print(rows[-1], flush=True)
            write_results(args.output / "other_detectors_cpu.json", record, {"runs": rows})
    show("other detectors", rows)


if __name__ == "__main__":
    refusing(main)
