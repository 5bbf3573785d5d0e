"""Pipes, devices and folders where a file is expected: never waited for, never read without end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doctor.broken import MAKERS
from tests.export.networks import checkpoint
from tests.hostile.cases import some_always
from tests.hostile.processes import ended

KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo, "endless": lambda path: path.symlink_to("/dev/zero"),
    "loop": lambda path: path.symlink_to(path.name), "folder": Path.mkdir,
}  # fmt: skip
PLACES = {
    "coco": ("annotations/train.json", "images/train_0.jpg"),
    "odgt": ("annotation_train.odgt", "Images/train_0.jpg"),
    "voc": ("Annotations/train_0.xml", "ImageSets/Main/train.txt", "JPEGImages/train_0.jpg"),
    "yolo": ("data.yaml", "labels/train/train_0.txt", "images/train/train_0.jpg"),
}
TAKEN = {
    "data.yaml": "whose classes are then numbers",
    "ImageSets/Main/train.txt-loop": "all images are then divided",
    "images/train/train_0.jpg-folder": "no image of that name, and a label without one",
}
"""What is read as if the file was not there, which the log says."""

CASES = [
    (form, place, kind) for form, all_of in PLACES.items() for place in all_of for kind in KINDS
]


@pytest.mark.parametrize("case", some_always(CASES, 6, "-".join))
def test_in_a_data_set(case: tuple[str, str, str], tmp_path: Path) -> None:
    form, place, kind = case
    taken = place in TAKEN or f"{place}-{kind}" in TAKEN
    w = tmp_path / "w"
    MAKERS[form](w)
    (w / place).unlink()
    KINDS[kind](w / place)
    done = ended(("doctor", "data_dir=.", "--page", "page"), w, timeout=60)
    assert done.code in (0, 1, 2) and "Traceback" not in done.log, done
    assert done.code == 1 or taken, done
    words = ("convert-data", ".", "../new", "--to", "labelme", "--images", "copy")
    done = ended(words, w, timeout=60)
    assert done.code in (0, 1, 2) and "Traceback" not in done.log, done
    words = ("train", "-n", "quickstart", "-d", "cpu", "-b", "2", "-o", "run", "max_iters=3",
             "data_dir=.", "input_size=64,64", "test_size=64,64", "head_convs=1",
             "fpn_channels=32", "head_width=32", "workers=0", "check_data=false")  # fmt: skip
    done = ended(words, w, timeout=100)
    assert done.code in (0, 2) and "Traceback" not in done.log, done
    assert done.code == 2 or taken, done


WORDS = {
    "image": "demo image -c {c} -d cpu --path {x} -o out",
    "annotations": "demo image -c {c} --path a.jpg -o out --save-json r.json --annotations {x}",
    "video": "demo video -c {c} -d cpu --path {x} -o out",
    "checkpoint": "demo image -c {x} -d cpu --path a.jpg -o out",
    "weights": "convert -n yolox_nano -c {x} -o out.pth",
    "experiment": "demo image -f {x} -d cpu --path a.jpg -o out",
    "data": "doctor data_dir={x}",
    "train_ann": "doctor data_dir=. train_ann={x}",
    "bundle": "replay {x}",
    "onnx": "eval --onnx {x}",
    "set": "convert-data {x} new --to coco",
}
COMMANDS = [(name, kind) for name in WORDS for kind in KINDS]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("network"))


@pytest.mark.parametrize("case", some_always(COMMANDS, 5, "-".join))
def test_on_the_command_line(case: tuple[str, str], network: Path, tmp_path: Path) -> None:
    name, kind = case
    w = tmp_path / "w"
    MAKERS["yolo"](w / "yolo")
    ending = {"image": ".jpg", "video": ".mp4", "experiment": ".py", "annotations": ".json"}
    x = f"odd{ending.get(name, '.pth' if name in ('checkpoint', 'weights', 'bundle') else '.txt')}"
    KINDS[kind](w / x)
    done = ended(WORDS[name].format(c=network, x=x).split(), w, timeout=60)
    if name in ("data", "train_ann"):  # the doctor's report says it
        assert done.code == 1 and "annotations-unreadable" in done.out, done
    else:
        assert done.error
