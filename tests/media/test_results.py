"""Tables of detections, read back by those who read them."""

import csv
import json
from pathlib import Path

import pytest
import torch
from pycocotools.coco import COCO

from otadet.data import Classes
from otadet.errors import InputError
from otadet.media import ResultsWriter, image_ids
from otadet.types import Detections

FOUND = Detections(
    torch.tensor([[1.0, 2.0, 11.0, 22.0], [5.0, 5.0, 6.5, 7.25]]),
    torch.tensor([0.9, 0.25]),
    torch.tensor([1, 0]),
)
CLASSES = Classes(("cat", "a, dog"), (31, 9))


def test_json_is_what_cocos_own_tool_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ResultsWriter(tmp_path / "r.json", "json", CLASSES) as writer:
        writer.add(FOUND, 7, "7.jpg")
        writer.add(FOUND.above(0.5), 9, "9.jpg", frame=4)
        assert not (tmp_path / "r.json").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
    rows = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert rows[0]["bbox"] == [1, 2, 10, 20] and rows[0]["category_name"] == "a, dog"
    assert rows[2]["frame"] == 4 and "frame" not in rows[0]
    gt = COCO()
    gt.dataset = {
        "images": [{"id": 7}, {"id": 9}], "annotations": [],
        "categories": [{"id": 31, "name": "cat"}, {"id": 9, "name": "a, dog"}],
    }  # fmt: skip
    gt.createIndex()
    loaded = gt.loadRes(str(tmp_path / "r.json"))
    capsys.readouterr()
    assert len(loaded.getAnnIds(imgIds=[7])) == 2 and len(loaded.getAnnIds(catIds=[9])) == 2


def test_csv_and_nothing_found(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "r.csv", "csv", CLASSES) as writer:
        writer.add(FOUND, 1, "a.jpg", frame=3)
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "image_id": "1", "file_name": "a.jpg", "frame": "3", "label": "a, dog",
        "score": "0.900000", "x1": "1.00", "y1": "2.00", "x2": "11.00", "y2": "22.00",
    }  # fmt: skip
    with ResultsWriter(tmp_path / "none.json", "json", CLASSES):
        pass
    assert json.loads((tmp_path / "none.json").read_text(encoding="utf-8")) == []


def test_an_older_file_stays_after_an_error(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("[]\n", encoding="utf-8")  # of a run without detections
    with (
        pytest.raises(RuntimeError),
        ResultsWriter(tmp_path / "r.json", "json", CLASSES) as writer,
    ):
        writer.add(FOUND, 1, "a.jpg")
        raise RuntimeError
    assert (tmp_path / "r.json").read_text(encoding="utf-8") == "[]\n" and len(
        list(tmp_path.iterdir())
    ) == 1
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "no/r.csv", "does not exist")):
        with pytest.raises(InputError, match=message):
            ResultsWriter(path, "csv", CLASSES)


def test_coco_file_names_are_their_ids() -> None:
    assert image_ids(["000000014439.jpg", "000000000009.jpg"]) == [14439, 9]
    assert image_ids(["a.jpg", "2.jpg"]) == [1, 2]
    assert image_ids(["01.jpg", "01.png"]) == [1, 2]
