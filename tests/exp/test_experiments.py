"""Every experiment builds, and takes a training step at a tiny size."""

import pytest
import torch

from otadet.errors import InputError
from otadet.exp import list_experiments, load_class, load_exp
from tests.helpers import target

FILES = {path.stem: path for path in list_experiments().values() if path.parent.name == "exps"}
LARGE = {"yolox_m", "yolox_l", "yolox_x", "yolov3", "ota_fcos_x101_2x", "ota_fcos_x101_dcn_2x"}
"""Built without memory; a step of theirs takes many seconds."""

PLAIN = {"backbone_weights": None, "frozen_norm": False, "frozen_stages": 0}
"""For experiments that would start from classification weights."""

TARGETS = [target((8, 8, 40, 48, 0), (20, 4, 60, 30, 1)), target((30, 30, 62, 60, 1))]


def test_every_experiment_says_how_to_run_it_and_what_to_expect() -> None:
    assert len(FILES) >= 13
    for name, path in FILES.items():
        text = path.read_text(encoding="utf-8")
        assert f"exps/{name}.py" in text or f"make {name}" in text, path
        assert "xpected" in text or "Published" in text, path


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in LARGE else ()) for n in sorted(FILES)],
)
def test_a_training_step(name: str) -> None:
    torch.manual_seed(0)
    cls = load_class(str(FILES[name]))
    exp = cls(**(PLAIN if "backbone_weights" in cls.hints() else {}))
    model = exp.build_model(2).train()
    optimizer = exp.build_optimizer(model)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    report = exp.build_criterion()(model(torch.randint(0, 256, (2, 3, 64, 64))), TARGETS)
    assert report.total.isfinite() and report.stats["positives"] > 0
    report.total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    optimizer.step()
    assert any(not torch.equal(p, before[n]) for n, p in model.named_parameters())


@pytest.mark.parametrize("name", sorted(FILES.keys() & LARGE))
def test_a_large_network_is_built(name: str) -> None:
    exp = load_exp(name=name)
    with torch.device("meta"):
        assert sum(p.numel() for p in exp.build_model(2).parameters()) > 2e7
    exp.build_criterion()


def test_a_backbone_of_another_family_is_refused() -> None:
    other = load_exp(name="yolox_s", overrides={"backbone": "resnet18"})
    with pytest.raises(InputError, match="expected cspdarknet or darknet53; got 'resnet18'"):
        other.build_model(2)
