"""Nothing of the user's is overwritten: every command, every way to name what it writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from otadet.outputs import LIST
from tests.hostile.cases import some_always
from tests.hostile.processes import Ended, ended
from tests.hostile.worlds import THESIS, content, copied, make_world, own

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world") / "w")


def nothing(w: Path) -> None:
    """No preparation."""


def put(*names: str) -> Callable[[Path], None]:
    def make(w: Path) -> None:
        for name in names:
            own(w / name)

    return make


def link(name: str, target: str) -> Callable[[Path], None]:
    def make(w: Path) -> None:
        (w / name).parent.mkdir(parents=True, exist_ok=True)
        (w / name).symlink_to(target)

    return make


def hard(name: str, target: str) -> Callable[[Path], None]:
    def make(w: Path) -> None:
        (w / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(w / target, w / name)

    return make


def copy(name: str, target: str) -> Callable[[Path], None]:
    return lambda w: (
        (w / name).parent.mkdir(parents=True, exist_ok=True),
        shutil.copy(w / target, w / name),
    )[0]


def both(*makers: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(w: Path) -> None:
        for each in makers:
            each(w)

    return make


def fifo(name: str) -> Callable[[Path], None]:
    return lambda w: os.mkfifo(w / name)


def run_before(*words: str) -> Callable[[Path], None]:
    """A call of the user's before, which succeeds."""

    def make(w: Path) -> None:
        done = ended(words, w)
        assert done.code == 0, done

    return make


def change(name: str, old: str = "", new: str = "changed") -> Callable[[Path], None]:
    """Edit a file, of the same size and time as before."""

    def make(w: Path) -> None:
        before = (w / name).stat()
        data = (w / name).read_bytes()
        changed = data.replace(old.encode(), new.encode(), 1) if old else data[::-1]
        assert changed != data
        (w / name).write_bytes(changed)
        os.utime(w / name, ns=(before.st_atime_ns, before.st_mtime_ns))

    return make


IMAGE = ("demo", "image", "-c", "best.pth", "-d", "cpu", "--path", "in")
VIDEO = ("demo", "video", "-c", "best.pth", "-d", "cpu", "--path", "street.mp4")
YOLO = ("convert-data", "yolo", "mine", "--to", "coco")
TRAIN = ("train", "-n", "quickstart", "-d", "cpu", "-o", "mine", "max_iters=1")


@dataclass(frozen=True)
class Attack:
    """A call that would replace something of the user's.

    Attributes:
        name: of the test.
        words: the call.
        said: part of its one line.
        prepare: what lies there before.
    """

    name: str
    words: tuple[str, ...]
    said: str
    prepare: Callable[[Path], None] = field(default=nothing)


