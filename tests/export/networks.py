"""A small network whose scores lie apart, as a trained one's do, and images for it."""

from pathlib import Path

import torch

from otadet.data import Letterbox, ShapesDataset, collate, read_image
from otadet.engine.checkpoint import save_checkpoint
from otadet.evaluation import OperatingPoint
from otadet.exp import Exp, load_exp
from otadet.export import ExportOptions, ResizeRule
from otadet.geometry import Geometry, Size
from otadet.models import Detector
from otadet.rng import generator
from otadet.types import Batch, Sample, Target
from tests.helpers import SHARED

CLASSES = ("circle", "square", "star")
SIZE = (96, 128)
SETTINGS = {
    "backbone": "resnet10", "fpn_channels": 32, "head_width": 32, "head_convs": 1,
    "extra_levels": True, "test_size": SIZE, "resize": "letterbox",
}  # fmt: skip


def experiment(**overrides: object) -> Exp:
    return load_exp(name="quickstart", overrides={**SETTINGS, **overrides})


def network(exp: Exp, seed: int = 0) -> Detector:
    """Random, with outputs so large that no two of its scores are equal but for rounding."""
    torch.manual_seed(seed)
    model = exp.build_model(len(CLASSES)).eval()
    with torch.no_grad():
        for part in (model.head.cls_out, model.head.reg_out, model.head.quality_out):
            part.weight.normal_(std=0.2)
        model.head.cls_out.bias.fill_(-2.0)
    return model


def checkpoint(
    folder: Path,
    operating_point: OperatingPoint | None = None,
    category_ids: tuple[int, ...] | None = None,
    **settings: object,
) -> Path:
    """A file of this network in the folder."""
    exp = experiment(**settings)
    path = folder / "best.pth"
    save_checkpoint(
        path, experiment="quickstart", settings=exp.as_dict(), class_names=CLASSES,
        weights=network(exp).state_dict(), step=0, metrics={}, operating_point=operating_point,
        category_ids=category_ids,
    )  # fmt: skip
    return path


def options(**changes: object) -> ExportOptions:
    return ExportOptions(**{"resize": ResizeRule("letterbox", SIZE), **changes})


def generated(*counts: int, size: Size = SIZE) -> list[Batch]:
    """Batches of so many generated images."""
    data = ShapesDataset(sum(counts), size=(120, 150), object_size=(20.0, 60.0))
    samples = iter(Letterbox(size)(data.load(i), generator(0)) for i in range(len(data)))
    return [collate([next(samples) for _ in range(n)], size=size) for n in counts]


def photos(count: int, size: Size = SIZE) -> list[Batch]:
    """Batches of one real image each."""
    samples = [_sample(SHARED / "photos" / n) for n in ("bus.jpg", "dog.jpg", "street.jpg")[:count]]
    return [collate([Letterbox(size)(s, generator(0))], size=size) for s in samples]


def _sample(path) -> Sample:
    image = read_image(path)
    none = Target(torch.zeros((0, 4)), torch.zeros(0, dtype=torch.int64))
    boxes, labels = none.boxes.numpy(), none.labels.numpy()
    return Sample(image, boxes, labels, boxes, 0, Geometry.identity(image.shape[:2]))
