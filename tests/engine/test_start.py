"""What a run starts from: other weights, class rows by name, frozen parts, folded norms."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from otadet.cli.train import main as train
from otadet.cores import busy_cores, usable_cores
from otadet.engine.checkpoint import Checkpoint, load_checkpoint
from otadet.engine.devices import loader_workers, threads_per_process
from otadet.engine.partial_load import load_partial
from otadet.engine.run_record import read_record
from otadet.errors import InputError
from otadet.exp import load_exp
from otadet.models import Detector, is_folded
from tests.engine.processes import TINY
from tests.helpers import SHARED, needs_shared

NANO = SHARED / "weights" / "yolox_nano_coco.pth"
STILL = ["max_iters=1", "lr=0", "ema_decay=0", "eval_interval=1000"]
"""A step that moves nothing but BatchNorm's statistics."""


def run(output: Path, *words: str) -> int:
    return train(
        ["-n", "quickstart", "--fp32", "-d", "cpu", "-b", "4", "-o", str(output), *TINY, *words]
    )


def network(name: str, classes: int, **overrides: object) -> Detector:
    return load_exp(name=name, overrides=overrides).build_model(classes)


def checkpoint(model: Detector, *names: str) -> Checkpoint:
    state = {k: v.clone() for k, v in model.state_dict().items()}
    return Checkpoint(Path("there.pth"), "there", {}, names, state, {}, 0, {})


@pytest.mark.parametrize("name", ["quickstart", "yolox_nano", "yolox_s_coupled"])
def test_class_rows_go_by_name(name: str) -> None:
    torch.manual_seed(0)
    there, here = network(name, 3), network(name, 4)
    layers = [n for n, p in here.named_parameters() if p.shape != there.get_parameter(n).shape]
    fresh = {n: here.get_parameter(n).detach().clone() for n in layers}
    report = load_partial(
        here, checkpoint(there, "cat", "Person", "dog"), ("person", "a", "dog", "b")
    )
    before = {"quickstart": 0, "yolox_nano": 0, "yolox_s_coupled": 5}[name]
    assert layers and set(report.class_layers) == set(layers)
    for layer in layers:
        mine, theirs = here.get_parameter(layer), there.get_parameter(layer)
        assert torch.equal(mine[:before], theirs[:before])
        assert torch.equal(mine[before + 0], theirs[before + 1])
        assert torch.equal(mine[before + 2], theirs[before + 2])
        assert torch.equal(mine[before + 1], fresh[layer][before + 1])
        assert torch.equal(mine[before + 3], fresh[layer][before + 3])
    assert report.classes == ("person", "dog") and report.fresh_classes == ("a", "b")
    assert report.missing == report.unknown == report.reshaped == ()
    for key in report.loaded:
        assert torch.equal(here.state_dict()[key], there.state_dict()[key])
    text = report.summary()
    assert "classes carried over by name: person, dog" in text and "by class" in text


def test_what_is_learned_of_a_class_goes_by_name_too() -> None:
    """AutoAssign's four numbers a class, also where the shapes would fit as they are."""
    there, here = (network("quickstart", 3, method="autoassign") for _ in range(2))
    wider = network("quickstart", 4, method="autoassign")
    learned = torch.arange(12.0)
    there.get_parameter("head.class_prior").data.copy_(learned)
    load_partial(here, checkpoint(there, "cat", "person", "dog"), ("dog", "owl", "cat"))
    prior = here.get_parameter("head.class_prior").view(3, 4)
    assert prior.tolist() == [[8, 9, 10, 11], [0] * 4, [0, 1, 2, 3]]
    load_partial(wider, checkpoint(there, "cat", "person", "dog"), ("a", "b", "c", "person"))
    assert wider.get_parameter("head.class_prior").view(4, 4).tolist()[2:] == [
        [0] * 4,
        [4, 5, 6, 7],
    ]


