"""Images that are missing or broken: stop with one line, or skip with a count."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otadet.data import CocoDataset
from otadet.data.files import check_inside
from otadet.errors import InputError

Write = Callable[[dict[str, Any]], Path]


def test_missing_image_stops(document: dict[str, Any], write: Write) -> None:
    folder = write(document)
    (folder / "images" / "c.png").unlink()
    with pytest.raises(InputError, match=r"c\.png: image file not found, image id 20 of .*ann"):
        CocoDataset(folder, "ann.json", "images")
    (folder / "images" / "a.png").unlink()
    with pytest.raises(InputError, match=r"a\.png.* image id 30 .*\(and 1 more are missing\)"):
        CocoDataset(folder, "ann.json", "images")


def test_broken_image_stops_when_loaded(document: dict[str, Any], write: Write) -> None:
    folder = write(document)
    path = folder / "images" / "sub" / "b.jpg"
    path.write_bytes(path.read_bytes()[:-2])
    dataset = CocoDataset(folder, "ann.json", "images")
    assert dataset.load(0).image_id == 30
    with pytest.raises(InputError) as caught:
        dataset.load(1)
    for part in ("b.jpg", "truncated", "image id 10", "ann.json"):
        assert part in str(caught.value)


def test_skip_gives_the_next_readable_image(
    document: dict[str, Any], write: Write, warnings: list[str]
) -> None:
    folder = write(document)
    (folder / "images" / "c.png").unlink()
    (folder / "images" / "sub" / "b.jpg").write_bytes(b"x")
    dataset = CocoDataset(folder, "ann.json", "images", unreadable="skip")
    assert dataset.skipped["unreadable"] == 1
    assert [dataset.load(i).image_id for i in (0, 1, 2, 1)] == [30, 30, 30, 30]
    assert dataset.skipped["unreadable"] == 2  # images, not attempts
    assert len(warnings) == 2
    assert "c.png" in warnings[0]
    assert "b.jpg" in warnings[1]
    assert "image id 10" in warnings[1]
    (folder / "images" / "a.png").write_bytes(b"x")
    with pytest.raises(InputError, match="none of its 3 images can be read"):
        dataset.load(0)


def test_unknown_setting(document: dict[str, Any], write: Write) -> None:
    with pytest.raises(InputError, match="expected 'stop' or 'skip', got 'ignore'"):
        CocoDataset(write(document), "ann.json", "images", unreadable="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.jpg", "a/b.jpg", "a/../b.jpg", "./a.jpg", "..a/b..jpg"])
def test_names_inside(name: str) -> None:
    check_inside(name, "here")


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/../../b", "/a", "a/..", "\\a", "a\0b"])
def test_names_that_leave_the_folder(name: str) -> None:
    with pytest.raises(InputError, match=r"here, key 'file_name': expected a file inside"):
        check_inside(name, "here")


def test_pickles(document: dict[str, Any], write: Write) -> None:
    dataset = CocoDataset(write(document), "ann.json", "images")
    again = pickle.loads(pickle.dumps(dataset))
    assert again.ground_truth(1).boxes.tolist() == dataset.ground_truth(1).boxes.tolist()
    assert (again.load(1).image == dataset.load(1).image).all()
