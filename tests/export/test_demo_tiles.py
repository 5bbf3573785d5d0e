"""Programs without otadet cut images into the same tiles and merge by the same rule."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import otadet
from otadet.cli.eval import main as evaluate
from otadet.cli.export import main as export
from otadet.data import ShapesDataset
from otadet.tile_merge import TileMerge
from otadet.tiling import Tiling
from otadet.types import Detections
from tests.export.networks import checkpoint
from tests.export.test_metadata import script

ROOT = Path(__file__).parents[2]
MERGE_IN_NODE = f"""
import {{ readFileSync }} from "node:fs";
import {{ merge, tiles }} from "{ROOT}/demo/web/tiles.js";
const cases = JSON.parse(readFileSync(0));
console.log(JSON.stringify(cases.map((c) => {{
  const parts = tiles(c.width, c.height, c.rule);
  return {{ parts, merged: merge(c.found, parts, c, c.rule.overlap, c.whole, c.limits) }};
}})));
"""
LIMITS = {"nms": 0.6, "max_detections": 60}


def detections(boxes: np.ndarray, rng: np.random.Generator) -> Detections:
    """Boxes with other scores, two classes."""
    return Detections(
        torch.from_numpy(boxes.astype(np.float32)).reshape(-1, 4),
        torch.from_numpy(rng.uniform(0.1, 1, len(boxes)).astype(np.float32)),
        torch.from_numpy(rng.integers(0, 2, len(boxes))),
    )


def seen(boxes: np.ndarray, window: Sequence[int], rng: np.random.Generator) -> Detections:
    """What a tile shows of boxes, not quite where they are."""
    moved = boxes + rng.normal(0, 1, boxes.shape)
    cut = np.clip(moved, [*window[:2]] * 2, [*window[2:]] * 2)
    there = ((cut[:, 2:] - cut[:, :2]) > 3).all(axis=1)
    guessed = rng.random(len(cut)) < 0.2  # a network may see beyond its tile
    cut[guessed] = np.clip(moved[guessed], 0, 400)
    return detections(cut[there], rng)


class Case:
    """A crowd, and what the tiles and the whole image show of it."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        size = int(rng.integers(60, 140))
        self.tiling = Tiling(size, int(rng.integers(0, (size - 1) // 2)))
        self.image = int(rng.integers(40, 400)), int(rng.integers(40, 400))
        self.tiles = self.tiling.tiles(self.image)
        center = rng.uniform(0, [self.image[1], self.image[0]], (50, 2))
        sides = rng.uniform(6, 2 * size, (50, 2)) * rng.choice([0.2, 1], (50, 1))
        crowd = np.concatenate([center - sides / 2, center + sides / 2], axis=1)
        crowd = np.clip(crowd, 0, [*self.image[::-1]] * 2)
        self.found = [seen(crowd, tile.box, rng) for tile in self.tiles]
        everything = (0, 0, self.image[1], self.image[0])
        self.whole = seen(crowd, everything, rng) if seed % 2 else None

    def merged(self) -> Detections:
        merge = TileMerge(LIMITS["nms"], int(LIMITS["max_detections"]), self.tiling.overlap)
        return merge(self.found, self.tiles, self.image, self.whole)

    def plain(self) -> dict[str, object]:
        return {
            "height": self.image[0], "width": self.image[1], "limits": LIMITS,
            "rule": {"size": self.tiling.size, "overlap": self.tiling.overlap},
            "found": [listed(each) for each in self.found],
            "whole": None if self.whole is None else listed(self.whole),
        }  # fmt: skip


def listed(found: Detections) -> list[dict[str, object]]:
    columns = zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist())
    return [{"box": box, "score": score, "label": label} for box, score, label in columns]


CASES = [case for case in map(Case, range(60)) if len(case.tiles) > 1]


def equal(found: list[dict[str, object]], wanted: Detections) -> None:
    assert [each["label"] for each in found] == wanted.labels.tolist()
    assert np.allclose([each["score"] for each in found], wanted.scores, atol=1e-6)
    boxes = np.array([each["box"] for each in found]).reshape(-1, 4)
    assert np.allclose(boxes, wanted.boxes, atol=1e-3)


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    return script()


def test_the_script_merges_as_otadet_does(demo: ModuleType) -> None:
    for case in CASES:
        rule = case.tiling.size, case.tiling.overlap
        tiles = demo.tiles_of(*case.image, *rule)
        assert [tuple(each) for each in tiles] == [tuple(each) for each in case.tiles]
        found = [demo.Found(*(v.numpy() for v in (d.boxes, d.scores, d.labels)))
                 for d in [*case.found, *([case.whole] if case.whole else [])]]  # fmt: skip
        whole = found.pop() if case.whole else None
        merged = demo.merge(found, tiles, case.image, case.tiling.overlap, whole, LIMITS["nms"])
        rows = [{"box": b, "score": s, "label": v} for b, s, v in zip(*merged)]
        equal(rows[: LIMITS["max_detections"]], case.merged())


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_page_merges_as_otadet_does() -> None:
    done = subprocess.run(
        ["node", "--input-type=module", "-e", MERGE_IN_NODE], text=True, check=True,
        capture_output=True, input=json.dumps([case.plain() for case in CASES]), timeout=60,
    )  # fmt: skip
    for case, result in zip(CASES, json.loads(done.stdout), strict=True):
        wanted = [{"box": list(t.box), "core": list(t.core)} for t in case.tiles]
        assert result["parts"] == wanted
        equal(result["merged"], case.merged())


def test_cases_are_no_easy_ones() -> None:
    """Every step of the rule drops something somewhere, and images of one tile are rare."""
    assert len(CASES) > 40
    kept = [len(case.merged().scores) for case in CASES]
    given = [sum(len(each.scores) for each in case.found) for case in CASES]
    assert sum(kept) < 0.5 * sum(given) and max(kept) == LIMITS["max_detections"] > min(kept)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A network's checkpoint that was trained on tiles, and its ONNX file."""
    folder = tmp_path_factory.mktemp("tiled")
    weights = checkpoint(
        folder, test_size=(64, 64), tile=64, tile_overlap=16, score_threshold=0.1,
        max_detections=1000,
    )  # fmt: skip
    file = folder / "tiled.onnx"
    assert export(["-c", str(weights), "--output", str(file)]) == 0
    return weights, file


def test_the_script_finds_what_otadet_finds(demo: ModuleType, exported: tuple[Path, Path]) -> None:
    weights, file = exported
    detector = demo.Detector(file)
    assert detector.about["tiles"] == {"size": 64, "overlap": 16, "whole": True}
    ours = otadet.load(weights, device="cpu").predictor
    sizes = {(150, 220): 800, (60, 40): 20}
    for size, least in sizes.items():
        image = ShapesDataset(1, seed=5, size=size, object_size=(10.0, 30.0)).load(0).image
        found, wanted = detector(image[..., ::-1]), ours(image)
        assert len(found.scores) == len(wanted.scores) > least
        apart = np.abs(found.boxes[:, None] - wanted.boxes.numpy()).max(axis=2)
        apart[found.labels[:, None] != wanted.labels.numpy()] = np.inf
        partner = apart.argmin(axis=0)  # scores that are equal but for rounding may change places
        assert len(set(partner.tolist())) == len(partner) and apart.min(axis=0).max() < 0.01
        assert np.allclose(found.scores[partner], wanted.scores, atol=1e-5)


def test_evaluation_of_a_file_sees_its_tiles(exported: tuple[Path, Path], tmp_path: Path) -> None:
    weights, file = exported
    words = ["shapes_val=2", "shapes_size=150,220", "shapes_object=10,30", "workers=0",
             "shapes_classes=circle,square,star"]  # fmt: skip
    found = {}
    for name, source in (
        ("torch", ["-c", str(weights), "-d", "cpu"]),
        ("onnx", ["--onnx", str(file)]),
    ):
        out = tmp_path / name
        assert evaluate([*source, "-o", str(out), *words]) == 0
        found[name] = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert found["onnx"] == pytest.approx(found["torch"], abs=1e-6)
    assert evaluate(["--onnx", str(file), "-o", str(tmp_path / "whole"), *words, "tile=none"]) == 0
    whole = json.loads((tmp_path / "whole/metrics.json").read_text(encoding="utf-8"))
    assert whole != pytest.approx(found["onnx"], abs=1e-6)
