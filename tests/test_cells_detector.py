"""The detector that comes with the package: offline, in every command, with its licences."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from loguru import logger

import otadet
from otadet.boxes import pairwise_iou
from otadet.cli import convert_weights, demo
from otadet.cli.app import main as command
from otadet.data import ShapesDataset, read_image, write_image
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.weights import find_file, open_weights
from otadet.errors import InputError
from otadet.exp import load_class
from otadet.models import PUBLISHED, Packaged, read_file
from tests.helpers import ROOT, SHARED, needs_shared

NAME = "ota_nano_cells"
FILE = PUBLISHED[NAME].path
IMAGE = ROOT / "docs/assets/cells.jpg"

CELLS = {
    "RBC": (
        (19, 254, 137, 355), (115, 328, 223, 430), (4, 360, 112, 462), (209, 254, 321, 388),
        (495, 138, 603, 240), (550, 0, 640, 101), (493, 244, 602, 361), (542, 343, 640, 467),
        (0, 93, 108, 210), (130, 0, 241, 95), (116, 169, 226, 288), (385, 317, 494, 458),
    ),
    "WBC": ((203, 11, 391, 226),),
    "Platelets": ((348, 193, 400, 246), (354, 349, 394, 385), (453, 450, 494, 480)),
}  # fmt: skip
"""BCCD's annotation of the image, xyxy. It leaves out cells that the border cuts."""


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection is an error."""

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Messages of the log."""
    kept: list[str] = []
    sink = logger.add(lambda message: kept.append(message.record["message"]), level="INFO")
    yield kept
    logger.remove(sink)


@pytest.mark.usefixtures("offline")
def test_it_finds_the_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = otadet.load(NAME, device="cpu")(IMAGE)
    assert [line for line in lines if "Apache-2.0" in line] == [
        f"{NAME}: weights Apache-2.0, trained on BCCD (MIT)"
    ]
    found = total = 0
    for name, rows in CELLS.items():
        boxes = result.boxes[[i for i, each in enumerate(result.names) if each == name]]
        overlaps = pairwise_iou(torch.tensor(rows, dtype=torch.float32), boxes)
        found += int((overlaps.max(dim=1).values > 0.5).sum()) if len(boxes) else 0
        total += len(rows)
    assert total == 16 and found >= 12
    assert len(result) <= 24  # no crowd of false alarms at the default threshold
    assert "WBC" in result.names and result.scores.min() >= load_checkpoint(FILE).score


def test_the_file() -> None:
    assert FILE.stat().st_size < 2.5e6 and FILE.is_relative_to(ROOT / "otadet")
    stored = read_file(FILE, "checkpoint")["weights"].values()
    assert {t.dtype for t in stored if t.ndim > 1} == {torch.float16}
    checkpoint = load_checkpoint(FILE)
    assert {t.dtype for t in checkpoint.weights.values()} == {torch.float32}
    assert checkpoint.class_names == ("RBC", "WBC", "Platelets")
    assert checkpoint.experiment == NAME and checkpoint.operating_point is not None
    assert checkpoint.training == {} and checkpoint.settings["data_dir"] is None
    defaults = load_class(name=NAME).defaults()
    for name in ("assigner", "test_size", "depth", "width", "depthwise"):
        assert checkpoint.settings[name] == defaults[name], name
    paths = [v for v in checkpoint.settings.values() if isinstance(v, str) and "/" in v]
    assert not any(Path(path).is_absolute() for path in paths), paths


def test_it_states_origin_and_licences() -> None:
    checkpoint = load_checkpoint(FILE)
    about = checkpoint.provenance
    assert about is not None and (about.licence, about.data_licence) == ("Apache-2.0", "MIT")
    assert "Megvii" in about.origin and "Apache-2.0" in about.origin
    assert about.data.startswith("BCCD, https://github.com/Shenggan/BCCD_Dataset")
    assert re.search(r"tools/train\.py .*; 20\d\d-\d\d-\d\d; otadet .*torch \d", about.training)
    assert f"AP {checkpoint.metrics['AP']:.3f}" in about.evaluation
    assert not any(f"{folder}/" in text for text in asdict(about).values()
                   for folder in ("/home", "/root", "/tmp", "/work"))  # fmt: skip
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for text in (FILE.relative_to(ROOT).as_posix(), "docs/assets/cells.jpg", about.data_copyright,
                 "Megvii", "Permission is hereby granted"):  # fmt: skip
        assert text in notice


def test_the_figures_are_those_of_the_file() -> None:
    path = ROOT / f"benchmarks/results/{NAME}_cpu.json"
    measured = json.loads(path.read_text(encoding="utf-8"))["tables"]
    (row,), (shown,) = measured["detector"], measured["demo"]
    checkpoint = load_checkpoint(FILE)
    assert row["AP"] == round(checkpoint.metrics["AP"], 4)
    assert row["bytes"] == FILE.stat().st_size and row["best_step"] == checkpoint.step
    assert shown["objects"] == {name: len(rows) for name, rows in CELLS.items()}


