"""Conversion between formats: nothing is lost that the new format can say."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otadet.choices import FORMATS, Known
from otadet.cli import convert_dataset
from otadet.data import AnnotationTable, FileDataset, ReadOptions, find_data, open_data, write_image
from otadet.data.annotation_table import offsets
from otadet.data.convert import convert
from otadet.errors import InputError

NAMES = ("zebra", "ant & <bee>", 'it\'s "d" # e')
SIZE = (480, 641)

coordinate = st.floats(0, 479, width=32).map(lambda v: round(v * 4096) / 4096)
Box = tuple[float, float, float, float]


def _box(corners: Box) -> Box:
    x1, x2 = sorted(corners[:2])
    y1, y2 = sorted(corners[2:])
    return x1, y1, x2 + 0.5, y2 + 0.5


boxes = st.builds(_box, st.tuples(coordinate, coordinate, coordinate, coordinate))
images = st.lists(
    st.tuples(
        st.lists(st.tuples(boxes, st.integers(0, 2), st.floats(1, 1e5)), max_size=4),
        st.lists(st.tuples(boxes, st.integers(0, 2)), max_size=2),
    ),
    min_size=1, max_size=3,
)  # fmt: skip
Images = list[tuple[list[tuple[Box, int, float]], list[tuple[Box, int]]]]
quick = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def make(folder: Path, content: Images, amodal: bool = False) -> FileDataset:
    """A data set of such images, their ids not in order."""
    (folder / "images").mkdir(parents=True)
    names = tuple(f"p {i}.png" for i in range(len(content)))
    for name in names:
        write_image(folder / "images" / name, np.zeros((*SIZE, 3), np.uint8))
    objects = [each for found, _ in content for each in found]
    ignored = [each for _, found in content for each in found]
    table = AnnotationTable(
        class_names=NAMES,
        image_ids=np.arange(len(content))[::-1] * 7 + 5,
        file_names=names,
        sizes=np.array([SIZE] * len(content), np.int64),
        starts=offsets(np.array([len(found) for found, _ in content], np.int64)),
        boxes=np.array([box for box, _, _ in objects], np.float32).reshape(-1, 4),
        labels=np.array([label for _, label, _ in objects], np.int64),
        areas=np.array([area for _, _, area in objects], np.float64),
        ignore_starts=offsets(np.array([len(found) for _, found in content], np.int64)),
        ignore_boxes=np.array([box for box, _ in ignored], np.float32).reshape(-1, 4),
        ignore_labels=np.array([label for _, label in ignored], np.int64),
        amodal=amodal,
    )
    return FileDataset(table, folder / "images", source=str(folder / "none"))


def passed(data: FileDataset, way: list[Known], folder: Path) -> FileDataset:
    """The data set after conversion into each format in turn."""
    for number, each in enumerate(way):
        target = folder / f"{number}_{each}"
        convert({"train": data}, target, each, progress=False)
        data = open_data(find_data(target, "train", val_fraction=0))
    return data


def same(
    first: FileDataset, second: FileDataset, *, ignored: bool = True, all_: bool = True
) -> None:
    assert first.class_names == second.class_names
    assert len(first) == len(second)
    for index in range(len(first)):
        a, b = first.ground_truth(index), second.ground_truth(index)
        assert (a.file_name, a.size) == (b.file_name, b.size)
        np.testing.assert_allclose(b.boxes, a.boxes, rtol=1e-6, atol=1e-4)
        assert a.labels.tolist() == b.labels.tolist()
        if ignored:
            np.testing.assert_array_equal(a.ignore_boxes, b.ignore_boxes)
            assert a.ignore_labels is not None
            assert b.ignore_labels is not None
            assert a.ignore_labels.tolist() == b.ignore_labels.tolist()
        if all_:
            assert a.image_id == b.image_id
            np.testing.assert_array_equal(a.boxes, b.boxes)
            np.testing.assert_allclose(b.areas, a.areas, rtol=1e-4)
            assert a.amodal == b.amodal


@quick
@given(content=images)
def test_coco_odgt_coco_keeps_everything(content: Images) -> None:
    with tempfile.TemporaryDirectory() as name:
        data = make(Path(name), content)
        same(data, passed(data, ["coco", "odgt", "coco", "odgt"], Path(name)))


@quick
@given(content=images)
def test_voc_coco_voc_keeps_boxes_and_difficult_ones(content: Images) -> None:
    with tempfile.TemporaryDirectory() as name:
        data = passed(make(Path(name), content), ["voc"], Path(name) / "first")
        back = passed(data, ["coco", "voc"], Path(name))
        same(data, back)
        same(make(Path(name) / "again", content), back, all_=False)


@quick
@given(content=images)
def test_yolo_coco_yolo_keeps_boxes(content: Images) -> None:
    bare: Images = [(objects or [((1, 2, 3, 4), 0, 4.0)], []) for objects, _ in content]
    with tempfile.TemporaryDirectory() as name:
        data = passed(make(Path(name), bare), ["yolo"], Path(name) / "first")
        back = passed(data, ["coco", "yolo"], Path(name))
        same(data, back, all_=False)
        for index in range(len(data)):
            ulps = np.spacing(np.full(4, 641, np.float32))
            assert (
                np.abs(data.ground_truth(index).boxes - back.ground_truth(index).boxes) <= ulps
            ).all()
        same(make(Path(name) / "again", bare), back, all_=False)


WHOLE: Images = [([((-20, 5, 700, 500), 1, 1.0)], [((3, 4, 9, 8), 2)])]


@pytest.mark.parametrize("to", FORMATS)
def test_whole_boxes_survive_in_every_format(tmp_path: Path, to: Known) -> None:
    data = make(tmp_path, WHOLE, amodal=True)
    done = convert({"train": data}, tmp_path / "new", to, progress=False)
    back = open_data(find_data(tmp_path / "new", "train", val_fraction=0), ReadOptions(amodal=True))
    np.testing.assert_allclose(back.ground_truth(0).boxes, [[-20, 5, 700, 500]], rtol=1e-6)
    assert back.ground_truth(0).amodal
    assert done.objects == done.ignored == 1
    lost = [count for what, count in done.lost.items() if what.startswith("ignore regions")]
    assert lost == [1] * (to in ("csv", "labelme", "yolo"))
    if to == "odgt":
        assert (
            open_data(find_data(tmp_path / "new", "train", val_fraction=0)).ground_truth(0).amodal
        )


def run(folder: Path, *words: str) -> None:
    assert convert_dataset.main([str(folder), *words]) == 0


def test_the_command(document: dict[str, Any], write: Any, warnings: list[str]) -> None:
    """Nested names, two formats of images, an empty one; COCO to YOLO and on to VOC."""
    folder = write(document)
    (folder / "annotations").mkdir()
    (folder / "ann.json").rename(folder / "annotations" / "val.json")
    run(folder, str(folder / "new"), "--to", "yolo", "--images", "copy")
    assert "format yolo has no ignore regions: 1 dropped" in warnings
    made = open_data(find_data(folder / "new", "val"))
    assert {made.ground_truth(i).file_name for i in range(3)} == {"a.png", "sub/b.jpg", "c.png"}
    assert not any(path.is_symlink() for path in (folder / "new").rglob("*"))
    with pytest.raises(InputError, match=r"already exists; .*--force"):
        run(folder, str(folder / "new"), "--to", "coco")
    with pytest.raises(InputError, match="the data to convert lie in it"):
        run(folder, str(folder), "--to", "voc", "--force")
    run(folder / "new", str(folder / "voc"), "--to", "voc", "--from", "yolo")
    (folder / "voc" / "left").touch()
    with pytest.raises(InputError, match=r"files that otadet has not written.*\(1: left\)"):
        run(folder, str(folder / "voc"), "--to", "voc", "--force")
    (folder / "voc" / "left").unlink()
    run(folder, str(folder / "voc"), "--to", "voc", "--force")
    assert len(open_data(find_data(folder / "voc", "val"))) == 3
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_images_behind_links_are_not_replaced(
    document: dict[str, Any], write: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """There and back again: the images of the second are links to those of the first."""
    folder = write(document)
    (folder / "annotations").mkdir()
    (folder / "ann.json").rename(folder / "annotations" / "val.json")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    linked = tmp_path_factory.mktemp("linked") / "set"
    run(folder, str(linked), "--to", "yolo")
    with pytest.raises(InputError, match="is a link to an image in it; name another folder"):
        run(linked, str(folder), "--to", "voc", "--force")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_without_images(document: dict[str, Any], write: Any) -> None:
    folder = write(document)
    run(folder, str(folder / "bare"), "--to", "odgt", "--train-ann", "ann.json",
        "--images", "none", "--splits", "train")  # fmt: skip
    place = find_data(folder / "bare", "train", images=str(folder / "images"), val_fraction=0)
    assert len(open_data(place)) == 3
    assert not (folder / "bare" / "Images").exists()


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    content: Images = [([((1, 2, 3, 4), 0, 4.0)], [])] * 2
    data = make(tmp_path / "data", content)
    (tmp_path / "data" / "images" / "p 1.png").rename(tmp_path / "data" / "images" / "p 0.jpg")
    twins = replaced_names(data, ("p 0.png", "p 0.jpg"))
    for to, message in (("voc", "VOC needs names"), ("yolo", "would have the same label file")):
        with pytest.raises(InputError, match=message):
            convert({"train": twins}, tmp_path / "new", to, progress=False)  # type: ignore[arg-type]
    masks = replaced_names(
        make(tmp_path / "m", content), ("p 0.png", "p 1.png"), ("mask", "b", "c")
    )
    with pytest.raises(InputError, match="class 'mask': odgt keeps this name"):
        convert({"train": masks}, tmp_path / "new", "odgt", progress=False)
    lines = replaced_names(
        make(tmp_path / "l", content), ("p 0.png", "p 1.png"), ("a\nb", "b", "c")
    )
    splits: Mapping[Any, FileDataset] = {"train": lines}
    for to in ("voc", "yolo", "odgt"):
        with pytest.raises(InputError, match="without line breaks"):
            convert(splits, tmp_path / "new", to, progress=False)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the splits have different classes"):
        convert({"train": data, "val": lines}, tmp_path / "new", "coco", progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "m", "l"}


def replaced_names(
    data: FileDataset, files: tuple[str, ...], names: tuple[str, ...] = NAMES
) -> FileDataset:

    table = dataclasses.replace(data._table, file_names=files, class_names=names)
    return FileDataset(table, data.images, source="twins")


@pytest.mark.parametrize("images", ["link", "copy", "none"])
@pytest.mark.parametrize("to", FORMATS)
def test_an_image_of_both_splits(tmp_path: Path, to: Known, images: Any) -> None:
    content: Images = [([((1, 2, 3, 4), 0, 4.0)], [])] * 2
    data = make(tmp_path / "data", content)
    new = tmp_path / "new"
    done = convert({"train": data, "val": data}, new, to, images=images, progress=False)
    assert done.images == {"train": 2, "val": 2}
    if images == "none":
        return
    for split in ("train", "val"):
        same(data, open_data(find_data(new, split)), all_=False)  # type: ignore[arg-type]


def test_an_end_in_the_middle_of_replacing_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make(tmp_path / "data", [([((1, 2, 3, 4), 0, 4.0)], [])])
    new = tmp_path / "new"
    convert({"train": data}, new, "voc", progress=False)
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if ".part-" in self.name:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert({"train": data}, new, "yolo", force=True, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "new"]
    assert (new / "Annotations").exists()
