"""Every variant of every experiment: the right parts, a step, an evaluation, and its page."""

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from otadet.assign import (
    ATSS,
    OTA,
    PAA,
    CenterBox,
    ClosestPerLevel,
    DynamicK,
    FCOSAssigner,
    FixedK,
    InsideBox,
    MaxIoU,
    ResolveAmbiguous,
    Sinkhorn,
)
from otadet.errors import InputError
from otadet.exp import Exp, load_exp
from otadet.export import to_onnx, verify
from otadet.geometry import Geometry
from otadet.models import FCOSHead, RetinaHead, is_deformable
from tests.export.networks import generated, options
from tests.helpers import target

DOCS = Path(__file__).parents[2] / "docs"
TARGETS = [target((8, 8, 40, 48, 0), (20, 4, 60, 30, 1)), target((30, 30, 62, 60, 1))]


@cache
def writer() -> ModuleType:
    """The script that writes the page."""
    spec = importlib.util.spec_from_file_location("make_experiments", DOCS / "make_experiments.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def variants() -> dict[str, tuple[str, str]]:
    """Name and settings of every row beyond those that test_experiments.py trains."""
    pairs = [(line.name, line.row.words) for line in writer().lines()]
    return {" ".join(p).strip(): p for p in pairs if p[1]}


def small(name: str, words: str) -> Exp:
    """The variant on a network of a thousandth of the work; what it is about stays."""
    cut = {"backbone": "resnet10", "backbone_weights": None, "frozen_norm": False,
           "frozen_stages": 0, "fpn_channels": 16, "head_width": 16, "head_convs": 1}  # fmt: skip
    plain = load_exp(name=name)
    return load_exp(name=name, overrides={**cut, **plain.parse(words.split())})


@pytest.mark.parametrize(("name", "words"), variants().values(), ids=variants().keys())
def test_every_variant_takes_a_step_and_detects(name: str, words: str) -> None:
    torch.manual_seed(0)
    exp = small(name, words)
    model = exp.build_model(2).train()
    optimizer = exp.build_optimizer(model)
    images = torch.randint(0, 256, (2, 3, 64, 64))
    report = exp.build_criterion()(model(images), TARGETS)
    assert report.total.isfinite() and report.stats["positives"] > 0
    assert ("quality" in report.terms) == (exp.head_quality != "none")
    report.total.backward()
    before = model.head.reg_out.bias.detach().clone()
    optimizer.step()
    assert not torch.equal(model.head.reg_out.bias, before)
    with torch.no_grad():
        found = exp.build_postprocess()(model.eval()(images), [Geometry.identity((64, 64))] * 2)
    assert all(d.boxes.isfinite().all() for d in found)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), [(n, w) for n, w in variants().values()])
def test_every_variant_exports(name: str, words: str) -> None:
    exp = small(name, words)
    model = exp.build_model(3).eval()
    post = exp.build_postprocess()
    export = to_onnx(model, post, options(), exporter="torchscript")
    assert verify(export.model, model, post, options(), generated(1)).passed


def part(name: str, words: str = "") -> Any:
    exp = load_exp(name=name)
    return load_exp(name=name, overrides=exp.parse(words.split())).build_assigner()


def test_the_parts_of_the_ablations() -> None:
    assert part("ota_fcos_r50") == part("ota_retinanet_r50") == part("ota_crowdhuman_r50") == OTA()
    assert part("ota_fcos_r50").prior == CenterBox(2.5) and isinstance(
        part("ota_fcos_r50").supply, DynamicK
    )
    assert part("ota_fcos_r50", "k=12") == OTA(supply=FixedK(12))
    assert part("ota_fcos_r50", "r=3") == OTA(prior=ClosestPerLevel(3))
    assert part("ota_fcos_r50", "center=false") == OTA(prior=InsideBox())
    assert part("ota_fcos_r50", "ambiguity=max_iou") == OTA(
        match=ResolveAmbiguous("max_iou", Sinkhorn())
    )
    assert part("fcos_r50", "radius=none") == FCOSAssigner(None, min_positives=0)
    assert part("fcos_r50").radius == 1.5
    assert part("atss_r50", "r=7") == ATSS(7, min_positives=0)
    assert part("paa_r50", "r=5") == PAA(25, min_positives=0)
    assert part("retinanet_r50", "anchor_scale=4") == MaxIoU(anchor_scale=4.0, min_positives=0)
    assert part("crowdhuman_r50", "method=paa") == PAA()
    with pytest.raises(InputError, match="r: expected to be left out with center=false, got 3"):
        part("ota_fcos_r50", "center=false r=3")
    with pytest.raises(InputError, match="setting k: expected at least 1, got 0"):
        part("ota_fcos_r50", "k=0")


