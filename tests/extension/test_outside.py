"""A backbone, head, assigner, loss, metric, augmentation and data format from outside the package.

The files of ``outside/`` are copied to a folder that knows nothing of this repository's tests.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from otadet.data import ShapesDataset, write_image
from otadet.doctor import DoctorConfig, check_dataset
from otadet.errors import InputError
from otadet.exp import load_class
from otadet.rng import generator
from otadet.types import GroundTruth, Sample

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ("toy_fcos", "toy_yolox")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Modules, experiments and data of a user."""
    folder = tmp_path_factory.mktemp("user")
    for path in (Path(__file__).parent / "outside").glob("*.py"):
        shutil.copy(path, folder)
    shapes = ShapesDataset(4, seed=1, size=(64, 80), object_size=(16, 32))
    lines = []
    for index in range(len(shapes)):
        sample = shapes.load(index)
        write_image(folder / f"{index}.png", sample.image)
        for box, label in zip(sample.boxes, sample.labels):
            corners = " ".join(f"{side:g}" for side in box)
            lines.append(f"{index}.png {shapes.class_names[label]} {corners}")
    (folder / "boxes.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def run(folder: Path, *words: str) -> str:
    """Run a command of the repository in ``folder``; return all that it says."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_parts_pass_mypy(outside: Path) -> None:
    files = sorted(str(path) for path in outside.glob("*.py"))
    environment = {**os.environ, "MYPYPATH": str(outside)}
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *files], cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_of_them_trains_and_is_evaluated(outside: Path, name: str) -> None:
    output = outside / f"run_{name}"
    run(outside, str(ROOT / "tools/train.py"), "-f", f"{name}.py", "-d", "cpu", "--fp32",
        "-o", str(output), "max_iters=2", "workers=1")  # fmt: skip
    lines = [
        json.loads(line)
        for line in (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert all("corners" in line for line in lines if line["kind"] == "train")
    scores = [line["count_error"] for line in lines if line["kind"] == "val"]
    assert scores and "AP" not in lines[-1]
    said = run(outside, str(ROOT / "tools/eval.py"), "-f", f"{name}.py", "-d", "cpu", "--fp32",
               "-c", str(output / "last.pth"), "-o", str(outside / "again"))  # fmt: skip
    assert "count_error" in said


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_augmentation_is_the_last_thing_that_happens_to_a_sample(
    outside: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    exp = load_class(str(outside / f"{name}.py"))(data_dir=str(outside))
    data = exp.build_train_data()
    plain = exp.build_sample_builder((64, 64))(data, 0, generator(0, 0, 0))
    sample = exp.train_sample_builder((64, 64))(data, 0, generator(0, 0, 0))
    assert np.array_equal(sample.image, 255 - plain.image)
    assert np.array_equal(sample.boxes, plain.boxes)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_pyramid_has_the_strides_of_the_backbone(
    outside: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    model = load_class(str(outside / f"{name}.py"))().build_model(2)
    assert model.neck.strides == {"toy_fcos": (4, 8, 16, 32, 64), "toy_yolox": (4, 8, 16)}[name]


def test_the_doctor_looks_at_a_data_format_of_ones_own(outside: Path) -> None:
    """Boxes, classes and every image, out of the data set alone."""
    words = [str(ROOT / "tools/doctor.py"), "-f", "toy_fcos.py", "--json", "doctor.json"]
    said = run(outside, *words, "--page", "page")
    assert "train: TextFileDataset of the experiment" in said
    report = json.loads((outside / "doctor.json").read_text(encoding="utf-8"))
    assert report["can_train"] and report["numbers"]["train"]["objects"] >= 4
    assert (outside / "page/index.html").read_text(encoding="utf-8").count("<figure>") >= 4


def test_the_doctor_finds_what_is_wrong_in_it(
    outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    exp = load_class(str(outside / "toy_fcos.py"))(data_dir=str(outside))

    class Wrong:
        """The user's data set, some of it spoiled."""

        def __init__(self) -> None:
            self.whole = exp.build_train_data()
            self.class_names, self.sizes = self.whole.class_names, self.whole.sizes
            self.skipped: dict[str, int] = {}

        def __len__(self) -> int:
            return len(self.whole)

        def load(self, index: int) -> Sample:
            if index == 1:
                raise InputError("1.png: cut short")
            return self.whole.load(index)

        def ground_truth(self, index: int) -> GroundTruth:
            gt = self.whole.ground_truth(index)
            if index == 2:
                return replace(gt, size=(32, 32), labels=gt.labels + 9)
            return gt

    class Spoiled(type(exp)):  # type: ignore[misc]
        def build_train_data(self) -> Wrong:
            return Wrong()

    report = check_dataset(DoctorConfig.of(Spoiled(data_dir=str(outside))))
    found = {each.code: each for each in report.errors}
    assert {"file-not-image", "size-differs", "class-unknown"} <= found.keys()
    assert "1.png: cut short" in found["file-not-image"].spots[0].got
    assert found["class-unknown"].spots[0].image == "2.png"
