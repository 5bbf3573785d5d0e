"""Class and file names from elsewhere: no crash, no faked line, no formula; data keep them."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import tracemalloc
from pathlib import Path

import pytest

from otadet.data import ShapesDataset, write_image
from otadet.engine.checkpoint import load_checkpoint, save_checkpoint
from otadet.texts import nearest
from tests.doctor.broken import make_coco, make_odgt, make_yolo
from tests.export.networks import checkpoint
from tests.hostile.cases import some_always
from tests.hostile.processes import Ended, ended

FAKE = "13:37:00 ERROR   all is lost"
NAMES = {
    "surrogate": "\ud800x",
    "surrogate-pair-apart": "\ude00\ud83d",
    "not-utf-8": "caf\udce9",
    "escape": "\x1b[2J\x1b[1;31mred\x1b]0;title\x07",
    "c1-escape": "\x9b2J",
    "line": f"a\n{FAKE}",
    "indented-line": f"a\n  {FAKE}",
    "return": f"a\r{FAKE}",
    "separators": f"a\u2028{FAKE}\x85{FAKE}\x0b{FAKE}",
    "bidi": "\u202egnp.exe\u2066",
    "backspace": "good\b\b\b\bevil",
    "nul": "a\x00b",
    "long": "x" * 10_000,
    "formula": "=cmd|'/C calc'!A0",
    "markup": "<script>alert(1)</script><red>{level}</red>",
    "math": "$x^{2$ \\frac",
    "format": "{0} {level} %s %(a)s",
    "tags": "</red><bold>",
    "blank": " ",
    "emoji": "\U0001f469\u200d\U0001f469 \u65e5\u672c",
}
LINE = re.compile(r"(\d\d:\d\d:\d\d (INFO|WARNING|ERROR) .*|  .*|)$")


def check_log(done: Ended, code: int = 0) -> None:
    """Lines of the log and what belongs to them; nothing that a terminal obeys."""
    assert done.code == code, done
    for text in (done.log, done.out):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\udc80-\udcff]", text), done
        assert not any(line.startswith(FAKE) for line in text.splitlines()), done
        assert max(map(len, text.split("\n"))) < 2200
    for line in done.log.split("\n"):
        assert LINE.match(line), done.log


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("network"))


@pytest.fixture
def w(tmp_path: Path) -> Path:
    folder = tmp_path / "w"
    (folder / "in").mkdir(parents=True)
    image = ShapesDataset(1, seed=0, size=(80, 110), object_size=(20.0, 50.0)).load(0).image
    write_image(folder / "in/a.jpg", image)
    return folder


def named(network: Path, target: Path, name: str) -> Path:
    """The network with this name of its first class."""
    old = load_checkpoint(network)
    save_checkpoint(
        target, experiment=old.experiment, settings=old.settings, weights=old.weights, step=0,
        class_names=(name, "square", "star"), metrics={},
    )  # fmt: skip
    return target


@pytest.mark.parametrize("kind", some_always(NAMES, 4))
def test_a_class_of_a_checkpoint_in_the_demo(kind: str, network: Path, w: Path) -> None:
    name = NAMES[kind]
    named(network, w / "c.pth", name)
    done = ended(("demo", "image", "-c", "c.pth", "-d", "cpu", "--path", "in", "-o", "out",
                  "--conf", "0.05", "--save-csv", "t.csv", "--save-json", "r.json"), w)  # fmt: skip
    check_log(done)
    assert (w / "out/a.jpg").stat().st_size > 1000
    rows = json.loads((w / "r.json").read_text(encoding="utf-8"))
    assert name in {row["category_name"] for row in rows}  # data keep the original
    with (w / "t.csv").open(newline="", encoding="utf-8") as file:
        labels = {row["label"] for row in csv.DictReader(file)}
    kept = name.encode("utf-8", "backslashreplace").decode()
    kept = kept.replace("\r", "\n") if "\r" in kept else kept
    assert {"square", "star"} < {label.replace("\r", "\n") for label in labels}
    if kind == "formula":
        assert f"'{name}" in labels and name not in labels
    else:
        assert kept in {label.replace("\r", "\n") for label in labels}


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "\n=1"]


@pytest.mark.parametrize("name", some_always(FORMULAS, 4, ascii))
def test_formulas(name: str, network: Path, w: Path) -> None:
    named(network, w / "c.pth", name)
    shutil.copy(w / "in/a.jpg", w / "in/=a.jpg")
    words = ("demo", "image", "-c", "c.pth", "-d", "cpu", "--path", "in/=a.jpg", "-o", "out",
             "--conf", "0.05", "--save-csv", "t.csv")  # fmt: skip
    for guard in (True, False):
        assert ended((*words, *(() if guard else ("--no-csv-guard",))), w).code == 0
        with (w / "t.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        quote = "'" if guard else ""
        assert quote + name in {row["label"] for row in rows}
        assert {row["file_name"] for row in rows} == {f"{quote}=a.jpg"}
        assert any(row["x1"].startswith("0") for row in rows)  # numbers are numbers


@pytest.mark.parametrize("kind", some_always(NAMES, 4))
def test_a_class_of_coco_in_the_doctor(kind: str, tmp_path: Path) -> None:
    make_coco(tmp_path / "w")
    for split in ("train", "val"):
        path = tmp_path / f"w/annotations/{split}.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        document["categories"][0]["name"] = NAMES[kind]
        document["annotations"][0]["bbox"] = [200, 200, 5, 5]  # a finding that shows it
        document["images"][0]["file_name"] = f"{NAMES[kind]}.jpg"
        path.write_text(json.dumps(document), encoding="utf-8")
    done = ended(("doctor", "data_dir=.", "--page", "page", "--json", "d.json"), tmp_path / "w")
    check_log(done, code=1)
    page = (tmp_path / "w/page/index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "data:image/jpeg" in page
    found = json.loads((tmp_path / "w/d.json").read_text(encoding="utf-8"))
    assert NAMES[kind] in found["numbers"]["train"]["classes"]


@pytest.mark.parametrize("kind", some_always(NAMES, 4))
def test_a_tag_of_odgt_in_the_doctor(kind: str, tmp_path: Path) -> None:
    make_odgt(tmp_path / "w")
    for split in ("train", "val"):
        path = tmp_path / f"w/annotation_{split}.odgt"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"ant"', json.dumps(NAMES[kind])), encoding="utf-8")
    check_log(ended(("doctor", "data_dir=.", "--page", "page"), tmp_path / "w"))


@pytest.mark.parametrize(
    "kind", some_always(["line", "escape", "indented-line", "surrogate", "long", "nul"], 3)
)
def test_a_class_in_training_evaluation_and_conversion(kind: str, tmp_path: Path) -> None:
    w, name = tmp_path / "w", NAMES[kind]
    make_coco(w / "data")
    for split in ("train", "val"):
        path = w / f"data/annotations/{split}.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        document["categories"][0]["name"] = name
        path.write_text(json.dumps(document), encoding="utf-8")
    small = ("input_size=64,64", "test_size=64,64", "head_convs=1", "fpn_channels=32",
             "head_width=32", "workers=0")  # fmt: skip
    done = ended(("train", "-n", "quickstart", "-d", "cpu", "-b", "2", "-o", "run", "max_iters=1",
                  "data_dir=data", *small), w)  # fmt: skip
    check_log(done)
    log = (w / "run/log.txt").read_text(encoding="utf-8")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", log)
    assert all(re.match(r"\d{4}-|  |$", line) for line in log.split("\n")), log
    done = ended(("eval", "-c", "run/best.pth", "-d", "cpu", "--plots"), w)
    check_log(done)
    assert (w / "run/eval/plots/confusion_matrix.png").stat().st_size > 1000
    for to in ("coco", "yolo", "voc", "odgt", "csv", "labelme"):
        done = ended(("convert-data", "data", f"as_{to}", "--to", to), w)
        assert done.code in (0, 2)
        check_log(done, done.code)
        assert (w / f"as_{to}").exists() == (done.code == 0)
    assert (w / "as_coco").exists()


FILES = {
    "escape": "\x1b[2J\x1b[31ma.jpg",
    "line": f"a\n{FAKE}.jpg",
    "return": f"a\r{FAKE}.jpg",
    "latin-1": os.fsdecode(b"caf\xe9.jpg"),
    "formula": "=cmd.jpg",
    "option": "-o.jpg",
    "longest": "x" * 251 + ".jpg",
    "bidi": "\u202egpj.jpg",
    "brackets": "[a]{b}*.jpg",
    "quote": "a'\"b.jpg",
    "blank": " .jpg",
}


@pytest.mark.parametrize("kind", some_always(FILES, 4))
def test_a_file_name_in_the_demo(kind: str, network: Path, w: Path) -> None:
    name = FILES[kind]
    (w / "in/a.jpg").rename(w / "in" / name)
    done = ended(("demo", "image", "-c", network, "-d", "cpu", "--path", "in", "-o", "out",
                  "--conf", "0.05", "--save-csv", "t.csv", "--save-json", "r.json"), w)  # fmt: skip
    check_log(done)
    assert (w / "out" / name).stat().st_size > 1000
    rows = json.loads((w / "r.json").read_text(encoding="utf-8"))
    assert {row["file_name"] for row in rows} == {name}
    text = (w / "t.csv").read_bytes().decode("utf-8")
    assert name.encode("utf-8", "backslashreplace").decode() in text.replace('""', '"')
    again = ended(("demo", "image", "-c", network, "-d", "cpu", "--path", "in", "-o", "out"), w)
    check_log(again)  # the list of results knows the name


@pytest.mark.parametrize("kind", some_always(["escape", "line", "return", "latin-1", "bidi"], 3))
def test_a_file_name_in_data_sets(kind: str, tmp_path: Path) -> None:
    w, name = tmp_path / "w", FILES[kind]
    make_yolo(w)
    (w / "images/train/train_0.jpg").rename(w / "images/train" / name)
    (w / "labels/train/train_0.txt").rename(w / "labels/train" / name.replace(".jpg", ".txt"))
    (w / "labels/train/train_1.txt").write_text("0 2 2 0.1 0.1\n", encoding="utf-8")
    (w / "images/train/train_2.jpg").write_bytes(b"no image")
    check_log(ended(("doctor", "data_dir=.", "--page", "page"), w), code=1)
    (w / "labels/train/train_1.txt").unlink()
    (w / "images/train/train_2.jpg").unlink()
    for to in ("coco", "odgt", "csv", "voc", "labelme"):
        done = ended(("convert-data", ".", f"../as_{to}", "--to", to), w)
        assert done.code in (0, 2)
        check_log(done, done.code)


def test_a_word_without_end_is_compared_by_its_beginning() -> None:
    """difflib lists the places of every letter, at 8 bytes and more each."""
    assert nearest("--bach-size", ["--batch-size", "--resume"]) == "--batch-size"
    tracemalloc.start()
    assert nearest("--batch-size" * 1_000_000, ["--batch-size", "--resume"]) is None
    assert tracemalloc.get_traced_memory()[1] < 15 << 20  # the word itself has 12 MB
    tracemalloc.stop()
