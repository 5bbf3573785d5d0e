"""A training step of YOLOX is the same here and in ``pixeltable-yolox``, YOLOX's code kept up.

Its name is ``yolox`` when imported. Nothing of it is changed: on a CPU its head runs as it is, and
only warns that one of its calls has a newer name.

    pip install --no-deps pixeltable-yolox && pip install psutil
"""

import pytest
import torch
from torch import Tensor, nn

from otadet.assign import OTA, SimOTA
from otadet.criteria import YOLOXCriterion
from otadet.data import CocoDataset, Dataset, ShapesDataset, collate, transforms
from otadet.engine.ema import Ema
from otadet.exp import load_exp
from otadet.models import Detector, convert_yolox, load_state
from otadet.points import grid_points
from otadet.rng import generator
from otadet.types import Batch, GridLevel, Predictions, Target
from tests.helpers import SHARED, example, target

config = pytest.importorskip(
    "yolox.config", reason="needs pixeltable-yolox and psutil", exc_type=ImportError
)
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.cuda.amp.autocast:FutureWarning")

CLASSES = 80
TERMS = {"box": "iou_loss", "obj": "conf_loss", "cls": "cls_loss", "l1": "l1_loss"}


def images_of(size: int) -> Batch:
    """Three real images with 20, 1 and 17 objects where there are some, else generated ones."""
    folder = SHARED / "data" / "coco256"
    data: Dataset = ShapesDataset(3, size=(300, 400), object_size=(20.0, 150.0))
    if folder.is_dir():
        data = CocoDataset(folder, "annotations/val.json", "images")
    letterbox = transforms.Letterbox((size, size))
    return collate([letterbox(data.load(i), generator(0)) for i in range(3)])


def padded_labels(targets: list[Target]) -> Tensor:
    """``[B, M, 5]`` of class, centre, width and height, as the rival takes them; at least a row."""
    labels = torch.zeros(len(targets), max(1, *(len(t) for t in targets)), 5)
    for row, one in zip(labels, targets):
        row[: len(one), 0] = one.labels.float()
        row[: len(one), 1:3] = (one.boxes[:, :2] + one.boxes[:, 2:]) / 2
        row[: len(one), 3:] = one.boxes[:, 2:] - one.boxes[:, :2]
    return labels


def networks(name: str) -> tuple[Detector, nn.Module]:
    """Ours and theirs with the same weights: nano's of COCO where they are there, else fresh.

    Fresh predictions are spread, since those of all points would be nearly equal otherwise, and
    rounding would decide which of them are assigned.
    """
    torch.manual_seed(0)
    rival = config.YoloxConfig.get_named_config(name).get_model()
    for key, value in rival.head.named_parameters():
        if "_preds" in key and key.endswith("weight"):
            nn.init.normal_(value, std=0.2)
    weights = SHARED / "weights" / "yolox_nano_coco_unfolded.pth"
    if name == "yolox_nano" and weights.is_file():
        content = torch.load(weights, weights_only=True)
        rival.load_state_dict(content.get("model", content))
    ours = load_exp(name=name).build_model(CLASSES)
    load_state(ours, convert_yolox(rival.state_dict()), "the rival")
    return ours.train(), rival.train()


def steps(name: str, images: Tensor, targets: list[Target], ota: bool = False):
    """Report of ours, outputs of theirs, gradients of both under our names.

    With ``ota`` OTA takes SimOTA's place in both, in theirs as ``examples/yolox_ota.py`` says.
    """
    ours, rival = networks(name)
    rival.head.use_l1 = True
    if ota:
        rival.head.get_assignments = example("yolox_ota").YoloxAssignments()
    report = YOLOXCriterion(OTA.yolox() if ota else SimOTA(), l1=True)(ours(images), targets)
    report.total.backward()
    theirs = rival(images.float().flip(1), padded_labels(targets))  # it reads BGR
    theirs["total_loss"].backward()
    theirs = {k: float(v.detach()) if isinstance(v, Tensor) else v for k, v in theirs.items()}
    # A parameter that nothing reaches has no gradient there and a zero one here.
    grads = {k: torch.zeros_like(p) if p.grad is None else p.grad
             for k, p in rival.named_parameters()}  # fmt: skip
    mine = {k: p.grad for k, p in ours.named_parameters()}
    return report, theirs, mine, convert_yolox(grads)


@pytest.mark.parametrize(
    ("name", "size", "ota"),
    [("yolox_nano", 256, False), ("yolox_s", 160, False), ("yolox_nano", 256, True)],
)
def test_loss_and_gradients_of_a_step(name: str, size: int, ota: bool) -> None:
    """Terms differ by 2e-5 of their value, a parameter's gradient by 6e-4 of its norm at most."""
    batch = images_of(size)
    targets = [*batch.targets[:2], target(), batch.targets[2]]  # one image without objects
    images = torch.cat([batch.images[:2], batch.images[:1].flip(3), batch.images[2:]])
    report, theirs, mine, grads = steps(name, images, targets, ota)
    objects = sum(len(t) for t in targets)
    assert int(report.stats["positives"]) == round(theirs["num_fg"] * objects) > 10
    assert report.total.item() == pytest.approx(theirs["total_loss"], rel=1e-4)
    for ours, name_there in TERMS.items():
        assert report.terms[ours].item() == pytest.approx(theirs[name_there], rel=1e-4)
    assert mine.keys() == grads.keys()
    for key, wanted in grads.items():
        assert (mine[key] - wanted).norm() <= 3e-3 * wanted.norm(), key
        assert wanted.any(), key