def test_as_many_other_classes_are_not_mixed_up() -> None:
    """The shapes fit, the meaning does not."""
    there, here = network("quickstart", 2), network("quickstart", 2)
    fresh = here.get_parameter("head.cls_out.weight").detach().clone()
    report = load_partial(here, checkpoint(there, "cat", "dog"), ("dog", "owl"))
    mine, theirs = (m.get_parameter("head.cls_out.weight") for m in (here, there))
    assert torch.equal(mine[0], theirs[1]) and torch.equal(mine[1], fresh[1])
    assert report.classes == ("dog",)


def test_the_rest_is_listed() -> None:
    there = network("quickstart", 2, fpn_channels=32)
    here = network("quickstart", 2, quality="none")
    there.head.register_parameter("extra", torch.nn.Parameter(torch.zeros(3)))
    report = load_partial(here, checkpoint(there, "a", "b"), ("a", "b"))
    assert "head.extra" in report.unknown and "head.quality_out.weight" in report.unknown
    assert any(line.startswith("head.cls_tower.0.weight [64, 32,") for line in report.reshaped)
    assert report.missing == () and 0.5 < report.share < 1
    back = load_partial(there, checkpoint(here, "a", "b"), ("a", "b"))
    assert "head.extra" in back.missing
    columns = ["tensors", "of", "loaded", "by", "class", "other", "shape", "missing", "unknown"]
    assert report.table().splitlines()[0].split() == columns
    assert report.summary().splitlines()[-1].startswith("unknown: head.extra")


def test_another_network_is_refused_and_nothing_changed() -> None:
    model = network("yolox_nano", 2)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for other in ("yolox_tiny", "quickstart"):  # some biases of tiny have the same shape
        with pytest.raises(InputError, match=r"another network, no layer fits: the first here is "):
            load_partial(model, checkpoint(network(other, 2), "a", "b"), ("a", "b"))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_a_run_starts_from_a_file(tmp_path: Path) -> None:
    assert run(tmp_path / "first", "max_iters=2", "seed=3") == 0
    source = tmp_path / "first" / "best.pth"
    words = ["-c", str(source), "shapes_classes=square,triangle,circle", *STILL]
    assert run(tmp_path / "second", *words) == 0
    old, new = load_checkpoint(source), load_checkpoint(tmp_path / "second" / "last.pth")
    assert new.class_names == ("square", "triangle", "circle") and new.settings["seed"] == 0
    for name in ("backbone.body.conv1.weight", "head.reg_out.weight", "head.scales"):
        assert torch.equal(old.weights[name], new.weights[name]), name
    rows = new.weights["head.cls_out.weight"]
    assert torch.equal(rows[2], old.weights["head.cls_out.weight"][0])  # circle
    log = (tmp_path / "second" / "log.txt").read_text(encoding="utf-8")
    assert f"starting from {source}" in log and "carried over by name: square, circle" in log
    assert "tensors of" in log  # the table by parts, which the terminal is spared


def test_the_experiment_comes_from_the_file_and_its_data_do_not(tmp_path: Path) -> None:
    assert run(tmp_path / "first", "max_iters=1", "shapes_crowding=0.9") == 0
    words = ["-c", str(tmp_path / "first/best.pth"), "-d", "cpu", "-b", "4", *TINY, *STILL]
    assert train([*words, "-o", str(tmp_path / "second")]) == 0
    new = load_checkpoint(tmp_path / "second" / "last.pth")
    assert new.experiment == "quickstart" and new.settings["shapes_crowding"] == 0.3


def test_frozen_parts_stay_to_the_bit(tmp_path: Path) -> None:
    assert run(tmp_path / "first", "max_iters=1") == 0
    source = tmp_path / "first/best.pth"
    # An evaluation after every epoch of three steps, which puts the network into other modes.
    words = ["-c", str(source), "freeze=backbone,neck.pyramid.inner_blocks.0,head.scales",
             "max_iters=7", "eval_interval=1", "ema_decay=0.9"]  # fmt: skip
    assert run(tmp_path / "second", *words) == 0
    old, new = load_checkpoint(source).weights, load_checkpoint(tmp_path / "second/last.pth")
    frozen = ("backbone.", "neck.pyramid.inner_blocks.0.", "head.scales")
    for weights in (new.weights, new.training["model"]):
        names = {k for k in old if not k.endswith("num_batches_tracked")}
        same = {k for k in names if torch.equal(old[k], weights[k])}
        assert same == {k for k in names if k.startswith(frozen)}
    learning = [g["params"] for g in new.training["optimizer"]["param_groups"]]
    model = network("quickstart", 2, fpn_channels=32, head_width=32, head_convs=1)
    names = [n for n, _ in model.named_parameters() if not n.startswith(frozen)]
    assert sum(map(len, learning)) == len(names)


