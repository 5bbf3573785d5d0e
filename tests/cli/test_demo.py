"""``tools/demo.py``: images, videos and streams, in full, on a small network."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from otadet.cli import demo
from otadet.data import ShapesDataset, read_image, write_image
from otadet.data.image_file import read_size
from otadet.engine.devices import peak_memory
from otadet.errors import InputError
from otadet.outputs import LIST
from tests.export.networks import CLASSES, checkpoint
from tests.helpers import SHARED, needs_shared
from tests.media.videos import (
    damage_frames,
    frames,
    serving,
    video_facts,
    write_jpeg_video,
    write_video,
)


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(checkpoint(tmp_path_factory.mktemp("network")))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for index, size in enumerate(((150, 260), (220, 130), (90, 90))):
        image = ShapesDataset(1, seed=index, size=size, object_size=(20.0, 60.0)).load(0).image
        write_image(tmp_path / f"in/{index}.png", image)
    return tmp_path / "in"


def run(best: str, mode: str, path: object, out: Path, *words: str) -> int:
    place = [] if path is None else ["--path", str(path)]
    return demo.main([mode, "-c", best, "-d", "cpu", *place, "-o", str(out), *words])


def names(folder: Path) -> set[str]:
    """Of the results, without the list of them."""
    return {p.name for p in folder.iterdir() if p.name != LIST}


def test_images_in_batches_with_tables(best: str, images: Path, tmp_path: Path) -> None:
    out, table, rows = tmp_path / "out", tmp_path / "t.csv", tmp_path / "t.json"
    words = ["--conf", "0.2", "-b", "2", "--save-csv", str(table), "--save-json", str(rows)]
    assert run(best, "image", images, out, *words) == 0
    assert names(out) == {"0.png", "1.png", "2.png"}
    for path in images.iterdir():
        drawn = read_image(out / path.name)
        assert drawn.shape == read_image(path).shape and (drawn != read_image(path)).any()
    found = json.loads(rows.read_text(encoding="utf-8"))
    with table.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(found) == len(lines) > 10
    assert {row["file_name"] for row in found} == {"0.png", "1.png", "2.png"}
    assert {line["label"] for line in lines} <= set(CLASSES)
    assert all(float(line["score"]) >= 0.2 for line in lines)


def test_words_that_a_shell_makes_of_a_pattern_are_paths(
    best: str, images: Path, tmp_path: Path
) -> None:
    spread = [str(path) for path in sorted(images.iterdir())]
    assert len(spread) == 3
    words = ["image", "-c", best, "-d", "cpu", "-o"]
    rest = ["--conf", "0.3", "max_detections=5", "nms_threshold", "0.5"]
    rest += ["class_names=" + ",".join(f"name{i}" for i in range(90)), "data_dir=nowhere"]
    for number, paths in enumerate((["--path", *spread], spread, ["--path", spread[0], "--path",
                                    str(images)])):  # fmt: skip
        out = tmp_path / str(number)
        assert demo.main([*words, str(out), *paths, *rest]) == 0
        assert {"0.png", "1.png", "2.png"} <= names(out)
    assert demo.main([*words, str(tmp_path / "one"), "--path", spread[1], *rest]) == 0
    assert names(tmp_path / "one") == {"1.png"}


def test_options_change_what_is_found(best: str, images: Path, tmp_path: Path) -> None:
    def count(*options: str) -> int:
        words = [*options, "max_detections=900"]
        rows = tmp_path / "r.json"
        path = images / "0.png"
        assert run(best, "image", path, tmp_path / "out", "--save-json", str(rows), *words) == 0
        return len(json.loads(rows.read_text(encoding="utf-8")))

    usual = count("--conf", "0.2")
    assert count("--conf", "0.4") < usual < count("--conf", "0.2", "--nms", "0.95")
    assert count("--conf", "0.2", "--nms-kind", "gaussian") != usual
    soft = "--conf", "0.2", "--nms-kind", "gaussian"  # which gives the setting its effect
    assert count(*soft, "soft_sigma=0.05") < count(*soft)
    assert count("--conf", "0.2", "--size", "64x96") != usual
    assert count("--conf", "0.01") > count("--conf", "0.05")


def test_a_video_keeps_size_rate_and_length(best: str, tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", frames=7, size=(90, 130), rate=12.5)
    out, table = tmp_path / "out", tmp_path / "t.csv"
    words = ["--conf", "0.2", "-b", "3", "--save-csv", str(table)]
    assert run(best, "video", tmp_path / "a.mp4", out, *words) == 0
    assert names(out) == {"a.mp4"}
    assert video_facts(out / "a.mp4") == (7, (90, 130), 12.5)
    with table.open(newline="") as file:
        assert {line["frame"] for line in csv.DictReader(file)} == {str(i) for i in range(7)}
    assert run(best, "video", tmp_path / "a.mp4", out, "--frames", "4") == 0
    assert video_facts(out / "a.mp4")[0] == 4
    assert run(best, "video", tmp_path / "a.mp4", out, "--seconds", "0.16") == 0
    assert video_facts(out / "a.mp4")[0] == 2


def test_a_damaged_frame_keeps_the_numbers_of_the_others(best: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    write_jpeg_video(path, frames(6, (64, 96)))
    damage_frames(path, [2])
    table = tmp_path / "t.csv"
    words = ["--conf", "0.01", "--save-csv", str(table)]
    assert run(best, "video", path, tmp_path / "out", *words) == 0
    assert video_facts(tmp_path / "out/a.mp4")[0] == 5
    with table.open(newline="") as file:
        assert {line["frame"] for line in csv.DictReader(file)} == {"0", "1", "3", "4", "5"}


def test_streams_end_by_themselves_or_at_a_limit(best: str, tmp_path: Path) -> None:
    with serving(frames(6, (64, 96))) as server:
        rows = tmp_path / "r.json"
        words = ["--conf", "0.2", "--save-json", str(rows)]
        assert run(best, "stream", f"{server.address}/ends", tmp_path / "a", *words) == 0
        assert video_facts(tmp_path / "a/stream.mp4")[1] == (64, 96)
        assert json.loads(rows.read_text(encoding="utf-8"))
        for place, limit in (("b", ["--frames", "3"]), ("c", ["--seconds", "0.3"])):
            assert run(best, "stream", f"{server.address}/live", tmp_path / place, *limit) == 0
            assert video_facts(tmp_path / place / "stream.mp4")[0] >= 1


def test_tiny_and_large_images(best: str, tmp_path: Path) -> None:
    write_image(tmp_path / "1.png", np.zeros((1, 1, 3), np.uint8))
    assert run(best, "image", tmp_path / "1.png", tmp_path / "out", "--conf", "0.1") == 0
    assert read_image(tmp_path / "out/1.png").shape == (1, 1, 3)
    cv2.imwrite(str(tmp_path / "large.jpg"), np.full((9000, 12000), 90, np.uint8))
    before = peak_memory(torch.device("cpu"))
    assert run(best, "image", tmp_path / "large.jpg", tmp_path / "out", "-b", "8") == 0
    assert read_size(tmp_path / "out/large.jpg") == (9000, 12000)
    # Four copies of 324 MB: read, drawn, and two of the encoder's.
    assert peak_memory(torch.device("cpu")) - before < 1.6e9


def test_wrong_input_is_one_clear_line_and_leaves_nothing(
    best: str, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (tmp_path / "none").mkdir()
    (tmp_path / "text.mp4").write_text("hello", encoding="utf-8")
    (tmp_path / "text.png").write_text("hello", encoding="utf-8")
    write_video(tmp_path / "a.mp4", frames=2, size=(64, 64), rate=10)
    before = names(tmp_path)
    good = images / "0.png"
    for mode, path, words, message in (
        ("image", tmp_path / "none", [], "no image in this folder"),
        ("image", tmp_path / "*.gif", [], "the pattern matches no image"),
        ("image", "http://127.0.0.1:9/a.png", [], "127.0.0.1:9/a.png: cannot be fetched"),
        ("image", tmp_path / "text.png", [], "text.png: not a readable image"),
        ("image", good, ["--save-csv", str(tmp_path / "no/t.csv")], "folder .*no does not exist"),
        ("image", good, ["--size", "0x5"], "--size: expected 640 or 480x640"),
        ("image", good, ["--nms", "1.5"], "nms_threshold: expected 0 to 1, got 1.5"),
        ("image", good, ["--conf", "40"], "--conf: expected 0 to 1, got 40"),
        ("image", good, ["-b", "0"], "-b: expected more than 0"),
        ("image", good, ["--show"], "are for video, webcam and stream"),
        ("image", None, [], "image: give --path"),
        ("image", good, [str(tmp_path / "gone.png")], "gone.png: no such file"),
        (
            "video",
            tmp_path / "a.mp4",
            [str(good)],
            "video: expected one --path, got 2",
        ),
        ("image", tmp_path / "a.mp4", [], r"a\.mp4: is a video; `demo video` takes it"),
        ("image", "http://127.0.0.1:9/a.mp4", [], "`demo stream` takes it"),
        ("video", good, [], "0.png: expected a video file; `demo image` takes images"),
        ("video", images, [], "in: expected a video file; `demo image`"),
        ("video", "http://127.0.0.1:9/a.mp4", [], "`demo stream` takes addresses"),
        ("video", tmp_path / "text.mp4", [], "text.mp4: not a video"),
        ("video", tmp_path / "nothing.mp4", [], "no such video file"),
        ("stream", "http://127.0.0.1:9/a", ["--timeout", "2"], r"no video \(waited"),
        ("webcam", "0", [], "webcam: takes no --path"),
    ):
        with pytest.raises(InputError, match=message) as error:
            run(best, mode, path, out, *words)
        assert "\n" not in str(error.value)
        assert names(tmp_path) == before, (mode, path, words)
    for mode, path in (("image", good), ("video", tmp_path / "a.mp4")):
        for place in (tmp_path / "text.mp4", tmp_path / "text.mp4/deeper"):
            with pytest.raises(InputError, match=r"text\.mp4:? is a file"):
                run(best, mode, path, place)
    with pytest.raises(InputError, match="would replace the images"):
        run(best, "image", images, images)
    with pytest.raises(InputError, match="would replace"):
        run(best, "video", tmp_path / "a.mp4", tmp_path)
    assert names(tmp_path) == before


def test_show_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, best: str) -> None:
    def none(*_: object) -> None:
        raise cv2.error("The function is not implemented")

    monkeypatch.setattr(cv2, "namedWindow", none)
    with pytest.raises(InputError, match="--show: this build of OpenCV has no windows"):
        demo.main(["webcam", "-c", best, "--show"])


@needs_shared
def test_a_real_video(best: str, tmp_path: Path) -> None:
    video = SHARED / "video/persons.mp4"
    assert run(best, "video", video, tmp_path, "--frames", "5", "--conf", "0.9") == 0
    assert video_facts(tmp_path / "persons.mp4") == (5, (432, 768), 10.0)