def test_a_batch_without_any_object() -> None:
    report, theirs, mine, grads = steps("yolox_nano", images_of(96).images, [target()] * 3)
    assert report.total.item() == pytest.approx(theirs["total_loss"], rel=1e-5)
    assert report.stats["positives"] == 0
    for key, wanted in grads.items():
        assert (mine[key] - wanted).norm() <= 1e-3 * wanted.norm() + 1e-9, key


def random_scene(seed: int, objects: int, spread: float) -> tuple[Predictions, Target]:
    """A 64 px image whose objects may lie beyond its border, and predictions that fit them."""
    g = torch.Generator().manual_seed(seed)
    points = grid_points([GridLevel(64 // s, 64 // s, s) for s in (8, 16, 32)])
    center = 32 + (torch.rand((objects, 2), generator=g) - 0.5) * spread
    half = 12 + 30 * torch.rand((objects, 2), generator=g)
    gt = Target(torch.cat([center - half, center + half], dim=1),
                   torch.randint(3, (objects,), generator=g))  # fmt: skip
    aim = torch.randint(objects, (len(points),), generator=g)
    boxes = gt.boxes[aim] + 6 * torch.randn((len(points), 4), generator=g)
    preds = Predictions(
        boxes=boxes[None],
        cls_logits=torch.randn((1, len(points), 3), generator=g),
        quality_logits=torch.randn((1, len(points)), generator=g),
        deltas=torch.zeros(1, len(points), 4),
        points=points,
    )
    return preds, gt


def their_assignment(preds: Predictions, gt: Target) -> tuple[Tensor, Tensor]:
    """``gt_index [A]`` and ``iou [A]`` of the rival's head.

    Boxes are given in double precision: in single precision its penalty of 1e6 rounds costs to a
    sixteenth, and which of two equal ones it takes is left to torch.
    """
    from yolox.models import YoloxHead

    head = YoloxHead(preds.num_classes, width=0.125)
    boxes = torch.cat([gt.boxes, preds.boxes[0]]).double()
    coded = torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], dim=1)
    stride = preds.points.stride
    corner = (preds.points.xy / stride[:, None] - 0.5).T
    classes, chosen, overlap, index, count = head.get_assignments(
        0, len(gt), coded[: len(gt)], gt.labels, coded[len(gt) :], stride[None],
        corner[:1], corner[1:], preds.cls_logits, preds.quality_logits[..., None],
    )  # fmt: skip
    gt_index, iou = torch.full((len(preds.points),), -1), torch.zeros(len(preds.points))
    gt_index[chosen], iou[chosen] = index, overlap.float()
    assert count == int(chosen.sum()) and torch.equal(classes, gt.labels[index])
    return gt_index, iou


@pytest.mark.parametrize(("objects", "spread"), [(4, 100.0), (8, 120.0), (40, 60.0), (2, 220.0)])
def test_objects_at_the_border_and_more_wishes_than_points(objects: int, spread: float) -> None:
    """Where an object's own points do not suffice, only ``SimOTA.yolox()`` is the same."""
    differ = 0
    for seed in range(12):
        preds, gt = random_scene(seed, objects, spread)
        wanted, overlap = their_assignment(preds, gt)
        found = SimOTA.yolox()(preds, [gt])
        assert found.gt_index[0].tolist() == wanted.tolist()
        assert torch.allclose(found.iou[0], overlap, atol=1e-5)
        differ += not torch.equal(SimOTA()(preds, [gt]).gt_index[0], wanted)
    assert differ > 0 or spread < 100


def test_no_object_of_the_picture_has_a_point() -> None:
    preds, _ = random_scene(0, 1, 1.0)
    far = target((200, 200, 260, 240, 1), (-90, -80, -60, -70, 0))
    wanted, _ = their_assignment(preds, far)
    assert (wanted == -1).all()
    assert (SimOTA.yolox()(preds, [far]).gt_index == -1).all()
    assert (SimOTA()(preds, [far]).gt_index >= 0).sum() == 2  # each takes its closest point


def test_the_average_of_the_weights_moves_alike() -> None:
    from yolox.utils import ModelEMA

    ours, rival = networks("yolox_nano")
    mine, theirs = Ema(ours, 0.9998, 2000.0), ModelEMA(rival, 0.9998, updates=3000)
    for step in (3001, 3002, 3003):
        with torch.no_grad():
            for parameter in rival.parameters():
                parameter.mul_(1.5)
        load_state(ours, convert_yolox(rival.state_dict()), "the rival")
        mine.update(step)
        theirs.update(rival)
    wanted = convert_yolox(theirs.ema.state_dict())
    for key, value in mine.module.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(value, wanted[key], rtol=1e-5, atol=1e-7), key
    name = "head.stems.0.conv.weight"
    assert not torch.allclose(wanted[name], rival.state_dict()[name], rtol=1e-2)
