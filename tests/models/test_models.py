"""The network: shapes, decoding, freezing, size, weights."""

from pathlib import Path

import pytest
import torch
from torch import nn

from otadet.errors import InputError
from otadet.models import (
    FPN,
    Detector,
    FCOSHead,
    Normalize,
    ResNetBackbone,
    load_backbone_weights,
    profile_model,
)


def small_detector(quality: str = "iou", extra: bool = True) -> Detector:
    torch.manual_seed(0)
    backbone = ResNetBackbone("resnet10")
    neck = FPN(backbone.channels, 32, extra_levels=extra)
    head = FCOSHead(32, 3, neck.strides, width=32, num_convs=1, quality=quality)  # type: ignore[arg-type]
    return Detector(backbone, neck, head, Normalize())


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (33, 70)])
def test_one_prediction_a_point_in_the_order_of_the_grid(size: tuple[int, int]) -> None:
    model = small_detector().eval()
    preds = model(torch.zeros((2, 3, *size), dtype=torch.uint8))
    count = len(preds.points)
    assert preds.boxes.shape == (2, count, 4) and preds.cls_logits.shape == (2, count, 3)
    assert preds.quality_logits is not None and preds.quality_logits.shape == (2, count)
    assert preds.points.grid is not None and [g.stride for g in preds.points.grid] == [
        8, 16, 32, 64, 128,
    ]  # fmt: skip
    assert count == sum(g.num_points for g in preds.points.grid)


def test_levels_are_flattened_row_by_row() -> None:
    """A feature that is bright in one cell must raise the point whose centre is in that cell."""
    head = FCOSHead(4, 1, (8,), num_convs=0, quality="none")
    with torch.no_grad():
        head.cls_out.weight.zero_()
        head.cls_out.weight[0, 0, 1, 1] = 1.0
    feature = torch.zeros(1, 4, 3, 5)
    feature[0, 0, 2, 4] = 100.0
    preds = head([feature])
    best = int(preds.cls_logits[0, :, 0].argmax())
    assert preds.points.xy[best].tolist() == [4.5 * 8, 2.5 * 8]


def test_decoding_by_hand() -> None:
    head = FCOSHead(4, 1, (8, 16), num_convs=0, quality="none")
    with torch.no_grad():
        head.reg_out.weight.zero_()
        assert head.reg_out.bias is not None
        head.reg_out.bias.copy_(torch.tensor([1.0, 2.0, 3.0, -4.0]))
        head.scales.copy_(torch.tensor([1.0, 0.5]))
    preds = head([torch.zeros(1, 4, 1, 1), torch.zeros(1, 4, 1, 1)])
    assert preds.boxes[0].tolist() == [[4 - 8, 4 - 16, 4 + 24, 4], [8 - 8, 8 - 16, 8 + 24, 8]]


def test_prior_of_a_fresh_network() -> None:
    model = small_detector().eval()
    preds = model(torch.zeros((1, 3, 64, 64), dtype=torch.uint8))
    assert preds.cls_logits.sigmoid().mean().item() == pytest.approx(0.01, abs=0.005)
    assert (preds.boxes[..., 2:] > preds.boxes[..., :2]).all()  # every side is open


def test_training_and_evaluation_return_the_same_type() -> None:
    model = small_detector(quality="none", extra=False)
    image = torch.zeros((2, 3, 64, 64), dtype=torch.uint8)
    assert type(model.train()(image)) is type(model.eval()(image))
    assert model(image).quality_logits is None


def test_boxes_are_float32_under_autocast() -> None:
    model = small_detector()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        preds = model(torch.zeros((2, 3, 64, 64), dtype=torch.uint8))
    assert preds.boxes.dtype == torch.float32 and preds.cls_logits.dtype == torch.bfloat16


def test_frozen_stages_keep_weights_and_statistics() -> None:
    backbone = ResNetBackbone("resnet10", frozen_stages=2).train()
    before = {k: v.clone() for k, v in backbone.body.state_dict().items()}
    optimizer = torch.optim.SGD(backbone.parameters(), lr=0.1)
    sum(f.sum() for f in backbone(torch.rand(2, 3, 64, 64))).backward()  # type: ignore[union-attr]
    optimizer.step()
    for name, value in backbone.body.state_dict().items():
        frozen = name.startswith(("conv1", "bn1", "layer1"))
        if frozen or value.is_floating_point():
            assert torch.equal(value, before[name]) == frozen, name


def test_frozen_norm_has_no_parameters_that_learn() -> None:
    backbone = ResNetBackbone("resnet18", frozen_norm=True)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in backbone.modules())
    assert backbone.channels == (128, 256, 512)
    assert ResNetBackbone("resnet50").channels == (512, 1024, 2048)


def test_profile_counts_and_leaves_the_model_alone() -> None:
    model = small_detector()
    keys = set(model.state_dict())
    profile = profile_model(model, (64, 64))
    assert set(model.state_dict()) == keys  # thop's buffers stayed in its copy
    assert profile.params == sum(p.numel() for p in model.parameters())
    assert profile.flops > 0 and profile.thop_gflops == pytest.approx(profile.flops / 1e9, rel=0.1)


def test_a_single_convolution_is_counted_by_hand() -> None:
    conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    net = nn.Sequential(Normalize(), conv)
    assert profile_model(net, (16, 16)).flops == 2 * 16 * 16 * 8 * 3 * 9


def test_backbone_weights_from_a_file(tmp_path: Path) -> None:
    import torchvision

    source = torchvision.models.resnet18(norm_layer=nn.BatchNorm2d)
    torch.save(source.state_dict(), tmp_path / "r18.pth")
    for frozen in (False, True):
        backbone = ResNetBackbone("resnet18", frozen_norm=frozen)
        load_backbone_weights(backbone, "resnet18", str(tmp_path / "r18.pth"))
        image = torch.rand(1, 3, 64, 64)
        body = nn.Sequential(*list(source.children())[:-2]).eval()
        assert torch.allclose(backbone.eval()(image)[-1], body(image), atol=1e-4)


def test_wrong_backbone_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = ResNetBackbone("resnet18")
    (tmp_path / "junk.pth").write_bytes(b"not weights")
    with pytest.raises(InputError, match=r"junk.pth: not a checkpoint"):
        load_backbone_weights(backbone, "resnet18", str(tmp_path / "junk.pth"))
    torch.save(ResNetBackbone("resnet50").body.state_dict(), tmp_path / "r50.pth")
    with pytest.raises(
        InputError, match=r"for resnet18: the weights of another network: .* 23 of another shape"
    ):
        load_backbone_weights(backbone, "resnet18", str(tmp_path / "r50.pth"))
    with pytest.raises(InputError, match="torchvision has IMAGENET1K_V1"):
        load_backbone_weights(backbone, "resnet18", "IMAGENET9K")
    # A proxy on a closed port: the real download fails as it does without a network.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"could not fetch .*backbone_weights=PATH"):
        load_backbone_weights(backbone, "resnet18", "IMAGENET1K_V1")


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="expected one of resnet10"):
        ResNetBackbone("resnet17")
    with pytest.raises(InputError, match="frozen_stages: expected 0 to 5, got 6"):
        ResNetBackbone("resnet18", frozen_stages=6)
