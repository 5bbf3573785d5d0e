"""torchvision's FCOS-R50 and ours are the same network."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models.detection import FCOS, fcos_resnet50_fpn
from torchvision.models.detection.image_list import ImageList

from otadet.data.coco_classes import COCO_CLASSES
from otadet.engine.checkpoint import load_weights
from otadet.engine.weights import open_weights
from otadet.exp import load_exp
from otadet.models import (
    Detector,
    Normalize,
    coco_rows,
    convert_torchvision_fcos,
    load_state,
)
from otadet.points import grid_of
from otadet.types import GridLevel

SIZE = (160, 224)
"""No multiple of 128, so that torchvision's cells at P6 and P7 are narrower than the stride."""


@pytest.fixture(scope="module")
def theirs() -> FCOS:
    torch.manual_seed(0)
    model = fcos_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=91, min_size=160, max_size=224
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.normal_(std=0.05)
        model.head.classification_head.cls_logits.weight.normal_(std=0.5)
    return model.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    g = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8, generator=g)


def ours(classes: int) -> Detector:
    plain = {"frozen_norm": False, "frozen_stages": 0}
    return load_exp(name="fcos_r50_torchvision", overrides=plain).build_model(classes).eval()


def test_outputs_and_boxes_are_equal(theirs: FCOS, images: Tensor) -> None:
    model = ours(91)
    load_state(model, convert_torchvision_fcos(theirs.state_dict()), "test")
    with torch.no_grad():
        preds = model(images)
        normal = torch.stack([theirs.transform.normalize(i / 255) for i in images])
        features = list(theirs.backbone(normal).values())
        expected = theirs.head(features)
        anchors = theirs.anchor_generator(ImageList(normal, [SIZE] * 2), features)
        boxes = theirs.head.box_coder.decode(expected["bbox_regression"], torch.stack(anchors))
    assert preds.quality_logits is not None
    assert torch.allclose(preds.cls_logits, expected["cls_logits"], atol=1e-4)
    assert torch.allclose(preds.deltas.relu(), expected["bbox_regression"], atol=1e-4)
    assert torch.allclose(preds.quality_logits, expected["bbox_ctrness"][..., 0], atol=1e-4)
    assert torch.allclose(preds.boxes, boxes, atol=1e-3)
    assert expected["cls_logits"].std() > 0.5 and (preds.deltas > 0).any()  # something to compare


def test_the_80_classes_are_what_the_91_rows_say(theirs: FCOS, images: Tensor) -> None:
    all_rows, named = ours(91), ours(80)
    rows = list(coco_rows().values())
    load_state(all_rows, convert_torchvision_fcos(theirs.state_dict()), "test")
    load_state(named, convert_torchvision_fcos(theirs.state_dict(), rows), "test")
    with torch.no_grad():
        a, b = all_rows(images[:1]), named(images[:1])
    assert torch.allclose(a.cls_logits[..., rows], b.cls_logits, atol=1e-4)
    assert torch.equal(a.boxes, b.boxes)


def test_rows_without_a_class_are_dropped() -> None:
    assert tuple(coco_rows()) == COCO_CLASSES
    assert coco_rows()["person"] == 1 and coco_rows()["toothbrush"] == 90
    assert coco_rows()["stop sign"] == 13  # id 12 was never used


def test_a_file_is_recognised(theirs: FCOS, tmp_path: Path) -> None:
    torch.save(theirs.state_dict(), tmp_path / "fcos.pth")
    checkpoint = open_weights(tmp_path / "fcos.pth")
    assert checkpoint.experiment == "fcos_r50_torchvision"
    assert checkpoint.class_names == COCO_CLASSES
    bias = theirs.head.classification_head.cls_logits.bias
    assert checkpoint.weights["head.cls_out.bias"][79] == bias[90]
    load_weights(ours(80), checkpoint)


def test_points_lie_in_the_corners_and_need_no_look_at_the_device() -> None:
    points = ours(2)(torch.zeros((1, 3, *SIZE), dtype=torch.uint8)).points
    assert points.grid is not None and points.grid[3] == GridLevel(3, 4, 64)
    assert grid_of(points) is None
    p6 = points.xy[points.level == 3]
    assert p6[:5].tolist() == [[0, 0], [56, 0], [112, 0], [168, 0], [0, 53]]
    assert not points.to("cpu").centered


def test_pixels_are_normalised_alike(theirs: FCOS) -> None:
    image = torch.arange(256, dtype=torch.uint8).expand(1, 3, 2, 256)
    expected = theirs.transform.normalize(image[0] / 255)
    assert torch.allclose(Normalize()(image)[0], expected, atol=1e-5)