ATTACKS = [
    Attack("csv-over-checkpoint", (*IMAGE, "-o", "out", "--save-csv", "best.pth"),
           "best.pth: is an input of this command"),
    Attack("json-over-checkpoint", (*IMAGE, "-o", "out", "--save-json", "./in/../best.pth"),
           "best.pth: is an input of this command"),
    Attack("csv-over-image", (*IMAGE, "-o", "out", "--save-csv", "in/0.jpg"),
           "in/0.jpg: is an input of this command"),
    Attack("csv-over-hard-link", (*IMAGE, "-o", "out", "--save-csv", "again.jpg"),
           "again.jpg: is an input of this command", hard("again.jpg", "in/0.jpg")),
    Attack("csv-over-copy", (*IMAGE, "-o", "out", "--save-csv", "copy.jpg"),
           "copy.jpg: exists, and otadet has not written it", copy("copy.jpg", "in/0.jpg")),
    Attack("csv-over-link", (*IMAGE, "-o", "out", "--save-csv", "table.csv"),
           "table.csv: is a link", link("table.csv", "thesis.txt")),
    Attack("csv-over-dangling-link", (*IMAGE, "-o", "out", "--save-csv", "table.csv"),
           "table.csv: is a link", link("table.csv", "none.txt")),
    Attack("csv-over-pipe", (*IMAGE, "-o", "out", "--save-csv", "pipe"),
           "pipe: is a link, pipe or device", fifo("pipe")),
    Attack("csv-over-device", (*IMAGE, "-o", "out", "--save-csv", "/dev/null"),
           "/dev/null: is a link, pipe or device"),
    Attack("csv-over-other-table", (*IMAGE, "-o", "out", "--save-csv", "t.csv"),
           "t.csv: exists, and", lambda w: own(w / "t.csv", "image_id,file_name\n1,a.jpg\n")),
    Attack("json-over-other-results", (*IMAGE, "-o", "out", "--save-json", "r.json"),
           "r.json: exists, and",
           lambda w: own(w / "r.json", '[\n{"image_id": 1, "category_id": 2, "score": 1.0}\n]\n')),
    Attack("json-over-annotations",
           (*IMAGE, "-o", "out", "--save-json", "coco/annotations/train.json"),
           "train.json: exists, and"),
    Attack("json-over-the-annotations-in-use",
           ("demo", "image", "-c", "best.pth", "-d", "cpu", "--path", "coco/images/train_0.jpg",
            "-o", "out", "--annotations", "a.json", "--save-json", "a.json"),
           "a.json: is an input", both(
               copy("a.json", "coco/annotations/train.json"),
               lambda w: own(w / "a.json", (w / "a.json").read_text(encoding="utf-8")
                             .replace('"ant"', '"star"').replace('"bee"', '"circle"')))),
    Attack("two-outputs-one-name",
           (*IMAGE, "-o", "out", "--save-json", "both", "--save-csv", "./in/../both"),
           "both: two outputs have this name"),
    Attack("csv-over-drawn-image", (*IMAGE, "-o", "out", "--save-csv", "out/0.jpg"),
           "out/0.jpg: two outputs have this name", lambda w: (w / "out").mkdir()),
    Attack("csv-over-experiment",
           ("demo", "image", "-f", "mine.py", "-c", "best.pth", "-d", "cpu", "--path", "in",
            "-o", "out", "--save-csv", "mine.py"),
           "mine.py: is an input", lambda w: own(w / "mine.py", EXPERIMENT)),
    Attack("drawn-over-other-image", (*IMAGE, "-o", "out"),
           "out/1.jpg: exists, and", copy("out/1.jpg", "in/0.jpg")),
    Attack("drawn-over-hard-link", (*IMAGE, "-o", "out"),
           "out/1.jpg: is an input", hard("out/1.jpg", "in/1.jpg")),
    Attack("drawn-over-link", (*IMAGE, "-o", "out"),
           "out/1.jpg: is a link", link("out/1.jpg", "../in/1.jpg")),
    Attack("drawn-over-dangling-link", (*IMAGE, "-o", "out"),
           "out/1.jpg: is a link", link("out/1.jpg", "../new.jpg")),
    Attack("drawn-over-folder", (*IMAGE, "-o", "out"),
           "out/1.jpg: is a folder", put("out/1.jpg/thesis.txt")),
    Attack("drawn-into-the-inputs", (*IMAGE, "-o", "in"), "would replace the images in there"),
    Attack("drawn-into-a-link-to-the-inputs", (*IMAGE, "-o", "there"),
           "would replace the images in there", link("there", "in")),
    Attack("drawn-over-edited-result", (*IMAGE, "-o", "out"), "out/0.jpg: exists, and",
           both(run_before(*IMAGE, "-o", "out"), change("out/0.jpg"))),
    Attack("drawn-over-a-result-that-is-an-input",
           ("demo", "image", "-c", "best.pth", "-d", "cpu", "--path", "other/0.jpg", "-o", "out"),
           "out/0.jpg: is an input",
           both(run_before(*IMAGE, "-o", "out"), hard("other/0.jpg", "out/0.jpg"))),
    Attack("list-of-results-is-a-diary", (*IMAGE, "-o", "out"),
           f"out/{LIST}: is not otadet's list", put(f"out/{LIST}")),
    Attack("list-of-results-is-a-link", (*IMAGE, "-o", "out"),
           f"out/{LIST}: is not otadet's list", link(f"out/{LIST}", "../thesis.txt")),
    Attack("list-of-results-is-a-dangling-link", (*IMAGE, "-o", "out"),
           f"out/{LIST}: is not otadet's list", link(f"out/{LIST}", "../new.txt")),
    Attack("list-of-results-names-other-content", (*IMAGE, "-o", "out"), "out/0.jpg: exists, and",
           both(run_before(*IMAGE, "-o", "out"), lambda w: own(w / "out/0.jpg"))),
    Attack("output-is-a-file", (*IMAGE, "-o", "thesis.txt"), "thesis.txt: is a file"),
    Attack("output-below-a-file", (*IMAGE, "-o", "thesis.txt/out"), "thesis.txt"),
    Attack("video-over-other-video", (*VIDEO, "-o", "out"), "out/street.mp4: exists, and",
           put("out/street.mp4")),
    Attack("video-over-itself", (*VIDEO, "-o", "."), "the drawn video would replace street.mp4"),
    Attack("video-over-hard-link", (*VIDEO, "-o", "out"), "out/street.mp4: is an input",
           hard("out/street.mp4", "street.mp4")),
    Attack("video-over-link", (*VIDEO, "-o", "out"), "would replace",
           link("out/street.mp4", "../street.mp4")),
    Attack("csv-over-video", (*VIDEO, "-o", "out", "--save-csv", "street.mp4"),
           "street.mp4: is an input"),
    Attack("labels-over-folder",
           (*IMAGE, "-o", "out", "--save-labels", "yolo", "--save-labels-to", "mine"),
           "mine: already exists", put("mine/thesis.txt")),
    Attack("labels-over-dangling-link",
           (*IMAGE, "-o", "out", "--save-labels", "yolo", "--save-labels-to", "mine"),
           "mine: already exists", link("mine", "none")),
    Attack("labels-over-the-output",
           (*IMAGE, "-o", "out", "--save-labels", "yolo", "--save-labels-to", "./out"),
           "out: is the output folder"),
    Attack("doctor-json-over-annotations",
           ("doctor", "data_dir=coco", "--json", "coco/annotations/val.json"),
           "val.json: exists, and"),
    Attack("doctor-page-over-homepage", ("doctor", "data_dir=coco", "--page", "site"),
           "site/index.html: exists, and",
           lambda w: own(w / "site/index.html", "<!doctype html>\n<title>me</title>")),
    Attack("metrics-over-others",
           ("eval", "-c", "best.pth", "-d", "cpu", "-o", "mine", "shapes_val=2"),
           "mine/metrics.json: exists, and", put("mine/metrics.json")),
    Attack("plots-over-others",
           ("eval", "-c", "best.pth", "-d", "cpu", "-o", "mine", "--plots", "shapes_val=2"),
           "mine/plots/classes.csv: exists, and", put("mine/plots/classes.csv")),
    Attack("benchmark-over-json",
           ("benchmark", "-c", "best.pth", "-d", "cpu", "--save-json", "package.json"),
           "package.json: exists, and", lambda w: own(w / "package.json", '{"name": "x"}')),
    Attack("export-over-checkpoint", ("export", "-c", "best.pth", "--output", "best.pth"),
           "best.pth: is an input"),
    Attack("export-over-text", ("export", "-c", "best.pth", "--output", "thesis.txt"),
           "thesis.txt: exists, and"),
    Attack("report-of-export-over-json", ("export", "-c", "best.pth", "--output", "m.onnx"),
           "m.onnx.report.json: exists, and", put("m.onnx.report.json")),
    Attack("checkpoint-over-input", ("convert", "-c", "best.pth", "-o", "best.pth"),
           "best.pth: is an input"),
    Attack("checkpoint-over-weights-of-others", ("convert", "-c", "best.pth", "-o", "other.pth"),
           "other.pth: exists, and", put("other.pth")),
    *(Attack(f"run-over-{name}", TRAIN, f"mine: is no run directory of otadet, and a run would "
             f"replace its {name}", put(f"mine/{name}"))
      for name in ("log.txt", "metrics.json", "curves.png", "best.pth")),
    Attack("run-over-folder", TRAIN, "replace its pictures", put("mine/pictures/me.jpg")),
    Attack("run-over-its-start", ("train", "-c", "mine/best.pth", "-o", "mine", "-d", "cpu"),
           "replace its best.pth", copy("mine/best.pth", "best.pth")),
    Attack("run-beside-another-lock", TRAIN, "replace its log.txt",
           both(put("mine/.lock"), put("mine/log.txt"))),
    Attack("set-over-folder", (*YOLO, "--force"), "otadet has not written this folder",
           put("mine/thesis.txt")),
    Attack("set-over-folder-unasked", YOLO, "mine: already exists", put("mine/thesis.txt")),
    Attack("set-over-file", (*YOLO, "--force"), "mine: is no folder", put("mine")),
    Attack("set-over-link", (*YOLO, "--force"), "mine: is no folder", link("mine", "coco")),
    Attack("set-over-dangling-link", (*YOLO, "--force"), "mine: is no folder", link("mine", "no")),
    Attack("set-with-a-file-beside", (*YOLO, "--force"), "(1: images/train/notes/thesis.txt)",
           both(run_before(*YOLO), put("mine/images/train/notes/thesis.txt"))),
    Attack("set-with-a-hidden-file-beside", (*YOLO, "--force"), "(1: .git/HEAD)",
           both(run_before(*YOLO), put("mine/.git/HEAD"))),
    Attack("set-with-an-empty-folder-beside", (*YOLO, "--force"), "(1: todo)",
           both(run_before(*YOLO), lambda w: (w / "mine/todo").mkdir())),
    Attack("set-with-a-link-beside", (*YOLO, "--force"), "(1: photos)",
           both(run_before(*YOLO), link("mine/photos", "../in"))),
    Attack("set-with-corrected-labels", (*YOLO, "--force"), "(1: annotations/train.json)",
           both(run_before(*YOLO), change("mine/annotations/train.json", '"bee"', '"bug"'))),
    Attack("set-with-an-image-in-place-of-a-link", (*YOLO, "--force"),
           "(1: images/train/train_0.jpg)",
           both(run_before(*YOLO), lambda w: (w / "mine/images/train/train_0.jpg").unlink(),
                put("mine/images/train/train_0.jpg"))),
    Attack("set-whose-list-is-of-another", (*YOLO, "--force"), "that otadet has not written",
           both(run_before(*YOLO[:2], "other", *YOLO[3:]), put("mine/thesis.txt"),
                copy(f"mine/{LIST}", f"other/{LIST}"))),
    Attack("set-over-its-data", ("convert-data", "yolo", "yolo", "--to", "coco", "--force"),
           "the data to convert lie in it"),
    Attack("set-over-the-current-folder", ("convert-data", "yolo", ".", "--to", "coco", "--force"),
           "the data to convert lie in it"),
]  # fmt: skip

