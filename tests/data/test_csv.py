"""CSV files of boxes: headers, separators, images without objects, classes, and every fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otadet.data import ReadOptions, write_image
from otadet.data.csv_header import NAMES
from otadet.data.formats import open_data, read_records
from otadet.data.layouts import SplitPaths
from otadet.data.records import Records
from otadet.errors import InputError

HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax"
ROWS = ["a.jpg,60,40,dog,10,5,30,25", "b.jpg,60,40,cat,0,0,60,40", "a.jpg,60,40,cat,1.5,2,3,4.25"]
TUTORIAL = "\n".join([HEADER, *ROWS]) + "\n"
RETINANET = "a.jpg,10,5,30,25,dog\nb.jpg,0,0,60,40,cat\na.jpg,1.5,2,3,4.25,cat\nc.jpg,,,,,\n"
BOXES = [[10, 5, 30, 25], [0, 0, 60, 40], [1.5, 2, 3, 4.25]]


def write(root: Path, text: str, name: str = "train.csv", encoding: str = "utf-8") -> SplitPaths:
    """Write a file and images for it; returns its place."""
    for image in ("a.jpg", "b.jpg", "c.jpg"):
        write_image(root / image, np.full((40, 60, 3), 90, np.uint8))
    (root / name).write_bytes(text.encode(encoding))
    return SplitPaths("csv", root, root / name, None, "train")


def read(root: Path, text: str, **how: Any) -> Records:
    return read_records(write(root, text), ReadOptions(**how))


def codes(records: Records) -> dict[str, int]:
    return dict(Counter(f"{f.severity} {f.code}" for f in records.findings for _ in range(f.count)))


def test_with_a_header(tmp_path: Path) -> None:
    records = read(tmp_path, TUTORIAL)
    assert records.file_names == ("a.jpg", "b.jpg")
    assert records.sizes.tolist() == [[40, 60], [40, 60]]
    assert records.boxes.tolist() == BOXES
    assert records.image.tolist() == [0, 1, 0]
    assert (records.names, records.labels.tolist()) == (("cat", "dog"), [1, 0, 0])
    assert records.place(2) == (tmp_path / "train.csv", "line 4")
    assert records.image_place(1) == (tmp_path / "train.csv", "line 3")
    assert records.findings == ()


def test_without_a_header_and_images_without_objects(tmp_path: Path) -> None:
    records = read(tmp_path, RETINANET)
    assert records.file_names == ("a.jpg", "b.jpg", "c.jpg")
    assert np.isnan(records.sizes).all()
    assert records.boxes.tolist() == BOXES
    assert records.place(2)[1] == "line 3"
    data = open_data(write(tmp_path, RETINANET))
    assert data.sizes.tolist() == [[40, 60]] * 3
    assert [len(data.ground_truth(i)) for i in range(3)] == [2, 1, 0]
    first = open_data(write(tmp_path, "c.jpg,,,,,\na.jpg,1,2,3,4,dog\n"))
    assert [len(first.ground_truth(i)) for i in range(2)] == [0, 1]


def test_boxes_are_where_the_objects_are_painted(tmp_path: Path) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[5:25, 10:30] = 255
    place = write(tmp_path, "a.png,10,5,30,25,dog\n")
    write_image(tmp_path / "a.png", image)
    data = open_data(place)
    x1, y1, x2, y2 = data.ground_truth(0).boxes[0].astype(int).tolist()
    sample = data.load(0)
    assert (sample.image[y1:y2, x1:x2] == 255).all()  # x2, y2 are not part of the box
    assert sample.image[y1:y2, x1:x2].sum() == sample.image.sum()


@pytest.mark.parametrize("column", NAMES)
def test_names_of_columns_in_any_order(tmp_path: Path, column: str) -> None:
    places = {"image": 0, "width": 1, "height": 2, "class": 3, "x1": 4, "y1": 5, "x2": 6, "y2": 7}
    for name in NAMES[column]:  # type: ignore[index]
        names = HEADER.split(",")
        names[places[column]] = f" {name.title()}_"
        order = np.random.default_rng(len(name)).permutation(8)
        rows = [[row[i] for i in order] for row in (names, *(row.split(",") for row in ROWS))]
        records = read(tmp_path, "\n".join(",".join(row) for row in rows))
        assert records.boxes.tolist() == BOXES, name
        assert records.labels.tolist() == [1, 0, 0]
        assert records.sizes.tolist() == [[40, 60], [40, 60]]


def test_columns_that_are_not_known_are_passed_over(tmp_path: Path) -> None:
    text = "id,path,x_min,y_min,x_max,y_max,label,score\n7,a.jpg,1,2,3,4,dog,0.5\n"
    assert read(tmp_path, text).boxes.tolist() == [[1, 2, 3, 4]]


FORMS: dict[str, tuple[Callable[[str], str], str]] = {
    "semicolons": (lambda text: text.replace(",", ";"), "utf-8"),
    "tabs": (lambda text: text.replace(",", "\t"), "utf-8"),
    "quotes": (lambda text: "\n".join('"' + line.replace(",", '","') + '"'
                                      for line in text.splitlines()), "utf-8"),
    "spaces": (lambda text: text.replace(",", " , "), "utf-8"),
    "windows": (lambda text: text.replace("\n", "\r\n"), "utf-8"),
    "old mac": (lambda text: text.replace("\n", "\r"), "utf-8"),
    "blank lines": (lambda text: "\n\n" + text.replace("\n", "\n\n"), "utf-8"),
    "no last newline": (lambda text: text.rstrip(), "utf-8"),
    "byte order mark": (lambda text: text, "utf-8-sig"),
    "utf-16": (lambda text: text, "utf-16"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", [TUTORIAL, RETINANET], ids=["header", "bare"])
def test_forms_of_text(tmp_path: Path, form: str, text: str) -> None:
    change, encoding = FORMS[form]
    records = read_records(write(tmp_path, change(text), encoding=encoding), ReadOptions())
    assert records.boxes.tolist() == BOXES
    assert records.names == ("cat", "dog")
    assert records.findings == ()


def test_a_quoted_name_with_separators_and_line_breaks(tmp_path: Path) -> None:
    records = read(tmp_path, '"a, b.jpg",1,2,3,4,"two\nlines"\n"a, b.jpg",1,2,3,5,dog\n')
    assert records.file_names == ("a, b.jpg",)
    assert records.names == ("dog", "two\nlines")
    assert records.place(1)[1] == "line 3"


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    place = write(tmp_path, "a.jpg,1,2,3,4,Käse\n", encoding="latin-1")
    records = read_records(place, ReadOptions())
    assert (records.names, codes(records)) == (("Käse",), {"note encoding": 1})


def test_classes_found_listed_given_and_of_a_checkpoint(tmp_path: Path) -> None:
    data = open_data(write(tmp_path, TUTORIAL), ReadOptions(classes=("emu", "dog", "cat")))
    assert data.ground_truth(0).labels.tolist() == [1, 2]
    data = open_data(write(tmp_path, TUTORIAL), ReadOptions(class_names=("dog", "cat")))
    assert data.ground_truth(0).labels.tolist() == [0, 1]
    (tmp_path / "classes.txt").write_text("dog\ncat\n", encoding="utf-8")
    assert read(tmp_path, TUTORIAL).names == ("dog", "cat")
    (tmp_path / "classes.csv").write_text("cat,2\nyak,0\ndog,1\n", encoding="utf-8")
    assert read(tmp_path, TUTORIAL).names == ("yak", "dog", "cat")
    (tmp_path / "classes.csv").write_text("cat,0\n", encoding="utf-8")
    records = read(tmp_path, TUTORIAL)
    assert codes(records) == {"error class-unknown": 1}
    assert str(records.findings[0].spots[0]) == f"{tmp_path}/train.csv: line 2 (a.jpg): got 'dog'"
    (tmp_path / "classes.csv").write_text("cat,1\ndog,2\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"classes\.csv: .*indices 0 to 1, got \['cat,1'"):
        read(tmp_path, TUTORIAL)


def test_images_in_a_folder_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.csv").write_text(RETINANET, encoding="utf-8")
    path = tmp_path / "lists" / "train.csv"
    place = SplitPaths("csv", tmp_path, path, tmp_path, "train")
    assert len(open_data(place)) == 3
    with pytest.raises(InputError, match=r"a\.jpg"):
        open_data(SplitPaths("csv", tmp_path, path, None, "train"))


def row(**fields: str) -> str:
    """A line of TensorFlow's tutorial with some other fields."""
    plain = dict(zip(HEADER.split(","), ROWS[0].split(",")))
    return ",".join({**plain, **fields}.values())