@needs_shared
def test_the_image_was_not_trained_on() -> None:
    folder = SHARED / "data/bccd"

    def contents(split: str) -> set[bytes]:
        listed = json.loads((folder / f"annotations/{split}.json").read_text(encoding="utf-8"))
        return {(folder / "images" / each["file_name"]).read_bytes() for each in listed["images"]}

    assert IMAGE.read_bytes() in contents("val") - contents("train")


def test_the_first_minute_of_the_readme(tmp_path: Path) -> None:
    """Its command as a process, elsewhere, through a proxy that is not there."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/demo.py"), "image", "-n", NAME, "--path", str(IMAGE)],
        cwd=tmp_path, env={**os.environ, **nowhere, "CUDA_VISIBLE_DEVICES": ""}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    log = done.stdout + done.stderr
    assert log.count(f"{NAME}: weights Apache-2.0, trained on BCCD (MIT)") == 1
    assert re.search(rf"cells\.jpg: .*\d+ RBC.* -> runs/{NAME}/demo/cells\.jpg", log)
    drawn = read_image(tmp_path / f"runs/{NAME}/demo/cells.jpg")
    before = read_image(IMAGE)
    assert drawn.shape == before.shape and (drawn != before).any(axis=2).mean() > 0.02


def test_a_run_of_ones_own_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"runs/{NAME}").mkdir(parents=True)
    (tmp_path / f"runs/{NAME}/best.pth").write_bytes(b"of a run")
    words = ["image", "-n", NAME, "--path", str(IMAGE), "-d", "cpu"]
    with pytest.raises(InputError, match=rf"runs/{NAME}/best\.pth: not a checkpoint"):
        demo.main(words)
    assert demo.main([*words, "-c", NAME]) == 0  # said by name


def test_converted_weights_keep_them(tmp_path: Path) -> None:
    out = tmp_path / "out.pth"
    assert convert_weights.main(["-c", NAME, "-o", str(out)]) == 0
    assert load_checkpoint(out).provenance == load_checkpoint(FILE).provenance


def test_a_training_starts_from_it(tmp_path: Path) -> None:
    """Two steps on four images of other classes, one of which has a name that it knows."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    shapes, images, rows = ShapesDataset(4, size=(120, 160)), [], []
    for index in range(4):
        sample = shapes.load(index)
        write_image(folder / f"images/{index}.png", sample.image)
        images.append({"id": index, "file_name": f"{index}.png", "width": 160, "height": 120})
        rows += [
            {"image_id": index, "category_id": int(label), "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for (x1, y1, x2, y2), label in zip(sample.boxes.tolist(), sample.labels)
        ]
    annotations = [{**row, "id": i, "iscrowd": 0, "area": 1} for i, row in enumerate(rows, 1)]
    names = ("RBC", *shapes.class_names[1:])
    categories = [{"id": i, "name": name} for i, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations").mkdir()
    for split in ("train", "val"):
        (folder / f"annotations/{split}.json").write_text(json.dumps(content), encoding="utf-8")
    words = ["train", "-n", NAME, "-c", NAME, "-d", "cpu", "-b", "2", "-o", str(tmp_path / "run")]
    words += [f"data_dir={folder}", "max_iters=2", "workers=0", "check_data=false"]
    assert command([*words, "input_size=64,96", "test_size=64,96"]) == 0
    log = (tmp_path / "run/log.txt").read_text(encoding="utf-8")
    assert log.count(f"{NAME}: weights Apache-2.0") == 1 and f"starting from {FILE}" in log
    assert "classes carried over by name: RBC" in log
    trained = load_checkpoint(tmp_path / "run/last.pth")
    assert trained.step == 2 and trained.provenance is None
    assert {t.dtype for t in trained.weights.values()} <= {torch.float32, torch.int64}


def test_the_wheel_holds_it(tmp_path: Path) -> None:
    source = tmp_path / "source"  # the build leaves files where it runs
    for name in ("otadet", "otadet_methods", "exps"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    words = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    subprocess.run([sys.executable, *words, "-w", str(tmp_path), "."], cwd=source, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"otadet/weights/{FILE.name}") == FILE.read_bytes()
        assert f"otadet/exps/{NAME}.py" in archive.namelist()
        (notice,) = (name for name in archive.namelist() if name.endswith("/NOTICE"))
        assert b"Copyright (c) 2017 shenggan" in archive.read(notice)


def test_a_missing_file_is_said() -> None:
    with pytest.raises(InputError, match=r"none\.pth: expected weights that come with otadet, got"):
        Packaged("none.pth").fetch()
    assert find_file(NAME) == FILE
    with pytest.raises(InputError, match="did you mean 'ota_nano_cells'"):
        find_file("ota_nano_cell")


def longer(about: dict[str, Any]) -> None:
    about["data"] = "x" * 501


def shorter(about: dict[str, Any]) -> None:
    del about["origin"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (longer, "provenance.data: expected at most 500 characters, got 'x"),
        (shorter, "provenance.origin: missing"),
    ],
)
def test_what_a_file_states_is_checked(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    content = read_file(FILE, "checkpoint")
    change(content["provenance"])
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(InputError, match=re.escape(message)):
        open_weights(tmp_path / "x.pth")