def test_hosts_backbones_and_recipes_of_the_paper() -> None:
    hosts = {n: load_exp(name=n).build_head(16, 2, (8,)) for n in ("paa_r50", "retinanet_r50")}
    assert all(isinstance(h, RetinaHead) and h.anchor_scale == 8 for h in hosts.values())
    assert isinstance(load_exp(name="atss_r50").build_head(16, 2, (8,)), FCOSHead)
    dcn = load_exp(name="ota_fcos_x101_dcn_2x")
    with torch.device("meta"):
        model = dcn.build_model(80)
    assert is_deformable(model.head) and is_deformable(model.backbone.body["layer3"])
    assert not is_deformable(model.backbone.body["layer2"])
    twice = dcn.build_schedule(180_000, 16)
    rates = [twice(s) for s in (119_999, 120_001, 159_999, 160_001)]
    assert rates == pytest.approx([0.01, 1e-3, 1e-3, 1e-4]) and dcn.max_iters == 180_000
    assert (dcn.input_size, dcn.scale_range) == ((800, 1333), (0.8, 1.0))  # 640 to 800
    crowd = load_exp(name="ota_crowdhuman_r50")
    assert (crowd.max_epochs, crowd.max_iters, crowd.batch_size) == (30, None, 16)
    assert crowd.test_size == (800, 1400)
    post = crowd.build_postprocess()
    assert (post.nms_threshold, post.max_detections) == (0.6, 300)


def test_parameters_are_those_of_the_parts_counted_by_hand() -> None:
    with torch.device("meta"):
        model = load_exp(name="fcos_r50_torchvision").build_model(91)
        count = {p: sum(w.numel() for w in getattr(model, p).parameters())
                 for p in ("backbone", "neck", "head")}  # fmt: skip
    # torchvision's table says 32,269,600 for all; our head has five scales besides.
    assert sum(count.values()) == 32_269_600 + 5
    norms = 2 * (64 + 3 * (64 + 64 + 256) + 256 + 4 * (128 + 128 + 512) + 512
                 + 6 * (256 + 256 + 1024) + 1024 + 3 * (512 + 512 + 2048) + 2048)  # fmt: skip
    assert count["backbone"] == 25_557_032 - 2048 * 1000 - 1000 - norms  # torchvision's ResNet-50


def test_the_page_has_every_variant_with_its_parameters() -> None:
    text = (DOCS / "experiments.md").read_text(encoding="utf-8")
    cells = {row.split("|")[1].strip(): row for row in text.splitlines() if row.startswith("| `")}
    counted: dict[Any, str] = {}
    wanted = set()
    for line in writer().lines():
        command = f"`{' '.join(['-n', line.name, *line.row.words.split()])}`"
        wanted.add(command)
        if line.key not in counted:
            counted[line.key] = f"{writer().parameters(line.network()):.2f}"
        row = [c.strip() for c in cells[command].split("|")]
        assert row[2] == counted[line.key], command
        assert line.row.published in row[6] and row[7] == line.row.ours
    assert wanted == cells.keys()


@pytest.mark.slow
def test_the_page_is_what_its_script_writes() -> None:
    assert (DOCS / "experiments.md").read_text(encoding="utf-8") == writer().page(
        list(writer().lines())
    )


def test_lines_of_equal_keys_have_equal_networks() -> None:
    """A method may ask for another head than the settings of its experiment."""
    found = {line.name: line for line in writer().lines() if not line.row.words}
    plain, bare = found["fcos_r50"], found["detr_match_fcos_r50"]
    assert plain.key != bare.key and plain.key == found["atss_r50"].key
