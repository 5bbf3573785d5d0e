"""The YOLOX family: sizes, decoding, official weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import box_convert

from otadet.cli.convert_weights import main as convert
from otadet.data import collate, read_image, transforms
from otadet.engine.checkpoint import load_checkpoint, load_weights
from otadet.errors import InputError
from otadet.exp import load_exp
from otadet.geometry import Geometry
from otadet.models import (
    CoupledHead,
    Detector,
    YOLOXHead,
    convert_yolox,
    is_folded,
    load_state,
    read_file,
)
from otadet.models.blocks import SPP, ConvNorm, Focus
from otadet.rng import generator
from otadet.types import Sample
from tests.helpers import SHARED, needs_shared

NANO = SHARED / "weights" / "yolox_nano_coco.pth"


def official(path: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = read_file(path, "test")["model"]
    return state


def network(name: str, classes: int = 80) -> Detector:
    return load_exp(name=name).build_model(classes)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("yolox_nano", 0.91), ("yolox_tiny", 5.06), ("yolox_s", 9.0), ("yolox_m", 25.3),
        ("yolox_l", 54.2), ("yolox_x", 99.1), ("yolov3", 63.7),
    ],
)  # fmt: skip
def test_as_many_parameters_as_published(name: str, millions: float) -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in network(name).parameters()) / 1e6
    digits = 2 if millions < 9 else 1
    assert round(count, digits) == millions


@pytest.mark.parametrize("name", ["yolox_nano", "yolox_s_coupled", "yolov3"])
def test_one_prediction_a_point(name: str) -> None:
    model = network(name, classes=2).eval()
    with torch.no_grad():
        preds = model(torch.zeros((1, 3, 64, 96), dtype=torch.uint8))
    assert preds.points.grid == ((8, 12, 8), (4, 6, 16), (2, 3, 32))
    assert preds.boxes.shape == preds.deltas.shape == (1, 126, 4)
    assert preds.cls_logits.shape == (1, 126, 2)
    assert preds.quality_logits is not None and preds.quality_logits.shape == (1, 126)


@pytest.mark.parametrize("head", [YOLOXHead, CoupledHead])
def test_a_fresh_head_expects_little(head: type[nn.Module]) -> None:
    preds = head((8, 8), 3, (8, 16)).eval()([torch.zeros(1, 8, 2, 2), torch.zeros(1, 8, 1, 1)])
    logit = -np.log(0.99 / 0.01)
    if head is CoupledHead:  # nothing but the bias speaks
        assert preds.cls_logits.detach().unique().tolist() == pytest.approx([logit])
        assert preds.quality_logits.detach().unique().tolist() == pytest.approx([logit])
    assert preds.cls_logits.sigmoid().max() < 0.05 and preds.quality_logits.sigmoid().max() < 0.05


def test_outputs_of_the_coupled_head_are_box_objectness_classes() -> None:
    head = CoupledHead((1,), 2, (8,))
    with torch.no_grad():
        head.preds[0].weight.zero_()
        head.preds[0].bias.copy_(torch.tensor([0.5, 0.5, 0.0, 0.0, 7.0, 8.0, 9.0]))
    preds = head([torch.zeros(1, 1, 1, 2)])
    assert preds.boxes[0].tolist() == [[0, 0, 8, 8], [8, 0, 16, 8]]
    assert preds.quality_logits.tolist() == [[7, 7]]
    assert preds.cls_logits[0].tolist() == [[8, 9], [8, 9]]


def test_boxes_are_float32_under_autocast() -> None:
    model = network("yolox_nano", classes=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        preds = model(torch.zeros((2, 3, 64, 64), dtype=torch.uint8))
    assert preds.boxes.dtype == torch.float32 and preds.cls_logits.dtype == torch.bfloat16


def test_pooling_in_a_row_equals_three_sizes_of_window() -> None:
    spp = SPP(4, 6).eval()
    x = torch.randn(1, 4, 20, 15)
    y = spp.conv1(x)
    pools = [nn.MaxPool2d(k, 1, k // 2)(y) for k in (5, 9, 13)]
    assert torch.equal(spp(x), spp.conv2(torch.cat([y, *pools], dim=1)))


def test_patches_of_the_stem_by_hand() -> None:
    focus = Focus(12)
    seen: list[Tensor] = []
    focus.conv.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    focus.eval()(torch.arange(12.0).view(1, 3, 2, 2))
    # top left, bottom left, top right, bottom right; three colours each
    assert seen[0].flatten().tolist() == [0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11]


def test_norms_are_those_of_the_published_weights() -> None:
    norms = [m for m in network("yolox_nano").modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and all((m.eps, m.momentum) == (1e-3, 0.03) for m in norms)


def test_folded_norms_are_recognised() -> None:
    norm = ConvNorm(3, 4)
    assert not is_folded(norm.state_dict())  # fresh
    with torch.no_grad():
        norm.bn.bias.normal_()
    state = {k: v.clone() for k, v in norm.state_dict().items()}
    assert is_folded(state)  # eps in neither
    state["bn.running_var"] -= 1e-3
    assert is_folded(state)
    state["bn.running_mean"] += 0.1
    assert not is_folded(state)
    assert not is_folded({"weight": torch.ones(3)})


@needs_shared
def test_folded_and_unfolded_files() -> None:
    assert is_folded(official(NANO))
    assert not is_folded(official(NANO.with_name("yolox_nano_coco_unfolded.pth")))


@needs_shared
@pytest.mark.parametrize("photo", ["dog", "street", "kite"])
def test_official_weights_give_the_official_outputs(photo: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = network("yolox_nano").eval()
    load_state(model, convert_yolox(official(NANO)), "test")
    image = read_image(SHARED / "photos" / f"{photo}.jpg")
    none = np.zeros((0, 4), np.float32)
    size = (image.shape[0], image.shape[1])
    sample = Sample(image, none, np.zeros(0, np.int64), none, 0, Geometry.identity(size))
    batch = collate([transforms.Letterbox((416, 416))(sample, generator(0))])
    with torch.no_grad():
        preds = model(batch.images)

    session = onnxruntime.InferenceSession(str(NANO.with_name("yolox_nano.onnx")))
    bgr = batch.images.flip(1).float().numpy()
    expected = torch.from_numpy(session.run(None, {"images": bgr})[0])
    assert preds.quality_logits is not None
    assert torch.allclose(preds.deltas, expected[..., :4], atol=1e-3)
    assert torch.allclose(preds.quality_logits.sigmoid(), expected[..., 4], atol=1e-3)
    assert torch.allclose(preds.cls_logits.sigmoid(), expected[..., 5:], atol=1e-3)
    assert expected[..., 4].max() > 0.5  # there is something to compare

    stride = preds.points.stride[:, None]
    corner = preds.points.xy - stride / 2
    decoded = torch.cat(
        [expected[0, :, :2] * stride + corner, expected[0, :, 2:4].exp() * stride], dim=1
    )
    assert torch.allclose(
        preds.boxes[0], box_convert(decoded, "cxcywh", "xyxy"), rtol=1e-4, atol=1e-2
    )


@needs_shared
def test_a_converted_file_is_a_checkpoint(tmp_path: Path) -> None:
    target = tmp_path / "nano.pth"
    assert convert(["-n", "yolox_nano", "-c", str(NANO), "-o", str(target)]) == 0
    checkpoint = load_checkpoint(target)
    assert checkpoint.experiment == "yolox_nano" and len(checkpoint.class_names) == 80
    assert checkpoint.class_names[0] == "person" and checkpoint.class_names[-1] == "toothbrush"
    assert checkpoint.settings["score_rule"] == "product"
    load_weights(network("yolox_nano"), checkpoint)


@needs_shared
def test_wrong_files_and_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the weights of another network"):
        convert(["-n", "yolox_tiny", "-c", str(NANO), "-o", str(tmp_path / "x.pth")])
    with pytest.raises(InputError, match="has 80 classes, 2 names are given"):
        convert(["-n", "yolox_nano", "-c", str(NANO), "--classes", "a,b"])
    with pytest.raises(InputError, match="expected different names"):
        convert(["-n", "yolox_nano", "-c", str(NANO), "--classes", "a,a"])
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"official weights of YOLOX .*backbone\.backbone"):
        convert(["-n", "yolox_nano", "-c", str(tmp_path / "other.pth")])
    assert not (tmp_path / "x.pth").exists()


def test_names_of_the_darknet_model_are_known() -> None:
    with torch.device("meta"):
        ours = network("yolov3").state_dict()
    back = {"reduce5": "out1_cbl", "merge4": "out1", "reduce4": "out2_cbl", "merge3": "out2"}

    def theirs(name: str) -> str:
        part, module, rest = name.split(".", 2)
        if part == "neck":
            return f"backbone.{back[module]}.{rest}"
        return f"backbone.{name}" if part == "backbone" else name

    state = {theirs(k): torch.zeros(v.shape) for k, v in ours.items() if "bn" not in k}
    first = state["backbone.backbone.stem.0.conv.weight"]
    first[:, 0] = 1  # blue
    converted = convert_yolox(state)
    assert converted.keys() == {k for k in ours if "bn" not in k}
    assert converted["backbone.stem.0.conv.weight"][0, :, 0, 0].tolist() == [0, 0, 1]