def test_names_of_frozen_parts_are_checked(tmp_path: Path) -> None:
    model = network("yolox_nano", 2)
    with pytest.raises(InputError, match=r"got 'neck.reduce6'; did you mean 'neck.reduce5'"):
        model.freeze(("backbone", "neck.reduce6"))
    with pytest.raises(InputError, match="expected names of parts"):
        model.freeze(("back",))  # no whole name
    with pytest.raises(InputError, match="no trainable parameter is left"):
        run(tmp_path, "freeze=backbone,neck,head")
    assert not (tmp_path / "last.pth").exists()


def test_layers_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-n", "yolox_nano", "--list-layers", "freeze=neck.reduce5", "num_classes=3"]
    assert train(words) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    model = network("yolox_nano", 3)
    model.freeze(("neck.reduce5",))
    assert ["neck.reduce5.bn", "BatchNorm2d", "256", "frozen"] in lines
    assert ["head.cls_preds.0", "Conv2d", str(64 * 3 + 3)] in lines
    frozen = {line[0] for line in lines if line[-1] == "frozen"}
    assert frozen == {"neck.reduce5.conv", "neck.reduce5.bn"}
    count = sum(p.numel() for p in model.parameters())
    assert f"{count:,} parameters, of which {count - 256 * 128 - 256:,} learn" == " ".join(
        lines[-1]
    )


def test_settings_for_other_backbones_are_refused_with_weights_too(tmp_path: Path) -> None:
    torch.save(network("yolox_nano", 2).state_dict(), tmp_path / "x.pth")
    assert run(tmp_path / "first", "max_iters=1", "backbone=resnet10") == 0
    source = str(tmp_path / "first/best.pth")
    words = ["-n", "yolox_nano", "-c", source, "-d", "cpu", "-o", str(tmp_path / "second"),
             "data_dir=none", "input_size=64,64", "test_size=64,64", "workers=0"]  # fmt: skip
    with pytest.raises(InputError, match="yolox_nano has no setting 'frozen_stages'"):
        train([*words, "frozen_stages=2"])
    with pytest.raises(InputError, match="no layer fits"):
        train(words)
    assert not (tmp_path / "second" / "last.pth").exists()


@needs_shared
def test_a_folded_file_is_fine_tuned(tmp_path: Path) -> None:
    words = [
        "-c", str(NANO), "-d", "cpu", "-b", "2", "-o", str(tmp_path), *STILL, "workers=0",
        f"data_dir={SHARED / 'data/bccd'}", "train_ann=annotations/train.json",
        "val_ann=annotations/val.json", "train_images=images", "val_images=images",
        "input_size=64,64", "test_size=64,64",
    ]  # fmt: skip
    assert train(words) == 0
    result = load_checkpoint(tmp_path / "last.pth")
    assert result.experiment == "yolox_nano" and result.class_names == ("RBC", "WBC", "Platelets")
    assert not is_folded(result.weights)
    assert "the statistics of 104 norms were" in (tmp_path / "log.txt").read_text(encoding="utf-8")


def test_processes_count_the_cores_that_may_be_used() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert loader_workers(4) == 1 and loader_workers(0) == 0
        assert threads_per_process(1) == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_threads_are_those_of_the_setting(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        assert run(tmp_path / "run", *STILL, "threads=2") == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert read_record(tmp_path / "run").starts[0].device.endswith("2 threads")


def test_another_process_that_computes_is_seen() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: sum(range(10**6))"]) as other:
        try:
            time.sleep(0.2)
            assert 0.3 < busy_cores(0.5) <= usable_cores()
        finally:
            other.kill()
