"""Where images come from."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from loguru import logger

from otadet.data import as_array, write_image
from otadet.errors import InputError
from otadet.media import find_images, output_names
from otadet.media.images import ImageSource, fetch
from tests.media.videos import frames, logged, serving

IMAGE = np.full((20, 30, 3), (200, 100, 50), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "a.png", "deep/a.png"):
        write_image(tmp_path / name, IMAGE)
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    return tmp_path


def test_files_folders_and_patterns(folder: Path) -> None:
    def found(text: str) -> list[str]:
        return [p.where.removeprefix(f"{folder}/") for p in find_images(text, "--path")]

    assert found(str(folder)) == ["a.png", "b.png"]
    assert found(f"{folder}/*.png") == ["a.png", "b.png"]
    assert found(f"{folder}/**/*") == ["a.png", "b.png", "deep/a.png"]
    assert found(f"{folder}/a.png") == ["a.png"]
    write_image(folder / "x[1].png", IMAGE)  # a name that is a pattern too
    assert found(f"{folder}/x[1].png") == ["x[1].png"]
    assert (as_array(find_images(f"{folder}/a.png", "--path")[0].open()) == IMAGE).all()


def test_a_large_tree_is_not_walked_to_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only to say how many images are left out."""
    (folder / "further").mkdir()
    for name in ("1.png", "2.png", "3.png"):
        write_image(folder / "further" / name, IMAGE)
    monkeypatch.setattr("otadet.media.images.MOST_COUNTED", 2)
    for name in ("a.png", "b.png"):
        (folder / name).unlink()
    with pytest.raises(InputError, match=r"at least [12] in its subfolders"):
        find_images(str(folder), "--path")


def test_images_further_down_are_left_out_and_counted(folder: Path) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    try:
        assert len(find_images(str(folder), "--path")) == 2
        assert len(find_images(f"{folder}/**", "--path")) == 3
    finally:
        logger.remove(sink)
    (line,) = lines
    assert f"--path {folder}: 2 images, without 1 in its subfolders; '{folder}/**'" in line
    for name in ("a.png", "b.png"):
        (folder / name).unlink()
    with pytest.raises(InputError, match=r"no image in this folder .*, 1 in its subfolders"):
        find_images(str(folder), "--path")


def test_nothing_there_is_one_clear_line(folder: Path) -> None:
    (folder / "none").mkdir()
    for text, message in (
        (f"{folder}/none", "no image in this folder"),
        (f"{folder}/*.jpg", "the pattern matches no image"),
        (f"{folder}/nothing.png", "no such file or folder"),
    ):
        with pytest.raises(InputError, match=f"--path .*: {message}"):
            find_images(text, "--path")


def test_names_of_drawn_copies_differ() -> None:
    sources = [ImageSource(n, n) for n in ("a.png", ["deep", "a.png"][1], "b.gif", "A.PNG")]
    assert output_names(sources) == ["a.png", "a-2.png", "b.jpg", "A-3.PNG"]


def test_files_that_are_not_read_are_named(folder: Path) -> None:
    for name in ("1.HEIC", "2.heic", "3.svg"):
        (folder / name).write_bytes(b"not read")
    facts = "left out: 2 .heic files, 1 .svg file, which OpenCV does not read"
    with logged() as lines:
        assert len(find_images(str(folder), "--path")) == 2
    assert f"WARNING --path {folder}: {facts}" in lines
    for name in ("a.png", "b.png"):
        (folder / name).unlink()
    with pytest.raises(InputError, match=f"no image in this folder .*; {facts}"):
        find_images(str(folder), "--path")


def test_drawn_copies_have_an_ending_that_is_written() -> None:
    names = ["a.jfif", "b.gif", "c.AVIF", "d.webp", "e.TIF", "f.jp2"]
    drawn = output_names([ImageSource(name, name) for name in names])
    assert drawn == ["a.jpg", "b.jpg", "c.jpg", "d.webp", "e.TIF", "f.jpg"]


def test_addresses() -> None:
    data = cv2.imencode(".png", IMAGE[..., ::-1])[1].tobytes()
    files = {"a%20b.png": data, "shot?id=3": data, "text.jpg": b"hello"}
    with serving(frames(1, (32, 32)), files) as server:
        (image,) = find_images(f"{server.address}/a%20b.png", "--path")
        assert image.name == "a b.png" and (as_array(image.open()) == IMAGE).all()
        (image,) = find_images(f"{server.address}/shot?id=3", "--path")
        assert image.name == "shot.jpg" and (as_array(image.open()) == IMAGE).all()
        for name, message in (("nothing.jpg", "answers 404"), ("text.jpg", "not a readable")):
            with pytest.raises(InputError, match=f"http.*{name}: .*{message}"):
                find_images(f"{server.address}/{name}", "--path")[0].open()
        with pytest.raises(InputError, match="larger than"):
            fetch(f"{server.address}/a%20b.png", limit=10)
        for name in ("hang", "live"):
            with pytest.raises(InputError, match=r"not complete after 0\.3 seconds"):
                fetch(f"{server.address}/{name}", timeout=0.3)
        address = server.address
    for text in (f"{address}/a.jpg", "http://", "http://[bad/a.jpg"):
        with pytest.raises(InputError, match=r"cannot be fetched|address"):
            find_images(text, "--path")[0].open()
