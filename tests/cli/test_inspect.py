"""``otadet inspect``: networks, images and assigners of the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from loguru import logger

from otadet.cli.inspect import main as inspect
from otadet.cli.parsers.inspect import parser
from otadet.cli.train import main as train
from otadet.data import ShapesDataset, write_coco
from otadet.doctor.config import InputFrame
from otadet.doctor.crowding import contested_points
from otadet.engine.checkpoint import load_checkpoint, save_checkpoint
from otadet.errors import InputError
from tests.engine.processes import SMALL, quick
from tests.export.networks import checkpoint
from tests.helpers import SHARED, needs_shared

SHAPES = ["-n", "quickstart", "-d", "cpu", "shapes_val=6", "shapes_size=64,64", *SMALL]


def inspected(folder: Path, *words: str) -> dict[str, Any]:
    """The JSON of a call."""
    path = folder / "all.json"
    assert inspect([*words, "--json", str(path)]) == 0
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def first(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Assigners of the first image under the last network."""
    views: list[dict[str, Any]] = found["images"][0]["networks"][-1]["assigners"]
    return views


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO data set; an image of its validation set has no objects."""
    root = tmp_path_factory.mktemp("tree")
    for split, seed in (("train", 0), ("val", 1)):
        data = ShapesDataset(
            5, seed=seed, size=(64, 80), classes=("circle", "square"), object_size=(12, 40)
        )
        write_coco(data, root, annotations=f"annotations/{split}.json", images=f"images/{split}")
    path = root / "annotations/val.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    empty = table["images"][0]["id"]
    table["annotations"] = [a for a in table["annotations"] if a["image_id"] != empty]
    path.write_text(json.dumps(table), encoding="utf-8")
    return root


def test_an_untrained_network_writes_page_json_and_png(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = inspected(tmp_path, *SHAPES, "--images", "3", "--png", "png", "--page", "page.html")
    assert found["title"] == "quickstart (untrained) on generated shapes"
    assert len(found["images"]) == 3
    assert [view["name"] for view in first(found)] == ["ota", "simota", "atss", "fcos"]
    assert [view["own"] for view in first(found)] == [True, False, False, False]
    assert (tmp_path / "page.html").is_file() and len(list((tmp_path / "png").glob("*.png"))) == 3
    bare = [image["networks"][0]["assigners"][1]["totals"] for image in found["images"]]
    order = [totals["without_point"] for totals in bare]
    assert order == sorted(order, reverse=True)  # only SimOTA leaves objects without a point
    assert inspect([*SHAPES, "--images", "1"]) == 0
    assert (tmp_path / "runs/quickstart/inspect/index.html").is_file()


def test_the_own_assigner_comes_first_where_it_is_none_of_the_others(tmp_path: Path) -> None:
    words = [*SHAPES, "--images", "1"]
    found = first(inspected(tmp_path, *words, "method=paa"))
    assert [(view["name"], view["own"]) for view in found] == [
        ("own", True), ("ota", False), ("simota", False), ("atss", False), ("fcos", False)
    ]  # fmt: skip
    found = first(inspected(tmp_path, *words, "--assigners", "ota_converged, own,detr"))
    assert [view["name"] for view in found] == ["ota_converged", "own", "detr"]
    assert found[0]["totals"]["gap"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--assigners", "otta"], "no assigner is called 'otta'; did you mean 'ota'"),
        (["--assigners", "ota,ota"], "expected names, each once, as ota,simota; got 'ota' twice"),
        (["--images", "0"], "--images 0: expected at least 1"),
        (["--json", "nowhere/all.json"], "--json nowhere/all.json: expected a file in an existing"),
        (["--path", "nothing.jpg"], "--path nothing.jpg: no such file or folder"),
    ],
)
def test_wrong_words_are_named_in_one_line(words: list[str], message: str) -> None:
    with pytest.raises(InputError) as error:
        inspect([*SHAPES, *words])
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_checkpoint_or_an_experiment_is_needed() -> None:
    with pytest.raises(InputError, match="give a checkpoint with -c, or name an experiment"):
        inspect([])


def test_files_of_others_are_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("page.html").write_text("<p>mine</p>", encoding="utf-8")
    Path("all.json").write_text("[1]", encoding="utf-8")
    Path("png").mkdir()
    Path("png/01_000000.png").write_bytes(b"mine")
    for words in (["--page", "page.html"], ["--json", "all.json"], ["--png", "png"]):
        with pytest.raises(InputError, match="exists, and otadet has not written it"):
            inspect([*SHAPES, "--images", "1", *words])
    assert Path("png/01_000000.png").read_bytes() == b"mine"
    again = ["--page", "ours.html", "--json", "ours.json", "--png", "ours"]
    for _ in range(2):  # the second call replaces what the first one wrote
        assert inspect([*SHAPES, "--images", "1", *again]) == 0


def test_settings_may_follow_several_checkpoints() -> None:
    args = parser().parse(["-c", "a.pth", "b.pth", "data_dir=x", "--path", "c.jpg", "d/e.jpg"])
    assert args.checkpoint == ["a.pth", "b.pth"] and args.overrides == ["data_dir=x"]
    assert args.path == ["c.jpg", "d/e.jpg"]


class TestOfFiles:
    """Images found by path and by data set."""

    def test_an_image_is_found_with_its_annotations(self, tree: Path, tmp_path: Path) -> None:
        image = tree / "images/val/000003.png"
        weights = checkpoint(tmp_path)
        found = inspected(tmp_path, "-c", str(weights), "-d", "cpu", "--path", str(image))
        assert [each["file_name"] for each in found["images"]] == ["000003.png"]
        table = json.loads((tree / "annotations/val.json").read_text(encoding="utf-8"))
        (number,) = (i["id"] for i in table["images"] if i["file_name"] == "000003.png")
        boxes = [a["bbox"] for a in table["annotations"] if a["image_id"] == number]
        names = {c["id"]: c["name"] for c in table["categories"]}
        classes = [names[a["category_id"]] for a in table["annotations"] if a["image_id"] == number]
        shown = found["images"][0]["objects"]
        factor = found["images"][0]["size"][0] / 64
        corners = sorted([x * factor, y * factor] for x, y, _, _ in boxes)
        assert np.allclose(sorted(o["box"][:2] for o in shown), corners, atol=0.02)
        assert sorted(found["class_names"][o["label"]] for o in shown) == sorted(classes)

    def test_a_folder_takes_both_splits_and_split_one(self, tree: Path, tmp_path: Path) -> None:
        words = ["-c", str(checkpoint(tmp_path)), "-d", "cpu", "--images", "99"]
        found = inspected(tmp_path, *words, "--path", str(tree / "images"))
        assert len(found["images"]) == 9  # one of ten has no objects
        found = inspected(tmp_path, *words, "--path", str(tree), "--split", "train")
        assert len(found["images"]) == 5
        found = inspected(tmp_path, *words, f"data_dir={tree}")
        assert len(found["images"]) == 4

    def test_the_most_contested_come_first(self, tree: Path, tmp_path: Path) -> None:
        words = ["-c", str(checkpoint(tmp_path)), "-d", "cpu", f"data_dir={tree}"]
        every = inspected(tmp_path, *words)["images"]
        one = inspected(tmp_path, *words, "--images", "1")["images"][0]
        counts = {
            i["file_name"]: contested_points(
                InputFrame("letterbox", tuple(i["size"]), tuple(map(int, i["strides"])), None),
                np.zeros(len(i["objects"]), np.int64),
                torch.tensor([o["box"] for o in i["objects"]]),
                1,
            )[1].item()
            for i in every
        }
        assert counts[one["file_name"]] == max(counts.values()) > min(counts.values())

    def test_an_image_without_annotations_is_one_line(self, tree: Path, tmp_path: Path) -> None:
        words = ["-c", str(checkpoint(tmp_path)), "-d", "cpu", "--path"]
        cv2.imwrite(str(tmp_path / "alone.png"), np.zeros((64, 64, 3), np.uint8))
        table = json.loads((tree / "annotations/val.json").read_text(encoding="utf-8"))
        empty = tree / "images/val" / table["images"][0]["file_name"]
        extra = tree / "images/val/extra.png"
        cv2.imwrite(str(extra), np.zeros((64, 64, 3), np.uint8))
        for path, message in (
            (tmp_path / "alone.png", "no annotations were found around it; name the data set"),
            (empty, "1 image without any object to assign"),
            (extra, "the annotations name no image there; they name"),
        ):
            with pytest.raises(InputError) as error:
                inspect([*words, str(path)])
            assert message in str(error.value) and "\n" not in str(error.value)
        extra.unlink()

    def test_classes_that_the_weights_lack_are_as_fine_tuning_begins(self, tmp_path: Path) -> None:
        data = ShapesDataset(
            3, seed=1, size=(64, 80), classes=("square", "cross"), object_size=(12, 40)
        )
        for split in ("train", "val"):
            write_coco(data, tmp_path, annotations=f"annotations/{split}.json")
        lines: list[str] = []
        sink = logger.add(lines.append, format="{message}")
        words = ["-c", str(checkpoint(tmp_path)), "-d", "cpu", f"data_dir={tmp_path}"]
        found = inspected(tmp_path, *words)
        logger.remove(sink)
        assert any("no class is called cross: as fine-tuning starts" in line for line in lines)
        assert set(found["class_names"]) == {"square", "cross"}
        assert found["title"].startswith("quickstart (best, its classes untrained) on ")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    words = ["--keep-checkpoints", "5", "max_iters=9", "eval_interval=1"]
    assert train(quick(folder, *words, batch=4)) == 0
    return folder


class TestOfARun:
    """Several checkpoints, one after the other."""

    def test_a_run_directory_is_all_its_steps(self, run: Path, tmp_path: Path) -> None:
        found = inspected(
            tmp_path, "-c", str(run), "-d", "cpu", "--images", "2", "--page", str(run / "p")
        )
        steps = [network["name"] for network in found["images"][0]["networks"]]
        assert steps == ["step 3", "step 6", "step 9"]
        assert "(step 3 to step 9)" in found["title"]
        page = (run / "p/index.html").read_text(encoding="utf-8")
        assert re.search(r'id="snapshot" min="0" max="2"', page)

    def test_what_is_shown_is_the_checkpoint(self, run: Path, tmp_path: Path) -> None:
        """The last network is that of last.pth alone; the first one is another."""
        words = ["-d", "cpu", "--images", "1", "--assigners", "ota"]
        together = inspected(tmp_path, "-c", str(run), *words)["images"][0]["networks"]
        alone = inspected(tmp_path, "-c", str(run / "last.pth"), *words)["images"][0]["networks"]
        assert together[-1]["assigners"][0]["points"] == alone[0]["assigners"][0]["points"]
        assert together[0]["assigners"][0]["points"] != alone[0]["assigners"][0]["points"]

    def test_the_page_of_an_epoch_lies_in_its_run(self, run: Path) -> None:
        assert (
            inspect(["-c", str(run / "epochs/epoch_0002.pth"), "-d", "cpu", "--images", "1"]) == 0
        )
        assert (run / "inspect/index.html").is_file()

    def test_checkpoints_of_different_classes_are_refused(self, run: Path, tmp_path: Path) -> None:
        last = load_checkpoint(run / "last.pth")
        save_checkpoint(
            tmp_path / "other.pth", experiment=last.experiment, settings=last.settings,
            class_names=("a", "b"), weights=last.weights, step=99, metrics={},
        )  # fmt: skip
        with pytest.raises(InputError, match=r"other\.pth: expected the experiment and classes of"):
            inspect(["-c", str(run / "last.pth"), str(tmp_path / "other.pth"), "-d", "cpu"])
        empty = tmp_path / "empty"
        empty.mkdir()
        with pytest.raises(InputError, match="no checkpoint in this folder, nor in epochs/"):
            inspect(["-c", str(empty), "-d", "cpu"])


def test_a_network_whose_predictions_overflow_is_one_line(tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    broken = load_checkpoint(path)
    name = "head.cls_out.weight"
    save_checkpoint(
        path, experiment=broken.experiment, settings=broken.settings, step=0, metrics={},
        class_names=broken.class_names,
        weights={**broken.weights, name: broken.weights[name] * 1e38},
    )  # fmt: skip
    words = ["-c", str(path), "-d", "cpu", "shapes_classes=circle,square,star", "--images", "1"]
    with pytest.raises(
        InputError, match=r"png: image 0 of the batch: Predictions\.cls_logits holds"
    ):
        inspect(words)


@needs_shared
def test_coco_weights_on_a_street_and_on_a_crowd(tmp_path: Path) -> None:
    """Published weights on an image that they know the classes of, and on nuclei."""
    weights = ["-c", str(SHARED / "weights/yolox_nano_coco.pth"), "-d", "cpu"]
    street = SHARED / "data/coco256/images/000000009891.jpg"
    found = inspected(tmp_path, *weights, "--path", str(street))
    views = {view["name"]: view for view in first(found)}
    assert len(found["images"][0]["objects"]) == 13
    names = [found["class_names"][o["label"]] for o in found["images"][0]["objects"]]
    assert names.count("car") == names.count("person") == 4
    assert views["simota"]["own"] and views["ota"]["totals"]["without_point"] == 0
    page = tmp_path / "page.html"
    nuclei = [*weights, f"data_dir={SHARED / 'data/nuclei'}", "--page", str(page)]
    assert inspect([*nuclei, "--assigners", "ota,ota_newton,simota,atss,fcos"]) == 0
    assert page.stat().st_size < 5_000_000  # ten images
