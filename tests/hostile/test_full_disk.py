"""A full disk ends with an error, and what was there before is as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otadet.data import ShapesDataset, read_image, write_image
from tests.hostile.processes import Ended, ended
from tests.hostile.worlds import content, copied, make_world
from tests.media.videos import video_facts, write_video

ROOT = Path(__file__).parents[2]
DEMO = ("demo", "image", "-c", "best.pth", "-d", "cpu", "--path", "in", "-o", "out")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    w = make_world(tmp_path_factory.mktemp("world") / "w")
    image = ShapesDataset(1, seed=5, size=(900, 1200), object_size=(20.0, 50.0)).load(0).image
    write_image(w / "in/1.jpg", image)
    write_video(w / "street.mp4", frames=40, size=(240, 320), rate=10)
    assert ended(("export", "-c", "best.pth", "--output", "m.onnx"), w).code == 0
    return w


@pytest.fixture
def w(world: Path, tmp_path: Path) -> Path:
    return copied(world, tmp_path / "w")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB, where this process may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if os.geteuid() or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def failed(done: Ended, name: str) -> None:
    """One line that names the file, and exit code 1."""
    assert done.code == 1 and "Traceback" not in done.log, done
    last = done.log.splitlines()[-1]
    assert "ERROR" in last and name in last and "free disk space" in last, done.log


def test_an_image_is_whole_or_not_there(w: Path) -> None:
    """``1.jpg`` does not fit; a good one of before stays."""
    failed(ended(DEMO, w, largest=30_000), "out/1.jpg")
    assert {p.name for p in (w / "out").iterdir()} == {".otadet", "0.jpg"}
    assert ended(DEMO, w).code == 0
    before = content(w / "out")
    failed(ended((*DEMO, "--conf", "0.1"), w, largest=30_000), "out/1.jpg")
    after = content(w / "out")
    assert after["1.jpg"] == before["1.jpg"] and after.keys() == before.keys()
    assert read_image(w / "out/0.jpg").size and ended(DEMO, w).code == 0


def test_a_video_is_whole_or_not_there(w: Path) -> None:
    words = ("demo", "video", "-c", "best.pth", "-d", "cpu", "--path", "street.mp4", "-o", "out")
    failed(ended(words, w, largest=50_000), "out/street.mp4")
    assert not list((w / "out").glob("*.mp4")) and not list((w / "out").glob(".*mp4"))
    assert ended(words, w).code == 0
    before = content(w / "out")
    failed(ended((*words, "--conf", "0.1"), w, largest=50_000), "out/street.mp4")
    assert content(w / "out") == before and video_facts(w / "out/street.mp4")[0] == 40


def test_a_real_full_disk(w: Path, disk: Path) -> None:
    for mode, path, name in (("image", "in", "1.jpg"), ("video", "street.mp4", "street.mp4")):
        words = ("demo", mode, "-c", "best.pth", "-d", "cpu", "--path", path, "-o", disk / mode)
        failed(ended(words, w), f"{mode}/{name}")
        left = {p.name for p in (disk / mode).iterdir()} if (disk / mode).exists() else set()
        assert left <= {".otadet", "0.jpg"}


@pytest.mark.parametrize("words", [("--save-csv", "t.csv"), ("--save-json", "t.csv")])
def test_tables(w: Path, words: tuple[str, ...]) -> None:
    call = ("demo", "image", "-c", "best.pth", "-d", "cpu", "--path", "in/0.jpg", "-o", "out",
            *words)  # fmt: skip
    assert ended(call, w).code == 0
    before = (w / "t.csv").read_bytes()
    failed(ended((*call, "--conf", "0.001", "max_detections=3000"), w, largest=20_000), "t.csv")
    assert (w / "t.csv").read_bytes() == before
    assert not [path for path in w.iterdir() if ".part" in path.name]


@pytest.mark.parametrize(
    ("words", "name", "largest"),
    [
        (("doctor", "data_dir=coco", "--page", "page"), "page/index.html", 9_000),
        (("doctor", "data_dir=coco", "--json", "d.json"), "d.json", 2_000),
        pytest.param(("export", "-c", "best.pth", "--output", "new.onnx"), "new.onnx", 90_000,
                     marks=pytest.mark.slow),
        (("convert", "-c", "best.pth", "-o", "new.pth"), "new.pth", 90_000),
        (("eval", "-c", "best.pth", "-d", "cpu", "-o", "out", "--plots", "shapes_val=2",
          "shapes_classes=circle,square,star", "workers=0"), "out/plots/thresholds.csv", 2_000),
    ],
)  # fmt: skip
def test_other_results(w: Path, words: tuple[str, ...], name: str, largest: int) -> None:
    done = ended(words, w, largest=largest)
    assert done.code == 1 and name in done.log.splitlines()[-1], done
    assert "Traceback" not in done.log and not (w / name).exists()
    assert not list(w.rglob(".otadet-*"))
    assert ended(words, w).code == 0 and (w / name).exists()
    before = content(w)
    assert ended(words, w, largest=largest).code == 1
    assert content(w) == before


def test_a_conversion(w: Path) -> None:
    words = ("convert-data", "yolo", "new", "--to", "coco", "--images", "copy")
    done = ended(words, w, largest=1_000)
    assert done.code == 1 and "free disk space" in done.log and "Traceback" not in done.log, done
    assert not (w / "new").exists() and not list(w.glob(".otadet*"))


def test_the_script_without_otadet(w: Path, disk: Path) -> None:
    python = [sys.executable, str(ROOT / "demo/onnxruntime/detect.py"), "--model", "m.onnx"]
    for path in ("in", "street.mp4"):
        words = [*python, "--path", path, "--output", str(disk)]
        done = subprocess.run(words, cwd=w, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done
        assert {p.name for p in disk.iterdir()} <= {"0.jpg"}