EXPERIMENT = """from otadet.exp import load_class


class Exp(load_class(None, "quickstart")):
    pass
"""


@pytest.mark.parametrize("attack", some_always(ATTACKS, 3, lambda each: str(each.name)))
def test_refused_and_nothing_touched(attack: Attack, world: Path, tmp_path: Path) -> None:
    w = copied(world, tmp_path / "w")
    attack.prepare(w)
    before = content(w)
    done = ended(attack.words, w)
    assert attack.said in done.error
    after = content(w)
    assert after == before


def test_force_onto_the_parent_of_the_current_folder(world: Path, tmp_path: Path) -> None:
    """Also where that is a set of our own with nothing beside it."""
    w = copied(world, tmp_path / "w")
    assert ended(YOLO, w).code == 0
    before = content(w)
    for inner, target in (
        ("images/train", "../.."), ("annotations", ".."), ("annotations", w / "mine"),
        (".", "."), (".", "../mine"),
    ):  # fmt: skip
        words = ("convert-data", w / "yolo", target, "--to", "coco", "--force")
        assert "is the current folder or above it" in ended(words, w / "mine" / inner).error
    for target in ("..", "images", "../.."):
        words = ("convert-data", w / "yolo", target, "--to", "coco", "--force")
        assert ended(words, w / "mine/annotations").code == (0 if target == "images" else 2)
    shutil.rmtree(w / "mine/annotations/images")
    assert content(w) == before


