"""OTA in other people's detectors: ``examples/``; YOLOX's is in ``test_yolox_rival.py``."""

import subprocess
import sys
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork

from otadet.assign import OTA, SimOTA, assign_tensors
from tests.helpers import example, random_predictions, target

OTHERS = example("torchvision_ota")


def test_the_assigners_need_torch_and_numpy_alone() -> None:
    code = (
        "import sys, numpy.typing, torch; before = {*sys.modules}; import otadet.assign; "
        "print(*{name.split('.')[0] for name in {*sys.modules} - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "otadet" in loaded and loaded - {"otadet"} <= sys.stdlib_module_names


@pytest.mark.parametrize("assigner", [OTA(), SimOTA()])
def test_plain_tensors_give_the_same_assignment(assigner: Any) -> None:
    preds = random_predictions()
    targets = [target((4, 4, 40, 30, 1), (30, 20, 60, 60, 2)), target()]
    wanted = assigner(preds, targets)
    found = assign_tensors(
        assigner,
        preds.boxes,
        preds.cls_logits,
        [(each.boxes, each.labels) for each in targets],
        xy=preds.points.xy,
        stride=preds.points.stride,
        quality=preds.quality_logits,
    )
    assert torch.equal(found.gt_index, wanted.gt_index) and torch.equal(found.iou, wanted.iou)
    assert (wanted.gt_index[0] >= 0).sum() > 2
    other = assigner(replace(preds, quality_logits=None), targets)
    assert torch.equal(other.gt_index, wanted.gt_index) == isinstance(assigner, OTA)


class Backbone(nn.Module):
    """Levels of strides 8, 16 and 32 by three convolutions."""

    out_channels = 32

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 8, stride=8)
        self.down = nn.ModuleList(nn.Conv2d(16, 16, 2, stride=2) for _ in range(2))
        self.pyramid = FeaturePyramidNetwork([16, 16, 16], 32)

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        levels = [self.stem(x).relu()]
        for layer in self.down:
            levels.append(layer(levels[-1]).relu())
        return self.pyramid(OrderedDict(zip("abc", levels)))


def build(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    size: dict[str, Any] = {"min_size": 128, "max_size": 128}
    if issubclass(kind, FCOS):
        size["anchor_generator"] = AnchorGenerator(((8,), (16,), (32,)), ((1.0,),) * 3)
    else:
        sizes = tuple((x, x * 2 ** (1 / 3), x * 2 ** (2 / 3)) for x in (32, 64, 128))
        size["anchor_generator"] = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 3)
    return kind(Backbone(), num_classes=3, **size).train()


def batch() -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """An image with a bright and a dark rectangle, and one with nothing."""
    images = torch.full((2, 3, 128, 128), 0.5)
    images[0, :, 20:60, 16:80], images[0, :, 50:120, 90:120] = 1.0, 0.0
    objects = target((16, 20, 80, 60, 1), (90, 50, 120, 120, 2)), target()
    return list(images), [{"boxes": each.boxes, "labels": each.labels} for each in objects]


def total(model: nn.Module, images: list[Tensor], targets: list[dict[str, Tensor]]) -> Tensor:
    return torch.stack([*model(images, targets).values()]).sum()


@pytest.mark.parametrize(
    ("kind", "original"), [(OTHERS.OTAFCOS, FCOS), (OTHERS.OTARetinaNet, RetinaNet)]
)
def test_torchvision_detectors_learn_with_it(
    kind: type[nn.Module], original: type[nn.Module]
) -> None:
    images, targets = batch()
    first = {
        name: total(model, images, targets).item()
        for name, model in (("theirs", build(original)), ("ota", build(kind)))
    }
    simota = build(kind)
    simota.assigner = SimOTA()
    first["simota"] = total(simota, images, targets).item()
    assert len(set(first.values())) == 3, first
    model = build(kind)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    for _ in range(60):
        loss = total(model, images, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.75 * first["ota"]
    if kind is OTHERS.OTARetinaNet:  # its boxes begin as anchors and hardly move in so few steps
        return
    found = model.eval()(images[:1])[0]
    best = {int(label): box for box, label in zip(found["boxes"].flip(0), found["labels"].flip(0))}
    for box, label in zip(targets[0]["boxes"], targets[0]["labels"].tolist()):
        assert (best[label] - box).abs().max() < 12, found
