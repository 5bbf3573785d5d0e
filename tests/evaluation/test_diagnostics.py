"""Why an AP is near 0: each reason is named, and only where it holds."""

from __future__ import annotations

import numpy as np
import pytest

from otadet.evaluation import ClassResult, Evaluation, format_table
from otadet.types import Detections, GroundTruth
from tests.evaluation.scenes import coco_evaluator
from tests.evaluation.test_coco_metrics import evaluate, found, gt

TRUTHS = [gt(i, (100, 100, 160, 160, 0), (20, 20, 60, 60, 0)) for i in (1, 2)]
GOOD = [(100, 100, 160, 160), (20, 20, 60, 60)]


def notes_of(*rows: tuple[float, float, float, float, int, float]) -> str:
    return "\n".join(evaluate(TRUTHS, {1: found(*rows), 2: found(*rows)}).notes)


REASONS = {
    "classes": "shares a class",
    "scores": "all scores are under",
    "outside": "leave their image",
    "fit": "fit no object",
}


@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        ([(*box, 1, 0.9) for box in GOOD], {"classes"}),
        ([(*box, 1, 0.01) for box in GOOD], {"classes", "scores"}),
        ([(x / 4, y / 4, u / 4, v / 4, 0, 0.9) for x, y, u, v in GOOD], {"fit"}),
        ([(x * 5, y * 5, u * 5, v * 5, 0, 0.9) for x, y, u, v in GOOD], {"fit", "outside"}),
        ([(200, 5, 230, 30, 0, 0.9)], {"fit"}),
        ([(*box, 0, 0.9) for box in GOOD], set()),
        ([(*box, 0, 0.01) for box in GOOD], set()),  # low scores are fine if the AP is
    ],
)
def test_reasons(
    rows: list[tuple[float, float, float, float, int, float]], reasons: set[str]
) -> None:
    notes = notes_of(*rows)
    assert {name for name, part in REASONS.items() if part in notes} == reasons


def test_text_of_the_notes() -> None:
    assert "detected dog, the ground truth has cat" in notes_of((100, 100, 160, 160, 1, 0.9))
    scaled = notes_of(*((x / 4, y / 4, u / 4, v / 4, 0, 0.9) for x, y, u, v in GOOD))
    assert "the median box 12 px" in scaled
    assert "the median object 50 px" in scaled
    assert "4 of 4 boxes leave" in notes_of(*((*b[:2], 400, 400, 0, 0.9) for b in GOOD))


def test_images_that_were_never_handed_in() -> None:
    rows = found(*((*box, 0, 0.9) for box in GOOD))
    result = evaluate(TRUTHS, {1: rows})
    assert result.notes == ("1 of 2 images were never evaluated; their objects count as missed",)
    assert result.metrics["AR100"] == 0.5


def test_more_objects_than_the_cap() -> None:
    crowd = gt(3, *((i, 0, i + 9, 9, 0) for i in range(0, 60, 10)))
    result = evaluate([crowd], {3: found()}, cap=5)
    assert any("image id 3 has 6 objects of one class, but only 5" in n for n in result.notes)
    assert not any("objects of one class" in n for n in evaluate([crowd], {}, cap=6).notes)


def test_images_whose_detections_postprocessing_cut() -> None:
    three = found(*((*GOOD[0], 0, score) for score in (0.9, 0.8, 0.7)))
    said = "1 of 2 images have 3 detections, as many as max_detections keeps"
    one = {1: three, 2: found((*GOOD[0], 0, 0.9))}
    assert any(said in note for note in evaluate(TRUTHS, one, cap=3).notes)
    assert not any("max_detections" in note for note in evaluate(TRUTHS, one, cap=4).notes)
    second = evaluate(TRUTHS, {2: three}, cap=3)  # the first was never handed in
    assert any(said in note for note in second.notes) == (2 * len(TRUTHS[1]) >= 3)
    lonely = gt(9, (0, 0, 9, 9, 0))
    assert not any("max_detections" in note for note in evaluate([lonely], {9: three}, cap=3).notes)


def test_large_ids_and_many_classes_do_not_mix_up_the_cap() -> None:
    ids = (2**62, 2**62 + 1)
    names = tuple(f"class {i}" for i in range(9))
    gts = [GroundTruth(**{**vars(TRUTHS[0]), "image_id": i}) for i in ids]
    metrics = coco_evaluator(gts, names, "pycocotools", max_detections=1)
    one_of_each = found(*((*GOOD[0], label, 0.5) for label in range(9)))
    for image_id in ids:
        metrics.update(image_id, one_of_each)
    state = metrics.state()
    assert np.array_equal(state.image_of, np.repeat(ids, 9))
    assert not any("cap of 1 detections" in n for n in metrics.compute().notes)


def test_table() -> None:
    result = Evaluation(
        {"AP": 0.1234, "AP50": 0.5, "APl": -1.0},
        (ClassResult("cat", 0.1234, 0.5, 12, 345), ClassResult("10", -1.0, -1.0, 0, 7)),
        ("something is odd", "and more"),
    )
    lines = format_table(result).splitlines()
    assert lines[0].split() == ["AP", "AP50", "APl"]
    assert lines[1].split() == ["0.123", "0.500", "-"]
    assert lines[3].split() == ["class", "AP", "AP50", "objects", "detections"]
    assert lines[5].split() == ["cat", "0.123", "0.500", "12", "345"]
    assert lines[6].split() == ["10", "-", "-", "0", "7"]
    assert lines[-2:] == ["note: something is odd", "note: and more"]
    assert format_table(Evaluation({"AP": 0.0}, ())).count("\n") == 1


def test_empty_detections_are_a_type_of_their_own() -> None:
    assert isinstance(found(), Detections)
    assert len(found()) == 0