TWICE: dict[str, tuple[tuple[str, ...], str]] = {
    "images": ((*IMAGE, "-o", "out", "--save-csv", "t.csv", "--save-json", "r.json"), "out/0.jpg"),
    "without-detections": ((*IMAGE, "-o", "out", "--conf", "1", "--save-csv", "t.csv",
                            "--save-json", "r.json"), "out/0.jpg"),
    "video": ((*VIDEO, "-o", "out", "--save-json", "r.json"), "out/street.mp4"),
    "doctor": (("doctor", "data_dir=coco", "--json", "d.json", "--page", "page"), "d.json"),
    "eval": (("eval", "-c", "best.pth", "-d", "cpu", "-o", "out", "--plots", "shapes_val=2",
              "shapes_size=64,64", "shapes_classes=circle,square,star"), "out/metrics.json"),
    "benchmark": (("benchmark", "-c", "best.pth", "-d", "cpu", "--repeats", "1", "--warmup", "0",
                   "--save-json", "b.json"), "b.json"),
    "checkpoint": (("convert", "-c", "best.pth", "-o", "other.pth"), "other.pth"),
    "set": ((*YOLO, "--force"), "mine/annotations/train.json"),
    "copied-set": ((*YOLO, "--images", "copy", "--force"), "mine/annotations/train.json"),
}  # fmt: skip


