"""Names, paths and numbers that no file system or type can hold, and closed streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otadet.data import write_image
from tests.doctor.broken import MAKERS, make_coco, make_odgt, make_voc, make_yolo
from tests.export.networks import checkpoint
from tests.hostile.cases import some_always
from tests.hostile.processes import Ended, ended

ROOT = Path(__file__).parents[2]
LONG = "n" * 300
SECRET = (251, 3, 249)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("network"))


@pytest.fixture
def w(tmp_path: Path) -> Path:
    (tmp_path / "w").mkdir()
    return tmp_path / "w"


def secret(folder: Path) -> Path:
    """An image outside the data set that an annotation must not show."""
    path = folder / "secret.png"
    write_image(path, np.full((64, 96, 3), SECRET, np.uint8))
    return path


def edit_coco(w: Path, change: Callable[[dict[str, Any]], object], split: str = "train") -> None:
    path = w / f"annotations/{split}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def outside_names(w: Path) -> list[str]:
    target = secret(w.parent)
    return [
        str(target), "../../secret.png", "../secret.png", "a/../../../secret.png",
        f"file://{target}", f"{target}\0.png", f"images/../..{target}", "..\\..\\secret.png",
        f"\\\\?\\{target}", "C:/secret.png", f"./{target}", "../images/../../secret.png",
    ]  # fmt: skip


def opened_outside(done: Ended, w: Path) -> list[str]:
    outside = str(w.parent / "secret.png")
    return [name for name in done.opened if os.path.realpath(w / name) == outside]


@pytest.mark.parametrize("number", some_always(range(12), 6))
@pytest.mark.parametrize("form", ["coco", "odgt", "voc", "labelme", "csv"])
def test_an_image_outside_is_neither_opened_nor_shown(form: str, number: int, w: Path) -> None:
    """Nor is one that other annotations name, with a size or without."""
    name = outside_names(w)[number]
    if form == "coco":
        make_coco(w)
        edit_coco(w, lambda d: d["images"][0].update(file_name=name))
        edit_coco(w, lambda d: d["images"][1].update(file_name=name))
        edit_coco(w, lambda d: [d["images"][1].pop(key) for key in ("width", "height")])
    elif form == "odgt":
        make_odgt(w)
        path = w / "annotation_train.odgt"
        first, *others = path.read_text(encoding="utf-8").splitlines()
        row = {**json.loads(first), "file_name": name}
        path.write_text("\n".join([json.dumps(row), *others]), encoding="utf-8")
    elif form == "voc":
        make_voc(w)
        if "\0" in name:
            pytest.skip("XML has no such character")
        path = w / "Annotations/train_0.xml"
        text = path.read_text(encoding="utf-8").replace("train_0.jpg", name)
        path.write_text(text, encoding="utf-8")
        (w / "JPEGImages/train_0.jpg").unlink()
    elif form == "labelme":
        (w / "train").mkdir()
        shape = {"label": "ant", "points": [[1, 1], [9, 9]], "shape_type": "rectangle"}
        for index, each in enumerate((name, name, "2.jpg", "3.jpg")):
            document = {"shapes": [shape], "imagePath": each, "imageHeight": 64, "imageWidth": 96}
            (w / f"train/{index}.json").write_text(json.dumps(document), encoding="utf-8")
            write_image(w / f"train/{index + 2}.jpg", np.zeros((64, 96, 3), np.uint8))
    else:
        (w / "images").mkdir()
        write_image(w / "images/a.jpg", np.zeros((64, 96, 3), np.uint8))
        rows = ["filename,width,height,class,xmin,ymin,xmax,ymax", "a.jpg,96,64,ant,1,1,9,9",
                f'"{name}",96,64,ant,1,1,9,9', f'"{name}",,,ant,2,2,9,9']  # fmt: skip
        for split in ("train", "val"):
            (w / f"{split}_labels.csv").write_text("\n".join(rows), encoding="utf-8")
    done = ended(("doctor", "data_dir=.", "--page", "page"), w)
    assert done.code in (0, 1, 2) and "Traceback" not in done.log, done
    assert not opened_outside(done, w)
    for fraction in ("0.5",) if form in ("coco", "labelme", "csv") else ():
        done = ended(("doctor", "data_dir=.", f"val_fraction={fraction}", "--quick"), w)
        assert "Traceback" not in done.log and not opened_outside(done, w), done


def test_a_list_of_voc_that_leads_outside(w: Path) -> None:
    make_voc(w)
    secret(w.parent)
    (w.parent / "secret.xml").write_text("<annotation/>", encoding="utf-8")
    for line in ("../../secret", "/etc/passwd", f"{w.parent}/secret.xml", LONG, "a\0b", "\ud83d"):
        with (w / "ImageSets/Main/train.txt").open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{line}\n")
    done = ended(("doctor", "data_dir=."), w)
    assert done.code == 1 and "Traceback" not in done.log, done
    assert "cannot train" in done.out and not any("passwd" in name for name in done.opened)
    assert not any(os.path.realpath(w / n) == f"{w.parent}/secret.xml" for n in done.opened)


WORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "output": (("demo", "image", "-c", "{c}", "-d", "cpu", "--path", "a.jpg", "-o", LONG), LONG),
    "output-below": (("demo", "image", "-c", "{c}", "-d", "cpu", "--path", "a.jpg",
                      "-o", f"out/{LONG}/x"), LONG),
    "checkpoint": (("demo", "image", "-c", LONG, "-d", "cpu", "--path", "a.jpg"), LONG),
    "path": (("demo", "image", "-c", "{c}", "-d", "cpu", "--path", LONG, "-o", "out"), LONG),
    "pattern": (("demo", "image", "-c", "{c}", "-d", "cpu", "--path", f"{LONG}/*.jpg", "-o", "o"),
                LONG),
    "csv": (("demo", "image", "-c", "{c}", "-d", "cpu", "--path", "a.jpg", "-o", "out",
             "--save-csv", f"{LONG}.csv"), LONG),
    "json": (("demo", "image", "-c", "{c}", "-d", "cpu", "--path", "a.jpg", "-o", "out",
              "--save-json", f"{LONG}.json"), LONG),
    "labels": (("demo", "image", "-c", "{c}", "-d", "cpu", "--path", "a.jpg", "-o", "out",
                "--save-labels", "yolo", "--save-labels-to", LONG), LONG),
    "annotations": (("demo", "image", "-c", "{c}", "-d", "cpu", "--path", "a.jpg", "-o", "out",
                     "--save-json", "r.json", "--annotations", LONG), LONG),
    "video": (("demo", "video", "-c", "{c}", "-d", "cpu", "--path", f"{LONG}.mp4"), LONG),
    "experiment": (("demo", "image", "-f", f"{LONG}.py", "--path", "a.jpg"), LONG),
    "data_dir": (("doctor", f"data_dir={LONG}"), LONG),
    "data_dir-of-training": (("train", "-n", "quickstart", "-d", "cpu", f"data_dir={LONG}"), LONG),
    "train_ann": (("doctor", "data_dir=.", f"train_ann={LONG}"), LONG),
    "page": (("doctor", "data_dir=coco", "--page", LONG), LONG),
    "run": (("train", "-n", "quickstart", "-d", "cpu", "-o", LONG), LONG),
    "resume": (("train", "--resume", "-o", LONG), LONG),
    "eval": (("eval", "-c", "{c}", "-d", "cpu", "-o", LONG), LONG),
    "export": (("export", "-c", "{c}", "--output", f"{LONG}.onnx"), LONG),
    "convert": (("convert", "-c", "{c}", "-o", f"{LONG}.pth"), LONG),
    "convert-from": (("convert-data", LONG, "new", "--to", "coco"), LONG),
    "convert-to": (("convert-data", "coco", LONG, "--to", "coco"), LONG),
    "replay": (("replay", LONG), LONG),
    "loop": (("demo", "image", "-c", "{c}", "-d", "cpu", "--path", "a.jpg", "-o", "loop"), "loop"),
    "deep": (("demo", "image", "-c", "{c}", "-d", "cpu", "--path", "a.jpg", "-o", "d/" * 3000),
             "d/"),
}  # fmt: skip


@pytest.mark.parametrize("name", some_always(WORDS, 3))
def test_a_name_that_no_file_can_have_is_one_line(name: str, network: Path, w: Path) -> None:
    words, part = WORDS[name]
    write_image(w / "a.jpg", np.zeros((64, 96, 3), np.uint8))
    make_coco(w / "coco")
    (w / "loop").symlink_to("loop")
    before = {path.name for path in w.iterdir()}
    done = ended([word.format(c=network) for word in words], w)
    assert part[:30] in done.error
    assert len(done.error) < 700 and {path.name for path in w.iterdir()} <= before | {"out"}


DIGITS = "9" * 5000


PLACES = ["id", "image_id", "width", "bbox", "category_id", "file_name",
                                   "id-as-text", "id-as-whole", "iscrowd", "area"]  # fmt: skip


@pytest.mark.parametrize("place", some_always(PLACES, 5))
def test_numbers_of_thousands_of_digits_in_coco(place: str, w: Path) -> None:
    make_coco(w)
    path = w / "annotations/train.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    if place == "id":
        document["images"][0]["id"] = "DIGITS"
    elif place in ("width", "file_name"):
        document["images"][0][place] = "DIGITS" if place == "width" else f"a{DIGITS}.jpg"
    elif place.startswith("id-as"):
        document["images"][0]["id"] = DIGITS + (".0" if place == "id-as-whole" else "")
    else:
        value: object = [1, 1, "DIGITS", 1] if place == "bbox" else "DIGITS"
        document["annotations"][0][place] = value
    text = json.dumps(document)
    for digits in (DIGITS, "1" + "0" * 30, "1e999", "1e300"):
        path.write_text(text.replace('"DIGITS"', digits), encoding="utf-8")
        for words in (("doctor", "data_dir=.", "--page", "page"),
                      ("doctor", "data_dir=.", "val_fraction=0.5"),
                      ("convert-data", ".", "../new", "--to", "yolo", "--force")):  # fmt: skip
            done = ended(words, w)
            assert done.code in (0, 1, 2) and "Traceback" not in done.log, done


def test_numbers_of_thousands_of_digits_elsewhere(w: Path) -> None:
    make_odgt(w / "odgt")
    path = w / "odgt/annotation_train.odgt"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"box_id": 0', f'"box_id": {DIGITS}', 1), encoding="utf-8")
    done = ended(("doctor", "data_dir=odgt"), w)
    assert done.code == 1 and "line 1" in done.out and "Traceback" not in done.log, done
    make_yolo(w / "yolo")
    with (w / "yolo/data.yaml").open("a", encoding="utf-8") as file:
        file.write(f"kpt_shape: [{DIGITS}, 3]\n")
    assert "Traceback" not in ended(("doctor", "data_dir=yolo"), w).log
    (w / "yolo/data.yaml").write_text(
        "train: images/train\nval: images/val\nnc: 2\nnames: [a, b]\n"
    )
    (w / "yolo/labels/train/train_0.txt").write_text(f"{DIGITS} .5 .5 .1 .1\n0 {DIGITS} 1 1 1\n")
    assert "Traceback" not in ended(("doctor", "data_dir=yolo"), w).log
    make_voc(w / "voc")
    path = w / "voc/Annotations/train_0.xml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("<width>96", f"<width>{DIGITS}"), encoding="utf-8")
    assert "Traceback" not in ended(("doctor", "data_dir=voc"), w).log


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
@pytest.mark.parametrize("size", some_always([10**15, 10**9, 4 * 10**9, 2**31], 4))
def test_sizes_that_no_image_has(cache: str, size: int, w: Path) -> None:
    make_coco(w)
    edit_coco(w, lambda d: d["images"][0].update(width=size, height=size))
    small = ("input_size=64,64", "test_size=64,64", "head_convs=1", "fpn_channels=32",
             "head_width=32", "workers=0", "check_data=false")  # fmt: skip
    words = ("train", "-n", "quickstart", "-d", "cpu", "-b", "2", "-o", "run", "max_iters=3",
             f"cache={cache}", "data_dir=.", *small)  # fmt: skip
    words = (*words, "cache_dir=cache") if cache == "disk" else words
    done = ended(words, w)
    assert done.code == 2 and "train_0.jpg: the image is 96 x 64" in done.log
    assert "Traceback" not in done.log, done
    done = ended((*words, "unreadable=skip"), w)
    assert done.code == 0, done
    assert ended(("doctor", "data_dir=.", "--page", "page"), w).code == 1


NAMES = ["a\0.jpg", LONG + ".jpg", "\ud800.jpg", "", ".", "..", "/", "a/" * 3000 + "b.jpg", "nul\n",
         f"{LONG}/a.jpg", f"{LONG}/../train_0.jpg"]  # fmt: skip


@pytest.mark.parametrize("form", MAKERS)
@pytest.mark.parametrize("number", some_always(range(len(NAMES)), 4))
def test_file_names_that_no_file_has(form: str, number: int, w: Path) -> None:
    name = NAMES[number]
    w.rmdir()
    MAKERS[form](w)
    if form == "coco":
        edit_coco(w, lambda d: d["images"][0].update(file_name=name))
    elif form == "odgt":
        path = w / "annotation_train.odgt"
        first, *others = path.read_text(encoding="utf-8").splitlines()
        row = {**json.loads(first), "file_name": name, "ID": name}
        path.write_text("\n".join([json.dumps(row), *others]), encoding="utf-8")
    elif form == "voc":
        with (w / "ImageSets/Main/train.txt").open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{name}\n")
    else:
        lines = [f"images/train/{name}", "images/train/train_1.jpg"]
        (w / "train.txt").write_text("\n".join(lines), encoding="utf-8", errors="replace")
        text = (w / "data.yaml").read_text(encoding="utf-8").replace("images/train", "train.txt")
        (w / "data.yaml").write_text(text, encoding="utf-8")
    for words in (("doctor", "data_dir=.", "--page", "page"), ("doctor", "data_dir=.", "--quick"),
                  ("convert-data", ".", "../new", "--to", "csv", "--force")):  # fmt: skip
        done = ended(words, w)
        assert done.code in (0, 1, 2) and "Traceback" not in done.log, done


CLOSED = {"all": ("<&- >&- 2>&-", 0), "stdout": (">&-", 0), "stderr": ("2>&-", 0)}


@pytest.mark.parametrize("name", some_always(CLOSED, 3))
def test_closed_streams_change_no_exit_code(name: str, network: Path, w: Path) -> None:
    redirection, code = CLOSED[name]
    write_image(w / "a.jpg", np.full((64, 96, 3), 99, np.uint8))
    make_coco(w / "coco")
    python = [sys.executable, str(ROOT / "tools/demo.py"), "image", "-c", str(network), "-d", "cpu",
              "--path", "a.jpg", "-o", "out", "--save-csv", "t.csv"]  # fmt: skip
    doctor = [sys.executable, "-m", "otadet", "doctor", "data_dir=coco", "--json", "d.json"]
    for words in (python, doctor):
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {redirection}', "sh", *words], cwd=w, capture_output=True,
            timeout=300, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == code and b"Traceback" not in done.stderr, done
    assert (w / "out/a.jpg").exists() and (w / "t.csv").exists() and (w / "d.json").exists()


def test_values_that_nest_deeper_than_they_can_be_shown(w: Path) -> None:
    """Deep enough to be read, too deep for a message."""
    deep = '{"a":' * 900 + "1" + "}" * 900
    for form, old in (("coco", '"file_name": "train_0.jpg"'), ("odgt", '"tag": "ant"')):
        root = w / form
        MAKERS[form](root)
        path = root / ("annotations/train.json" if form == "coco" else "annotation_train.odgt")
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, f"{old.partition(':')[0]}: {deep}", 1), encoding="utf-8")
        done = ended(("doctor", f"data_dir={form}", "--page", "page"), w)
        assert done.code == 1 and "Traceback" not in done.log, done
