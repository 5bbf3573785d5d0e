"""tools/train.py checks the annotations first."""

from __future__ import annotations

from pathlib import Path

import pytest

from otadet.cli import train
from otadet.cli.doctor import check_data
from otadet.errors import InputError
from otadet.exp import load_class
from tests.data.conftest import warnings
from tests.doctor.broken import coco, make_coco
from tests.engine.processes import pair

__all__ = ["warnings"]


def test_a_run_on_broken_data_ends_before_it_writes(tmp_path: Path) -> None:
    root, out = tmp_path / "data", tmp_path / "run"
    make_coco(root)
    coco(lambda d: d["annotations"][0].update(bbox=[1, 2, -3, 4]))(root)
    coco(lambda d: d["annotations"][4].update(category_id=8))(root)
    with pytest.raises(InputError) as caught:
        train.main(["-n", "ota_fcos_r18", "-d", "cpu", "-o", str(out), f"data_dir={root}"])
    message = str(caught.value)
    lines = message.split("\n")
    assert [line[0] for line in lines] == ["2", " ", " ", " "]  # both, and the way to more
    for part in ("annotation id 5", "category_id", "annotation id 1", "check_data=false"):
        assert part in message
    assert not out.exists()


def test_processes_that_somebody_else_started_all_end(tmp_path: Path) -> None:
    """As torchrun and srun start them: the first one looks, and the other does not wait for it."""
    root, out = tmp_path / "data", tmp_path / "run"
    make_coco(root)
    coco(lambda d: d["annotations"][4].update(category_id=8))(root)
    words = ["-n", "ota_fcos_r18", "-d", "cpu:2", "-o", str(out), f"data_dir={root}"]
    with pair(words, tmp_path / "logs") as both:
        assert [p.end() for p in both] == [2, 2], both[0].said + both[1].said
        for process in both:
            assert "annotation id 5" in process.said and "Traceback" not in process.said
    assert not out.exists()


def test_warnings_are_few_lines_and_the_run_goes_on(tmp_path: Path, warnings: list[str]) -> None:
    root = tmp_path / "data"
    make_coco(root)
    coco(lambda d: d["annotations"][0].update(bbox=[1, 2, 0, 4]))(root)
    cls = load_class(None, "ota_fcos_r18")
    check_data(cls(data_dir=str(root)))
    assert len(warnings) == 1
    for part in ("train: box-no-area: 1 x", "annotation id 1", "train_0.jpg"):
        assert part in warnings[0]


def test_the_setting_turns_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(exp: object) -> None:
        raise AssertionError("looked")

    monkeypatch.setattr(train, "check_data", looked)
    monkeypatch.setattr(train, "launch", lambda *_: 0)
    argv = ["-n", "ota_fcos_r18", "-d", "cpu", "-o", str(tmp_path / "run"), f"data_dir={tmp_path}"]
    assert train.main([*argv, "check_data=false"]) == 0
    with pytest.raises(AssertionError, match="looked"):
        train.main(argv)
