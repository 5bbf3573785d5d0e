"""Ids of a COCO file, found by the names of classes and images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from otadet.errors import InputError
from otadet.media import AnnotationIds, ImageSource

DOCUMENT: dict[str, Any] = {
    "images": [
        {"id": 3, "file_name": "a.jpg"},
        {"id": 40, "file_name": "left\\b.jpg"},
        {"id": 5, "file_name": "right/b.jpg"},
        {"id": 6, "file_name": "b.jpg"},
    ],
    "annotations": [],
    "categories": [{"id": 90, "name": "cat"}, {"id": 0, "name": "dog"}],
}


@pytest.fixture
def listed(tmp_path: Path) -> AnnotationIds:
    (tmp_path / "ann.json").write_text(json.dumps(DOCUMENT), encoding="utf-8")
    return AnnotationIds.read(tmp_path / "ann.json")


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="WARNING")
    yield lines
    logger.remove(sink)


def images(*paths: str) -> list[ImageSource]:
    return [ImageSource(Path(path).name, path) for path in paths]


def test_classes_go_by_name(listed: AnnotationIds, warnings: list[str]) -> None:
    assert listed.of_classes(("cat", "dog")) == (90, 0)
    assert not warnings
    assert listed.of_classes(("bee", "dog", "ant")) == (91, 0, 92)
    assert [line.partition(": ")[2] for line in warnings] == [
        "no category 'bee': its id is 91",
        "no category 'ant': its id is 92",
    ]
    with pytest.raises(InputError, match=r"categories are dog, cat; expected some of .* bee$"):
        listed.of_classes(("bee",))


def test_images_go_by_name_and_by_folder_where_several_have_it(listed: AnnotationIds) -> None:
    given = images("there/a.jpg", "/x/left/b.jpg", "x/right/b.jpg", "b.jpg")
    assert listed.of_images(given) == [3, 40, 5, 6]
    assert listed.of_images(images("http://host/p/a.jpg")) == [3]
    for paths, message in (
        (["c.jpg"], r"expected one image c\.jpg, got no such name"),
        (["x/a.jpg", "y/a.jpg"], r"x/a\.jpg and y/a\.jpg are the same image, id 3"),
    ):
        with pytest.raises(InputError, match=message):
            listed.of_images(images(*paths))


def test_a_name_in_several_folders_is_no_guess(tmp_path: Path) -> None:
    document = {**DOCUMENT, "images": DOCUMENT["images"][1:3]}
    (tmp_path / "ann.json").write_text(json.dumps(document), encoding="utf-8")
    listed = AnnotationIds.read(tmp_path / "ann.json")
    with pytest.raises(InputError, match=r"image b\.jpg, got left/b\.jpg, right/b\.jpg"):
        listed.of_images(images("b.jpg"))


def test_a_list_of_images_to_submit_results_on_has_no_annotations(tmp_path: Path) -> None:
    document = {key: DOCUMENT[key] for key in ("images", "categories")}
    (tmp_path / "ann.json").write_text(json.dumps(document), encoding="utf-8")
    assert AnnotationIds.read(tmp_path / "ann.json").of_images(images("a.jpg")) == [3]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json"):
        AnnotationIds.read(tmp_path / "none.json")
    text = {**DOCUMENT, "categories": [{"id": "one", "name": "cat"}]}
    (tmp_path / "text.json").write_text(json.dumps(text), encoding="utf-8")
    with pytest.raises(InputError, match=r"text\.json: expected .* ids are numbers"):
        AnnotationIds.read(tmp_path / "text.json")
    (tmp_path / "list.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match=r"list\.json"):
        AnnotationIds.read(tmp_path / "list.json")