@pytest.mark.parametrize("name", some_always(TWICE, 3))
def test_the_same_call_twice_needs_nothing(name: str, world: Path, tmp_path: Path) -> None:
    """Also in a copy of the folder whose files have other times, as after ``git clone``."""
    words, result = TWICE[name]
    w = copied(world, tmp_path / "w")
    own(w / "t.csv.part")
    own(w / "out/t.csv.part")
    before = content(w)
    assert ended(words, w).code == 0
    assert (w / result).stat().st_size > 0
    first = content(w)
    assert before.items() <= first.items()
    moved = tmp_path / "moved"
    subprocess.run(["cp", "-r", str(w), str(moved)], check=True)
    shutil.rmtree(w)
    for done in (ended(words, moved), ended(words, moved)):
        assert done.code == 0 and "ERROR" not in done.log, done
    assert content(moved).keys() == first.keys()  # nothing is left over, such as temporary files


def test_force_says_what_it_replaces(world: Path, tmp_path: Path) -> None:
    w = copied(world, tmp_path / "w")
    assert ended(YOLO, w).code == 0
    count = sum(path.is_file() for path in (w / "mine").rglob("*")) - 1
    done = ended((*YOLO, "--force"), w)
    assert done.code == 0
    assert f"--force: replaces {w / 'mine'}, {count} files of an earlier conversion" in done.log


def test_an_empty_file_is_nobodys(world: Path, tmp_path: Path) -> None:
    """As ``mktemp`` makes one."""
    w = copied(world, tmp_path / "w")
    (w / "tmp.Xy").touch()
    assert ended((*IMAGE, "-o", "out", "--save-csv", "tmp.Xy"), w).code == 0
    assert (w / "tmp.Xy").read_text(encoding="utf-8").startswith("image_id,file_name")


