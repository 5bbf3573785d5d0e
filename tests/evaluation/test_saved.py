"""Detections and ground truth in a file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from otadet.errors import InputError
from otadet.evaluation import SavedEvaluation, build_evaluator, load_evaluation
from otadet.types import Detections
from tests.evaluation.scenes import gt_of
from tests.evaluation.slow_crowd import Scene

NAMES = ("person", '<script>"\n', "أحمر")
SCENES = (
    Scene([(0, 0, 10, 10), (5, 5, 30, 30)], [(50, 50, 90, 90)], [((0, 0, 10, 11), 0.5)]),
    Scene(),
    Scene([(1, 1, 20, 20)], [], [((1, 2, 20, 20), 0.75), ((60, 60, 80, 80), 0.25)]),
)


def saved(shift: float = 0.0) -> SavedEvaluation:
    gts = [gt_of(number, scene) for number, scene in enumerate(SCENES)]
    gts[0].boxes[0, 0] += shift
    evaluator = build_evaluator(gts, NAMES)
    for gt, scene in zip(gts[:2], SCENES):  # the last image was never evaluated
        boxes = torch.tensor([box for box, _ in scene.found]).reshape(-1, 4)
        scores = torch.tensor([score for _, score in scene.found])
        evaluator.update(gt.image_id, Detections(boxes, scores, torch.full((len(scores),), 2)))
    return SavedEvaluation(evaluator.gts, evaluator.class_names, evaluator.state())


def test_a_file_holds_all_that_the_metrics_read(tmp_path: Path) -> None:
    before = saved()
    before.save(tmp_path / "detections.npz")
    after = load_evaluation(tmp_path / "detections.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["detections.npz"]
    assert after.class_names == NAMES and after.digest() == before.digest()
    for name in ("image_ids", "counts", "boxes", "scores", "labels"):
        one, other = getattr(before.detections, name), getattr(after.detections, name)
        assert one.dtype == other.dtype and np.array_equal(one, other)
    for one, other in zip(before.gts, after.gts, strict=True):
        assert (one.image_id, one.file_name, one.size) == (
            other.image_id, other.file_name, other.size,
        )  # fmt: skip
        for name in ("boxes", "labels", "areas", "ignore_boxes"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


def test_another_ground_truth_has_another_digest() -> None:
    assert saved().digest() == saved().digest() != saved(0.5).digest()


def test_no_images(tmp_path: Path) -> None:
    evaluator = build_evaluator([], ("a",))
    SavedEvaluation((), ("a",), evaluator.state()).save(tmp_path / "none.npz")
    assert load_evaluation(tmp_path / "none.npz").gts == ()


def test_files_that_hold_something_else(tmp_path: Path) -> None:
    path = tmp_path / "detections.npz"
    with pytest.raises(InputError, match="No such file"):
        load_evaluation(path)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"expected detections as `otadet eval --save-detections`"):
        load_evaluation(path)
    np.savez(path, boxes=np.zeros((0, 4)))
    with pytest.raises(InputError, match="image_ids"):
        load_evaluation(path)
