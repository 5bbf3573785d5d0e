"""CrowdHuman's data from the file to the loss: masks teach nothing, and no crowd is cut short."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from otadet.assign import OTA, SimOTA
from otadet.cli.train import main as train
from otadet.criteria import Criterion, FCOSCriterion, YOLOXCriterion
from otadet.data import BatchOrder, Mosaic, OneImage, RoundRobin, build_loader, find_data, open_data
from otadet.data.files import FileDataset
from otadet.data.image_file import write_image
from otadet.data.transforms import Letterbox
from otadet.engine.checkpoint import load_checkpoint
from otadet.exp import Exp, load_exp
from otadet.points import grid_points
from otadet.postprocess import Postprocess
from otadet.types import IGNORED, Batch, Detections, GridLevel, Predictions
from tests.assign.scenes import AS_PUBLISHED, ASSIGNERS, predictions
from tests.engine.processes import quick
from tests.reference import pairwise_ioa

GRID = tuple(GridLevel(128 // s, 128 // s, s) for s in (8, 16, 32))
MANY = 1500


def odgt(folder: Path, boxes: list[tuple[str, list[float]]], images: int = 4) -> FileDataset:
    """A data set of images of 120 x 90 with the same boxes: tag, left, top, width, height."""
    (folder / "Images").mkdir(parents=True)
    lines = []
    for number in range(images):
        image = np.full((90, 120, 3), 40 * number, np.uint8)
        write_image(folder / "Images" / f"{number}.jpg", image)
        rows = [
            {"tag": tag, "fbox": box, "extra": {"ignore": int(tag == "mask")}} for tag, box in boxes
        ]
        lines.append(json.dumps({"ID": str(number), "gtboxes": rows}))
    (folder / "annotation_train.odgt").write_text("\n".join(lines), encoding="utf-8")
    return open_data(find_data(folder, "train", val_fraction=0))


CROWD: list[tuple[str, list[float]]] = [
    ("person", [5, 10, 30, 60]), ("person", [90, -20, 50, 90]), ("person", [40, 40, 20, 70]),
    ("mask", [50, 0, 40, 90]),
]  # fmt: skip


def batch_of(data: FileDataset, draw: Mosaic | OneImage, count: int = 2) -> Batch:
    order = BatchOrder(data.sizes, count, seed=3)
    return next(iter(build_loader(data, RoundRobin((draw,)), order, workers=0)))


def mosaic_batch(folder: Path) -> Batch:
    batch = batch_of(odgt(folder, CROWD), Mosaic((128, 128), mixup=0.5, scale=(0.5, 1.5)))
    assert all(len(target) and len(target.ignore_boxes) for target in batch.targets)
    return batch


def test_whole_boxes_leave_the_mosaic(tmp_path: Path) -> None:
    boxes = torch.cat([target.boxes for target in mosaic_batch(tmp_path).targets])
    assert (boxes.amin() < 0) or (boxes.amax() > 128)
    ignored = torch.cat([target.ignore_boxes for target in mosaic_batch(tmp_path / "2").targets])
    assert (ignored >= 0).all() and (ignored <= 128).all()  # regions are what is seen of them


CRITERIA = {"fcos": FCOSCriterion, "yolox": YOLOXCriterion}


@pytest.mark.parametrize("loss", CRITERIA)
def test_points_in_masks_learn_nothing(tmp_path: Path, loss: str) -> None:
    """Whatever assigner and loss, from the file through loader and mosaic."""
    targets = list(mosaic_batch(tmp_path).targets)
    made = predictions(grid_points(GRID), targets, classes=1, seed=5)
    inside = torch.stack([
        pairwise_ioa(boxes, target.ignore_boxes).amax(dim=1) > 0.5 + 1e-5
        for boxes, target in zip(made.boxes, targets)
    ])  # fmt: skip
    assert inside.any() and not inside.all()
    for name, assigner in {**ASSIGNERS, **AS_PUBLISHED}.items():
        preds = Predictions(
            *(value.clone().requires_grad_() for value in (made.boxes, made.cls_logits)),
            made.quality_logits.clone().requires_grad_(),  # type: ignore[union-attr]
            made.deltas.clone().requires_grad_(),
            made.points,
        )
        criterion: Criterion = (
            YOLOXCriterion(assigner, l1=True) if loss == "yolox" else FCOSCriterion(assigner)
        )
        index = assigner(preds, targets).gt_index
        assert (index[inside] == IGNORED).all(), name
        assert (index >= 0).any(), name
        criterion(preds, targets).total.backward()
        for leaf in (preds.boxes, preds.cls_logits, preds.quality_logits, preds.deltas):
            assert leaf is not None
            if leaf.grad is None:  # FCOS's loss takes decoded boxes alone
                assert loss == "fcos" and leaf is preds.deltas, name
                continue
            assert not leaf.grad[inside].any(), name
            assert leaf.grad.isfinite().all(), name
        assert preds.cls_logits.grad is not None
        assert preds.cls_logits.grad[~inside].any(), name


def crowd_of(folder: Path) -> FileDataset:
    rng = np.random.default_rng(0)
    corners = rng.uniform((0, 0), (110, 80), (MANY, 2))
    boxes = [("person", [*map(float, corner), 8.0, 9.0]) for corner in corners]
    return odgt(folder, boxes, images=1)


def test_no_object_of_a_crowd_is_left_out(tmp_path: Path) -> None:
    data = crowd_of(tmp_path)
    batch = batch_of(data, OneImage(Letterbox((128, 128))), 1)
    assert len(batch.targets[0]) == MANY
    mosaic = batch_of(data, Mosaic((128, 128), mixup=0.0, scale=(0.5, 0.5)), 1)
    assert len(mosaic.targets[0]) > MANY
    for assigner in (OTA(), SimOTA()):
        made = predictions(grid_points(GRID), list(batch.targets), classes=1, seed=1)
        assigned = assigner(made, batch.targets).gt_index
        assert int(assigned.max()) > 1000  # objects far down the list get points too
        report = FCOSCriterion(assigner)(made, batch.targets)
        assert report.total.isfinite()


def test_evaluation_of_a_crowd_and_its_cap(tmp_path: Path) -> None:
    data = crowd_of(tmp_path)
    gt = data.ground_truth(0)
    scores = torch.linspace(1, 0.5, MANY)
    found = Detections(torch.from_numpy(gt.boxes), scores, torch.zeros(MANY, dtype=torch.int64))
    for cap, recall in ((MANY, 1.0), (300, 0.2)):
        evaluator = Exp(max_detections=cap).build_evaluator(data)
        evaluator.update(gt.image_id, found)
        evaluation = evaluator.compute()
        said = " ".join(evaluation.notes)
        assert ("the cap of 300 detections an image and class was hit 1 times" in said) == (
            cap == 300
        )
        assert (f"has {MANY} objects of one class, but only 300" in said) == (cap == 300)
        assert evaluation.metrics["AP50"] == pytest.approx(recall, abs=0.01)


def test_detections_of_whole_boxes_are_not_clipped(tmp_path: Path) -> None:
    """Through evaluation's own postprocess a perfect detector has an AP of 1."""
    data = odgt(tmp_path, CROWD)
    evaluator = Exp().build_evaluator(data)
    for index in range(len(data)):
        sample = Letterbox((128, 128))(data.load(index), np.random.default_rng(0))
        boxes = torch.from_numpy(sample.boxes)
        logits = torch.full((len(boxes), 1), 5.0)
        level = torch.zeros(len(boxes), dtype=torch.int64)
        found = Postprocess(nms_threshold=0.9).select(
            boxes, logits.sigmoid(), level, sample.geometry
        )
        evaluator.update(sample.image_id, found)
    assert evaluator.compute().metrics["AP"] == pytest.approx(1.0)


def test_a_checkpoint_says_that_boxes_are_whole(tmp_path: Path) -> None:
    """Recognised from the data (``data_format=auto``); demo and API read no annotations."""
    odgt(tmp_path, CROWD)
    words = [f"data_dir={tmp_path}", "val_ann=annotation_train.odgt", "max_iters=1"]
    assert train(quick(tmp_path / "run", *words)) == 0
    settings = load_checkpoint(tmp_path / "run/best.pth").settings
    assert (settings["data_format"], settings["amodal"]) == ("auto", True)
    assert load_exp(name="quickstart", overrides={"amodal": settings["amodal"]}).whole_boxes
    assert train([*quick(tmp_path / "run", *words), "--resume"]) == 0  # of the same run