FAULTS = {
    "text": (row(xmin="ten"), "box-invalid", "'ten, 5, 30, 25'"),
    "nan": (row(ymax="NaN"), "box-invalid", "'10, 5, 30, NaN'"),
    "infinite": (row(ymax="inf"), "box-invalid", "inf"),
    "huge": (row(ymax="1e300"), "box-invalid", r"1e300"),
    "reversed": (row(xmax="8"), "box-invalid", "x1 <= x2 .* = 10, 5, 8, 25"),
    "half a box": (row(xmax="", ymax=""), "box-invalid", "'10, 5, , '"),
    "class alone": (row(xmin="", ymin="", xmax="", ymax=""), "box-invalid", "', , , '"),
    "no class": (row(**{"class": " "}), "value-invalid", "no name of a class"),
    "no image": (row(filename=""), "value-invalid", "no name of an image"),
    "fields": (row() + ",1", "value-invalid", "as many fields.*'25', '1'"),
    "cut": ("a.jpg,60", "value-invalid", "as many fields.*'60'"),
    "size": (row(width="wide"), "value-invalid", "'wide x 40'"),
    "half size": (row(width="60.5"), "value-invalid", "'60.5 x 40'"),
    "infinite size": (row(width="9" * 400), "value-invalid", "'9999"),
    "one side": (row(width=""), "value-invalid", "' x 40'"),
    "two sizes": (row(width="50"), "value-invalid", "the same in every line.*'50 x 40'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(tmp_path: Path, fault: str) -> None:
    line, code, message = FAULTS[fault]
    records = read(tmp_path, TUTORIAL + line + "\n")
    assert codes(records) == {f"error {code}": 1}
    with pytest.raises(InputError, match=rf"train\.csv: line 5.*{message}") as caught:
        open_data(write(tmp_path, TUTORIAL + line + "\n"))
    assert "\n" not in str(caught.value)


def test_a_size_of_nothing_is_none(tmp_path: Path) -> None:
    text = f"{HEADER}\n{row(width='', height='')}\n{row(filename='b.jpg', width='0', height='0')}\n"
    assert np.isnan(read(tmp_path, text).sizes).all()
    assert open_data(write(tmp_path, text)).sizes.tolist() == [[40, 60], [40, 60]]
    later = read(tmp_path, f"{HEADER}\n{row(width='', height='')}\n{row()}\n")
    assert (later.sizes.tolist(), codes(later)) == ([[40, 60]], {})


REFUSED = {
    "empty": ("\n \n", "expected a box a line, got an empty file"),
    "sides": ("filename,x,y,w,h,class,id\na.jpg,1,2,3,4,dog,1\n", "got 'filename,x,y,w,h"),
    "left, top, width, height": ("image,left,top,width,height,label\n", "x1,y1,x2,y2 or left,top,"),
    "list": ("image_id,width,height,bbox,source\n", "expected a header such as filename,width"),
    "no class": ("a.jpg,1,2,3,4\n", "or rows path,x1,y1,x2,y2,class; got 'a.jpg,1,2,3,4'"),
    "order": ("a.jpg,dog,1,2,3,4\n", "got 'a.jpg,dog,1,2,3,4'"),
    "twice": (f"{HEADER},label\n", "two columns for the class: 'class' and 'label'"),
    "quote": ('a.jpg,1,2,3,4,"dog\n', "line 1: broken CSV: unexpected end of data"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_files_that_are_refused_whole(tmp_path: Path, fault: str) -> None:
    text, message = REFUSED[fault]
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    image, label = generator.integers(0, 5000, 100_000), generator.integers(0, 9, 100_000)
    boxes = generator.uniform(0, 300, (100_000, 4))
    rows = zip(image.tolist(), label.tolist(), boxes.tolist())
    lines = [f"{i}.jpg,640,480,c{k},{','.join(map(repr, box))}" for i, k, box in rows]
    (tmp_path / "t.csv").write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    place = SplitPaths("csv", tmp_path, tmp_path / "t.csv", tmp_path, "train")
    records = read_records(place, ReadOptions())
    assert (records.boxes == boxes).all()
    assert [int(name[:-4]) for name in np.array(records.file_names)[records.image]] == list(image)
    assert (records.labels == label).all()
    assert (records.sizes == [480, 640]).all()
