"""Devices, precision, averaged weights, checkpoints, writers."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from otadet.engine.checkpoint import (
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_file,
)
from otadet.engine.devices import parse_devices
from otadet.engine.ema import Ema, cap_decay, ema_decay
from otadet.engine.loggers import MetricLoggers, RunInfo
from otadet.engine.precision import Precision, choose_precision
from otadet.errors import InputError


def test_devices_of_the_processor() -> None:
    assert len(parse_devices("cpu")) == 1 and len(parse_devices("cpu:3")) == 3
    assert parse_devices("cpu").device(0) == torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("text", ["8", "1", "0,2", "mps"])
def test_devices_that_are_not_there(text: str) -> None:
    with pytest.raises(InputError, match=rf"-d {text}: this machine has no .*-d cpu"):
        parse_devices(text)


@pytest.mark.parametrize("text", ["gpu", "-1", "cpu:x", ""])
def test_devices_that_make_no_sense(text: str) -> None:
    with pytest.raises(InputError, match="expected a number of GPUs"):
        parse_devices(text)


def test_precision() -> None:
    assert choose_precision("bf16", "cpu", auto=False).name == "bf16"
    assert choose_precision(None, "cpu", auto=False).name == "fp32"
    assert choose_precision("fp32", "cpu", auto=True).name == "fp32"
    with pytest.raises(InputError, match="--fp16 needs a GPU"):
        Precision("fp16", "cpu")


def test_ema_by_hand() -> None:
    model = nn.BatchNorm1d(1)
    ema = Ema(model, decay=0.5, ramp=1e-9)
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.running_mean.fill_(4.0)  # type: ignore[union-attr]
        model.num_batches_tracked.fill_(7)  # type: ignore[union-attr]
    ema.update(1)
    state = ema.module.state_dict()
    assert state["weight"].item() == 2.0 and state["running_mean"].item() == 2.0
    assert state["num_batches_tracked"].item() == 7
    assert not ema.module.training and not any(p.requires_grad for p in ema.module.parameters())


def test_ema_decay_rises() -> None:
    assert ema_decay(0, 0.9998) == 0.0
    assert ema_decay(2000, 0.9998) == pytest.approx(0.9998 * (1 - 2.718281828**-1))
    assert ema_decay(10**6, 0.9998) == pytest.approx(0.9998)


def test_the_average_forgets_within_a_twentieth_of_the_run() -> None:
    assert cap_decay(0.9998, 400) == pytest.approx(0.95)
    assert cap_decay(0.9998, 200_000) == 0.9998
    assert cap_decay(0.9998, 3) == 0.0 and cap_decay(0.0, 1000) == 0.0


def save(path: Path, **changes: object) -> None:
    values: dict[str, object] = {
        "experiment": "e",
        "settings": {"input_size": [3, 4]},
        "class_names": ("cat", "dog"),
        "weights": nn.Linear(2, 2).state_dict(),
        "step": 5,
        "metrics": {"AP": 0.5},
    }
    save_checkpoint(path, **{**values, **changes})  # type: ignore[arg-type]


def test_checkpoint_there_and_back(tmp_path: Path) -> None:
    save(tmp_path / "a.pth")
    checkpoint = load_checkpoint(tmp_path / "a.pth")
    assert checkpoint.class_names == ("cat", "dog") and checkpoint.step == 5
    assert [p.name for p in tmp_path.iterdir()] == ["a.pth"]
    load_weights(nn.Linear(2, 2), checkpoint)
    with pytest.raises(InputError, match=r"a.pth: the weights of another network: 0 .* 2 of anoth"):
        load_weights(nn.Linear(3, 3), checkpoint)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    save(tmp_path / "a.pth")
    before = (tmp_path / "a.pth").read_bytes()
    with pytest.raises(Exception, match="pickle"):
        save(tmp_path / "a.pth", weights={"w": lambda: 0})
    assert (tmp_path / "a.pth").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.pth"]


class Evil:
    """Would run code on an unsafe load."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (open, ("/tmp/otadet-must-not-be-written", "w"))  # type: ignore[return-value]


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="file not found"):
        load_checkpoint(tmp_path / "missing.pth")
    (tmp_path / "text.pth").write_text("hello", encoding="utf-8")
    with pytest.raises(InputError, match=r"text.pth: not a checkpoint that can be read"):
        load_checkpoint(tmp_path / "text.pth")
    (tmp_path / "empty.pth").write_bytes(b"")
    with pytest.raises(InputError, match=r"empty.pth: not a checkpoint"):
        load_checkpoint(tmp_path / "empty.pth")
    torch.save({"model": {}}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"expected a checkpoint of otadet.*dictionary of .model"):
        load_checkpoint(tmp_path / "other.pth")
    torch.save({"format": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match=r"evil.pth: not a checkpoint that can be read"):
        load_checkpoint(tmp_path / "evil.pth")
    assert not Path("/tmp/otadet-must-not-be-written").exists()
    save(tmp_path / "torn.pth")
    torn = (tmp_path / "torn.pth").read_bytes()
    (tmp_path / "torn.pth").write_bytes(torn[: len(torn) // 2])
    with pytest.raises(InputError, match=r"torn.pth: not a checkpoint"):
        load_checkpoint(tmp_path / "torn.pth")


def test_lines_after_the_resumed_step_are_dropped(tmp_path: Path) -> None:
    names = ("jsonl", "csv")
    writer = MetricLoggers(names, RunInfo(tmp_path, "e", {}))
    for step in (10, 20, 30):
        writer.write(step, "train", {"loss": 1.0 / step})
    writer.close()
    for name in ("metrics.jsonl", "metrics.csv"):  # as a kill in the middle of a write leaves it
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write('{"step": 40, "ki' if name == "metrics.jsonl" else "4")
    writer = MetricLoggers(names, RunInfo(tmp_path, "e", {}, resume_step=20))
    writer.write(30, "train", {"loss": 0.0})
    writer.close()
    lines = [
        json.loads(x) for x in (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [x["step"] for x in lines] == [10, 20, 30] and lines[-1]["loss"] == 0.0
    rows = (tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert rows == ["step,kind,name,value", "10,train,loss,0.1", "20,train,loss,0.05",
                    "30,train,loss,0.0"]  # fmt: skip


def test_a_torn_file_is_not_kept_in_place_of_a_whole_one(tmp_path: Path) -> None:
    last, before = tmp_path / "last.pth", tmp_path / "before_last.pth"
    for step in range(2):
        save_file(last, {"step": step}, before)
    last.write_bytes(last.read_bytes()[:200])
    save_file(last, {"step": 2}, before)
    kept = [torch.load(path, weights_only=True)["step"] for path in (before, last)]
    assert kept == [0, 2]