def test_a_run_again_moves_the_older_one(world: Path, tmp_path: Path) -> None:
    """Also one from before run directories had a mark: its lock is empty."""
    w = copied(world, tmp_path / "w")
    words = (*TRAIN, "shapes_train=2", "shapes_val=2", "shapes_size=64,64", "input_size=64,64",
             "test_size=64,64", "workers=0", "-b", "1")  # fmt: skip
    assert ended(words, w).code == 0
    (w / "mine/.lock").write_text("", encoding="utf-8")
    assert ended(words, w).code == 0
    assert (w / "mine/previous-1/best.pth").exists()
    assert ended(words, w).code == 0
    assert (w / "mine/previous-2/best.pth").exists()


def script(w: Path, *words: str) -> Ended:
    done = subprocess.run(
        [sys.executable, str(ROOT / "demo/onnxruntime/detect.py"), "--model", "m.onnx", *words],
        cwd=w, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr, frozenset())


@pytest.fixture(scope="module")
def exported(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    w = copied(world, tmp_path_factory.mktemp("exported") / "w")
    for _ in range(2):  # an export replaces an export
        done = ended(("export", "-c", "best.pth", "--output", "m.onnx"), w)
        assert done.code == 0, done
    return w


SCRIPT = {
    "in-to-in": (("--path", "in", "--output", "in"), "0.jpg: is an input", nothing),
    "one-to-its-folder": (("--path", "in/0.jpg", "--output", "in/../in"), "is an input", nothing),
    "linked-folder": (("--path", "in", "--output", "there"), "is an input", link("there", "in")),
    "hard-link": (("--path", "in", "--output", "out"), "is an input",
                  hard("out/1.jpg", "in/1.jpg")),
    "link": (("--path", "in", "--output", "out"), "is not of this script",
             link("out/1.jpg", "../in/1.jpg")),
    "other-image": (("--path", "in", "--output", "out"), "is not of this script",
                    copy("out/1.jpg", "in/0.jpg")),
    "other-json": (("--path", "in", "--output", "out"), "detections.json: exists",
                   put("out/detections.json")),
    "video-to-itself": (("--path", "street.mp4", "--output", "."), "is an input", nothing),
    "other-video": (("--path", "street.mp4", "--output", "out"), "street.mp4: exists",
                    put("out/street.mp4")),
    "model": (("--path", "in", "--output", "out"), "detections.json: is an input",
              hard("out/detections.json", "m.onnx")),
}  # fmt: skip


@pytest.mark.parametrize("name", some_always(SCRIPT, 3))
def test_the_script_without_otadet_refuses(name: str, exported: Path, tmp_path: Path) -> None:
    words, said, prepare = SCRIPT[name]
    w = copied(exported, tmp_path / "w")
    prepare(w)
    before = content(w)
    done = script(w, *words)
    assert done.code == 2 and said in done.log and done.log.count("\n") == 1, done
    assert content(w) == before


def test_the_script_without_otadet_twice(exported: Path, tmp_path: Path) -> None:
    """Also images whose names differ in their endings alone."""
    w = copied(exported, tmp_path / "w")
    shutil.copy(w / "in/1.jpg", w / "in/0.png")
    shutil.copy(w / "in/1.jpg", w / "in/0.jpg.png")
    for words in (("--path", "in"), ("--path", "street.mp4")):
        for _ in range(2):
            done = script(w, *words, "--output", "out", "--conf", "0.2")
            assert done.code == 0, done
    names = {path.name for path in (w / "out").iterdir()}
    assert names == {"0.jpg.jpg", "0.png.jpg", "0.jpg.png.jpg", "1.jpg", "street.mp4",
                     "detections.json"}  # fmt: skip
    rows = json.loads((w / "out/detections.json").read_text(encoding="utf-8"))
    assert {row["frame"] for row in rows} == {0, 1, 2}


def test_what_the_world_holds(world: Path) -> None:
    assert content(world)["thesis.txt"] == THESIS.encode()
