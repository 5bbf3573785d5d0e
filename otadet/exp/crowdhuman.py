"""The recipe of the OTA paper on CrowdHuman."""

from __future__ import annotations

from otadet.evaluation import MetricKind
from otadet.exp.paper import PaperExp, PaperRecipe


class CrowdHumanRecipe(PaperRecipe):
    """Training on CrowdHuman: 30 epochs of 16 images (Ge et al. 2021, section 4.4).

    NMS at 0.6, all else as on COCO. Size and number of detections are those of the data set's usual
    recipe: short side 800, the longer one up to 1400, and 300, since an image holds up to hundreds
    of people.
    """

    data_dir: str | None = "datasets/CrowdHuman"
    train_ann: str | None = "annotation_train.odgt"
    val_ann: str | None = "annotation_val.odgt"
    train_images: str | None = "Images"
    val_images: str | None = "Images"

    input_size: tuple[int, int] = (800, 1400)
    test_size: tuple[int, int] = (800, 1400)

    batch_size: int = 16
    max_epochs: int = 30
    max_iters: int | None = None
    nms_threshold: float = 0.6
    max_detections: int = 300
    metrics: tuple[MetricKind, ...] = ("crowdhuman", "coco")
    best_metric: str = "MR"


class CrowdHumanExp(CrowdHumanRecipe, PaperExp):
    """FCOS under CrowdHuman's recipe."""
