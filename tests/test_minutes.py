"""The benchmark of what minutes buy: its runs, the rivals' epochs, and one AP for all."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from otadet.evaluation import coco
from otadet.evaluation.saved import SavedEvaluation
from otadet.evaluation.store import DetectionColumns
from otadet.types import GroundTruth

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def load(name: str) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        patch.syspath_prepend(BENCHMARKS / "rivals")
        return importlib.import_module(name)


@pytest.mark.parametrize("word", ["bccd/auto/8/0", "nuclei/libreyolo/0.5/2/shared"])
def test_a_run_reads_what_it_writes(word: str) -> None:
    run = load("minutes_run").Run.parse(word)
    assert str(run) == word
    assert run.is_of({**run.row(), "AP": 0.5})
    assert not run.is_of({**run.row(), "seed": 7})


@pytest.mark.parametrize(
    "word", ["", "bccd/auto/8", "bccd/other/8/0", "bccd/auto/0/0", "a/auto/8/0/alone", "a/auto/x/0"]
)
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="expected SET/METHOD/MINUTES/SEED"):
        load("minutes_run").Run.parse(word)


def test_a_set_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    script = BENCHMARKS / "minutes.py"
    command = [sys.executable, script, "--data", tmp_path, "--weights", "none", "bccd/auto/8/0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    missing = f"--data {tmp_path}: expected bccd/annotations/train.json in it, got none"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"minutes.py: error: {missing}\n"


def test_epochs_fill_the_time() -> None:
    """Start 10 s, mosaic epochs of 20 s, plain ones of 10 s, detection 5 s."""
    epochs = load("epochs")
    times = epochs.Times(steps=57, start=10.0, ends=[30.0, 45.0, 55.0], detected=60.0)
    assert times.epochs == [20.0, 15.0, 10.0]
    # 100 s and 2 %: 87 s are left; four mosaic epochs and a plain one would take 90 s
    assert epochs.fitting(times, 100.0, share=0.2) == 4
    assert epochs.fitting(times, 105.0, share=0.2) == 5
    assert epochs.fitting(times, 1.0, share=0.2) == 1
    assert [epochs.plain_epochs(n, 0.15) for n in (1, 10, 20)] == [1, 2, 3]


def evaluation(seed: int, images: int = 6) -> tuple[tuple[GroundTruth, ...], DetectionColumns]:
    """Twelve objects of two classes an image; as many boxes near them, and eight anywhere."""
    rng = np.random.default_rng(seed)

    def boxes(count: int) -> np.ndarray:
        corner = rng.uniform(0, 200, (count, 2))
        return np.concatenate([corner, corner + rng.uniform(5, 60, (count, 2))], 1)

    gts, found, classes = [], [], []
    for image in range(images):
        truth, labels = boxes(12).astype(np.float32), rng.integers(0, 2, 12)
        areas = np.prod(truth[:, 2:] - truth[:, :2], axis=1).astype(np.float64)
        nothing = np.zeros((0, 4), np.float32)
        gts.append(GroundTruth(image + 1, f"{image}", (260, 260), truth, labels, nothing, areas))
        found += [truth + rng.normal(0, 3, truth.shape), boxes(8)]
        classes += [labels, rng.integers(0, 2, 8)]
    columns = DetectionColumns(
        np.arange(1, images + 1), np.full(images, 20), np.concatenate(found).astype(np.float32),
        rng.uniform(0, 1, images * 20).astype(np.float32), np.concatenate(classes),
    )  # fmt: skip
    return tuple(gts), columns


@pytest.mark.parametrize("cap", [5, 100])
def test_ap_of_rows_is_the_evaluations(tmp_path: Path, cap: int) -> None:
    """One that goes through files, rows and category ids, and the library's own."""
    gts, columns = evaluation(3)
    boxes = [(gt.image_id, box, label) for gt in gts for box, label in zip(gt.boxes, gt.labels)]
    document = {
        "images": [{"id": gt.image_id, "width": 260, "height": 260} for gt in gts],
        "categories": [{"id": 4, "name": "b"}, {"id": 9, "name": "a"}],
        "annotations": [
            {"id": i + 1, "image_id": image, "category_id": (9, 4)[label], "iscrowd": 0,
             "bbox": [*map(float, box[:2]), *map(float, box[2:] - box[:2])],
             "area": float(np.prod(box[2:] - box[:2]))}
            for i, (image, box, label) in enumerate(boxes)
        ],
    }  # fmt: skip
    annotations = tmp_path / "val.json"
    annotations.write_text(json.dumps(document), encoding="utf-8")
    SavedEvaluation(gts, ("a", "b"), columns).save(tmp_path / "detections.npz")
    score = load("coco_ap")
    rows = score.rows_of_evaluation(tmp_path / "detections.npz", annotations)
    found = score.average_precision(annotations, rows, cap)
    expected = coco("pycocotools", cap)(gts, ("a", "b"), columns).metrics
    assert 0.05 < found["AP"] < 0.9
    assert found == pytest.approx({name: expected[name] for name in ("AP", "AP50")}, abs=1e-6)
    assert score.average_precision(annotations, [], cap) == {"AP": 0.0, "AP50": 0.0}
