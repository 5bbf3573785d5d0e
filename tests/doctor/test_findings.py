"""Every fault is named, with its place, and the doctor never disagrees with the readers."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from otadet.cli.doctor import main
from otadet.data import Dataset
from otadet.data.findings import ADVICE, BEYOND_READER
from otadet.doctor import DoctorConfig, Report, check_dataset
from otadet.doctor.html import write_html
from otadet.doctor.report import as_text
from otadet.errors import InputError
from otadet.exp import Exp, load_class
from tests.data.forms import FORMS, Form
from tests.doctor.broken import MAKERS, Case, coco, with_exif
from tests.doctor.cases import CASES
from tests.limits import limited

pytestmark = pytest.mark.filterwarnings("error")


def experiment(root: Path, *settings: str) -> Exp:
    cls = load_class(None, "ota_fcos_r18")
    return cls(**cls.parse([f"data_dir={root}", *settings]))


def look(root: Path, *settings: str, quick: bool = False) -> Report:
    config = DoctorConfig.of(experiment(root, *settings))
    return check_dataset(config, quick=quick, crowds=False, workers=1)


def refused(root: Path, *settings: str) -> str:
    """Error message of training: of the readers, the experiment, and every image."""
    exp = experiment(root, *settings)
    try:
        train = exp.build_train_data()
        _load_all(train)
        _load_all(exp.build_val_data(train.class_names))
    except InputError as error:
        return str(error)
    return ""


def _load_all(dataset: Dataset) -> None:
    for index in range(len(dataset)):
        dataset.load(index)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_sound_set_has_nothing_above_a_note(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    MAKERS[kind](root)
    report = look(root)
    assert [f.code for f in report.findings if f.severity != "note"] == []
    assert report.can_train and not refused(root)
    numbers = report.splits["train"].statistics
    assert (numbers.pictures, numbers.objects, numbers.classes) == (6, 12, {"ant": 6, "bee": 6})
    assert look(root, quick=True).can_train


def _name(case: Case) -> str:
    return f"{case.format}-{case.code}-{case.part}"


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_the_fault_is_named_with_its_place(case: Case, tmp_path: Path) -> None:
    root = tmp_path / "data"
    MAKERS[case.format](root)
    case.fault(root)
    report = look(root, *case.settings)
    mine = [f for f in report.findings if f.code == case.code and f.part == case.part]
    assert mine, [(f.code, f.part, f.text) for f in report.findings]
    said = f"{mine[0].text} {mine[0].spots[0]}"
    assert [word for word in case.where if word not in said] == [], said
    # The readers and the doctor agree on whether it can be trained on.
    reason = refused(root, *case.settings)
    ours = {f.code for f in report.errors}
    assert bool(reason) == bool(ours - BEYOND_READER), (reason, ours)
    # The readers' word alone is the last resort: every fault here has a name of its own.
    assert "refused" not in ours
    # Nothing else is made of it: no error but the one, in the split that is broken.
    assert {(f.code, f.part) for f in report.errors} <= {(case.code, case.part)} | FOLLOW


FOLLOW = {
    ("classes-missing", "train"), ("class-unknown", "train"), ("classes-differ", "val"),
    ("no-objects", "train"), ("image-id-unknown", "train"),
    ("annotations-unreadable", "val"),
}  # fmt: skip
"""What a broken list of classes or images brings about in the annotations that name them;
data.yaml is that of both splits."""


@pytest.mark.parametrize("kind", MAKERS)
def test_turned_images_are_a_warning_where_they_are_taken_as_stored(
    kind: str, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    MAKERS[kind](root)
    folder = {"coco": "images", "odgt": "Images", "voc": "JPEGImages", "yolo": "images/train"}[kind]
    for number, orientation in ((1, 6), (2, 3)):
        with_exif(f"{folder}/train_{number}.jpg", orientation)(root)
    found = {f.code: f.severity for f in look(root).findings}
    sizes_stated = kind in ("coco", "voc")
    assert found["exif-swaps"] == ("warning" if sizes_stated else "note")
    assert found["exif-flips"] == "note"


@pytest.mark.parametrize(
    ("settings", "named"),
    [(["dynamic_q=20"], True), (["dynamic_q=5"], False), (["method=atss"], False)],
)
def test_fewer_points_are_named_where_the_assigner_would_take_them(
    settings: list[str], named: bool, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    MAKERS["coco"](root)
    codes = [f.code for f in look(root, "input_size=64,96", *settings).findings]
    assert ("points-many" in codes) == named
    assert "points-many" not in [f.code for f in look(root, *settings).findings]
    published = load_class(None, "ota_fcos_r50")
    config = DoctorConfig.of(published(**published.parse([f"data_dir={root}"])))
    assert config.q is None, "of an experiment for COCO and 90,000 steps"


def test_every_code_has_advice_and_enough_are_tested() -> None:
    codes = {case.code for case in CASES}
    assert codes <= set(ADVICE) and len(codes) >= 35
    assert {case.format for case in CASES} == set(MAKERS)


def test_all_faults_in_one_go(tmp_path: Path) -> None:
    root = tmp_path / "data"
    MAKERS["coco"](root)

    def spoil(document: dict[str, list[dict[str, object]]]) -> None:
        rows = document["annotations"]
        rows[0]["image_id"] = 99
        rows[1]["bbox"] = [0, 0, -1, 5]
        rows[2]["category_id"] = "ant"
        rows[3].pop("bbox")
        rows[4]["id"] = rows[5]["id"]
        document["images"][5]["file_name"] = "nowhere.jpg"

    coco(spoil)(root)
    (root / "images" / "val_0.jpg").write_bytes(b"")
    found = {(f.code, f.part): f.count for f in look(root).errors}
    assert found == {
        ("image-id-unknown", "train"): 1, ("box-invalid", "train"): 2,
        ("class-unknown", "train"): 1,
        ("file-missing", "train"): 1, ("file-empty", "val"): 1,
    }  # fmt: skip


@pytest.mark.parametrize(("gone", "severity"), [(3, "note"), (4, "warning"), (6, "error")])
def test_few_label_files_are_a_warning(gone: int, severity: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    MAKERS["yolo"](root)
    (root / "labels" / "train" / "classes.txt").write_text(
        "ant\nbee\n", encoding="utf-8"
    )  # no label file
    for index in range(gone):
        label = root / "labels" / "train" / f"train_{index}.txt"
        label.rename(label.with_name(f"frame_{index}.txt"))
    found = {f.code: f for f in look(root).findings}
    assert (found["no-label-file"].severity, found["no-label-file"].count) == (severity, gone)
    unused = found["label-without-picture"]
    assert (unused.severity, unused.count) == ("warning", gone)


def test_unreadable_images_are_warnings_where_training_skips_them(tmp_path: Path) -> None:
    root = tmp_path / "data"
    MAKERS["coco"](root)
    (root / "images" / "train_1.jpg").unlink()
    (root / "images" / "train_2.jpg").write_bytes(b"no")
    report = look(root, "unreadable=skip")
    assert report.can_train
    assert {f.code for f in report.findings if f.severity == "warning"} == {
        "file-missing", "file-not-image",
    }  # fmt: skip


def test_command_writes_json_and_a_page_and_ends_with_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    MAKERS["coco"](root)
    coco(lambda d: d["annotations"][2].update(bbox=[70, 6, 40, 20]))(root)
    file, page = tmp_path / "report.json", tmp_path / "page"
    assert main([f"data_dir={root}", "--json", str(file), "--page", str(page)]) == 0
    said = capsys.readouterr().out
    assert "box-over-border" in said and "median, max" in said and "min to max" in said
    document = json.loads(file.read_text(encoding="utf-8"))
    finding = next(f for f in document["findings"] if f["code"] == "box-over-border")
    assert finding["severity"] == "warning" and finding["spots"][0]["image"] == "train_1.jpg"
    crowding = document["numbers"]["train"]["crowding"]
    assert crowding["pictures"] == 6 and 0 < crowding["contested"]["3"] < 1
    html = (page / "index.html").read_text(encoding="utf-8")
    assert html.count("<img ") >= 9 and "<svg" in html
    text = html.partition("<main>")[2].partition("</main>")[0]
    assert "median" in text and "middle" not in said + text
    assert "http://" not in html and "https://" not in html  # no network
    assert [each.name for each in page.iterdir()] == ["index.html"]
    (root / "images" / "val_1.jpg").unlink()
    assert main([f"data_dir={root}", "--quick"]) == 1
    assert "cannot train" in capsys.readouterr().out


REFUSED = [form for form in FORMS if form.error is not None]


@pytest.mark.parametrize("form", REFUSED, ids=lambda form: form.name)
def test_what_training_refuses_is_an_error(form: Form, tmp_path: Path) -> None:
    form.write(tmp_path)
    settings = ["strict_data=true"] if form.how.strict else []
    report = look(tmp_path / form.data, *settings)
    assert not report.can_train
    said = "".join(f"{each.text} {spot}" for each in report.errors for spot in each.spots)
    assert re.search(str(form.error), said)


def test_one_set_that_is_divided(tmp_path: Path) -> None:
    form = next(each for each in FORMS if each.name == "labelme: points and lines beside")
    form.write(tmp_path)
    report = look(tmp_path)
    text = as_text(report)
    assert "train: labelme, one folder, about 80% of one set (val_fraction=0.2): " in text
    assert "val: labelme, one folder, about 20% of one set (val_fraction=0.2): " in text
    points = [each for each in report.findings if each.code == "shape-no-area"]
    assert [(each.part, each.count) for each in points] == [("train", 12)]  # of all, once
    names = report.splits["train"].records.file_names
    drawn = [spot for spot in points[0].spots if spot.image_index >= 0]
    assert drawn and all(names[spot.image_index] == spot.image for spot in drawn)


def test_the_page_escapes_names_and_links_its_sections(tmp_path: Path) -> None:
    root = tmp_path / "data"
    MAKERS["coco"](root)
    for split in ("train", "val"):
        coco(lambda d: d["categories"][0].update(name="<i>&ant</i>"), split)(root)
    coco(lambda d: d["annotations"].pop(), "train")(root)
    html = write_html(look(root), tmp_path / "page").read_text(encoding="utf-8")
    assert "&lt;i&gt;&amp;ant&lt;/i&gt;" in html and "<i>" not in html
    assert "train_5.jpg: 1 object<" in html and "train_4.jpg: 2 objects<" in html
    targets = set(re.findall(r'href="#([^"]+)"', html))
    assert {"findings", "train", "val", "train-1", "val-2", "text"} <= targets
    assert targets <= set(re.findall(r' id="([^"]+)"', html))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--quick"], "give data_dir"),
        (["data_dir=.", "--workers", "0"], "--workers 0: expected at least 1"),
        (["data_dir=.", "--json", "no/such/folder.json"], "--json no/such/folder.json"),
        (["data_dir=.", "--page", "README.md"], "--page README.md: is a file"),
    ],
)
def test_wrong_usage_is_one_line(argv: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        main(argv)


def _heap(document: dict[str, list[dict[str, object]]]) -> None:
    rows = document["annotations"]
    box = {"image_id": 1, "category_id": 1, "bbox": [5, 5, 40, 40], "area": 1600, "iscrowd": 0}
    rows += [{"id": 1000 + i, **box} for i in range(20_000)]


def test_twenty_thousand_boxes_in_one_place_do_not_fill_the_memory(tmp_path: Path) -> None:
    """Their 200 million pairs would take 5 GB."""
    MAKERS["coco"](tmp_path / "data")
    coco(_heap)(tmp_path / "data")
    words = [f"data_dir={tmp_path / 'data'}", "--quick", "--json", str(tmp_path / "found.json")]
    done = limited("from otadet.cli.doctor import main", "main(sys.argv[1:])", *words)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["findings"]
    counts = {each["code"]: each["count"] for each in found}
    assert counts["box-heap"] == 1 and counts["box-double"] == 19_999


def test_a_class_name_of_a_megabyte_takes_no_time(tmp_path: Path) -> None:
    MAKERS["coco"](tmp_path / "data")
    for split in ("train", "val"):
        coco(lambda d: d["categories"][0].update(name="x" * 10**6), split)(tmp_path / "data")
    report = look(tmp_path / "data")
    started = time.process_time()
    write_html(report, tmp_path / "page")
    assert time.process_time() - started < 3


def test_what_is_no_file_of_the_data_set_is_neither_waited_for_nor_shown(tmp_path: Path) -> None:
    root = tmp_path / "data"
    MAKERS["coco"](root)
    secret = tmp_path / "secret.jpg"
    (root / "images/train_0.jpg").rename(secret)
    (root / "images/train_1.jpg").unlink()
    os.mkfifo(root / "images/train_1.jpg")
    coco(lambda d: d["images"][0].update(file_name=str(secret)))(root)
    report = look(root)
    found = {(f.code, f.part): f.count for f in report.errors}
    assert found == {("file-name-outside", "train"): 1, ("file-not-image", "train"): 1}
    page = write_html(report, tmp_path / "page").read_text(encoding="utf-8")
    assert "got a pipe" in page
    assert not [text for text in page.split("<figcaption>")[1:] if text.startswith(str(secret))]
