"""Test-time augmentation: views, ranges, voting, and the way through evaluation and API."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import otadet
from otadet.box_voting import soft_vote
from otadet.cli.eval import main as evaluate
from otadet.data import Repeated, ShapesDataset
from otadet.data.batch_order import EvalOrder
from otadet.engine.tta import detect_in_chunks
from otadet.errors import InputError
from otadet.exp import Exp
from otadet.rng import generator
from otadet.tta import ATSS_SCALES, Augmentation, TtaScale, View, parse_scale, with_mirrors
from otadet.types import Batch, Detections
from tests import reference
from tests.export.networks import checkpoint
from tests.test_soft_nms import crowd

VOTE = {"iou_threshold": 0.65, "score_threshold": 0.05, "limit": 300}


@pytest.mark.parametrize(("count", "classes"), [(1, 1), (60, 1), (150, 3), (40, 60)])
def test_voting_equals_the_slow_version(count: int, classes: int) -> None:
    boxes, scores, labels = crowd(count, classes, seed=count)
    boxes = torch.cat([boxes, boxes + torch.rand(boxes.shape) * 2])  # two passes over one scene
    scores, labels = torch.cat([scores, scores * 0.9]), torch.cat([labels, labels])
    found = soft_vote(boxes, scores, labels, **VOTE)
    slow = reference.soft_vote(boxes.tolist(), scores.tolist(), labels.tolist(), 0.65, 0.05)[:300]
    assert len(found[0]) == len(slow) and (count == 1 or len(slow) < 2 * count)
    assert found[1].tolist() == pytest.approx([s for _, s, _ in slow], abs=1e-5)
    rows = zip(found[0].tolist(), found[1].tolist(), found[2].tolist())
    mine = sorted(
        (label, round(score, 4), [round(v, 2) for v in box]) for box, score, label in rows
    )
    theirs = sorted((k, round(s, 4), [round(v, 2) for v in b]) for b, s, k in slow)
    for a, b in zip(mine, theirs):
        assert a[0] == b[0] and a[2] == pytest.approx(b[2], abs=0.02)


def test_voting_by_hand() -> None:
    # IoU of the first two is 0.8; the third is of another class, the fourth is far away.
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 10], [50, 50, 60, 60]])
    scores, labels = torch.tensor([0.6, 0.4, 0.5, 0.3]), torch.tensor([0, 0, 1, 0])
    found = soft_vote(boxes, scores, labels, **VOTE)
    assert found[0].tolist() == [[0, 0, 10, pytest.approx(9.2)], boxes[2].tolist(),
                                 boxes[3].tolist(), boxes[1].tolist()]  # fmt: skip
    assert found[1].tolist() == pytest.approx([0.6, 0.5, 0.3, 0.4 * 0.2])
    assert found[2].tolist() == [0, 1, 0, 0]
    apart = soft_vote(boxes, scores, labels, **{**VOTE, "iou_threshold": 0.9})
    assert apart[1].tolist() == pytest.approx([0.6, 0.5, 0.4, 0.3])
    assert soft_vote(boxes, scores, labels, **{**VOTE, "limit": 2})[1].tolist() == [
        pytest.approx(0.6), pytest.approx(0.5)]  # fmt: skip


def test_voting_on_nothing_and_on_boxes_without_area() -> None:
    none = torch.zeros((0, 4)), torch.zeros(0), torch.zeros(0, dtype=torch.int64)
    assert len(soft_vote(*none, **VOTE)[0]) == 0
    flat = torch.tensor([[3.0, 3, 3, 9]] * 2), torch.tensor([0.7, 0.6]), torch.tensor([1, 1])
    boxes, scores, _ = soft_vote(*flat, **VOTE)
    assert boxes.tolist() == flat[0].tolist() and scores.tolist() == pytest.approx([0.7, 0.6])


@pytest.mark.parametrize("settings", [
    {"resize": "letterbox", "test_size": (192, 256)},
    {"resize": "shortest", "test_size": (100, 170)},
])  # fmt: skip
def test_every_view_maps_boxes_back_and_two_mirrors_are_none(settings: dict[str, object]) -> None:
    sample = ShapesDataset(1, seed=4, size=(90, 140), object_size=(10.0, 60.0)).load(0)
    augmentation = Exp(tta="atss", **settings).build_augmentation()
    assert augmentation is not None and len(augmentation.views) == 2 * len(ATSS_SCALES)
    shapes = set()
    for view in augmentation.views:
        seen = view.transform(sample, generator(0))
        back = seen.geometry.to_image(torch.from_numpy(seen.boxes))
        np.testing.assert_allclose(back.numpy(), sample.boxes, atol=1e-3)
        shapes.add(seen.image.shape)
    assert len(shapes) > 8
    plain = View(lambda s, rng: s)
    twice = with_mirrors(with_mirrors((plain,)))[3].transform(sample, generator(0))
    once = with_mirrors((plain,))[1].transform(sample, generator(0))
    assert np.array_equal(twice.image, sample.image)
    np.testing.assert_allclose(twice.boxes, sample.boxes, atol=1e-4)
    assert np.array_equal(once.image, sample.image[:, ::-1])
    assert twice.geometry == sample.geometry


def test_an_800_px_network_sees_the_published_sizes() -> None:
    """An image of 640 x 480 (width x height), as COCO's are."""
    exp = Exp(tta="atss", tta_flip=False, resize="shortest", test_size=(800, 1333))
    sample = ShapesDataset(1, seed=0, size=(480, 640)).load(0)
    sizes = [
        v.transform(sample, generator(0)).image.shape[0] for v in exp.build_augmentation().views
    ]
    assert sizes == [400, 500, 600, 640, 700, 900, 1000, 1100, 1200, 1300, 1400, 1800, 800]
    long = ShapesDataset(1, seed=0, size=(100, 400)).load(0)
    views = exp.build_augmentation().views
    assert views[-2].transform(long, generator(0)).image.shape[:2] == (750, 3000)
    assert views[-1].transform(long, generator(0)).image.shape[:2] == (333, 1333)
    ranges = [(v.low, v.high) for v in views]
    assert ranges[:5] == [(96, math.inf)] * 2 + [(64, math.inf)] * 3
    assert ranges[5:7] == [(0, math.inf)] * 2
    assert ranges[7:] == [(0, 256)] * 2 + [(0, 192)] * 2 + [(0, 96), (0, math.inf)]


def test_a_letterbox_network_gets_the_scales_in_proportion() -> None:
    exp = Exp(tta="atss", tta_flip=False, tta_scales=("400", "800", "1800"), test_size=(416, 416))
    sample = ShapesDataset(1, seed=0, size=(120, 160)).load(0)
    seen = [v.transform(sample, generator(0)).image.shape for v in exp.build_augmentation().views]
    assert seen == [(224, 224, 3), (416, 416, 3), (960, 960, 3)]  # 208 and 936, whole multiples


def test_ranges_are_of_the_original_image() -> None:
    found = Detections(
        torch.tensor([[0.0, 0, 63, 63], [0, 0, 32, 128], [0, 0, 256, 256]]),
        torch.tensor([0.9, 0.8, 0.7]),
        torch.tensor([0, 1, 2]),
    )
    assert View(lambda s, rng: s, low=64).select(found).labels.tolist() == [1, 2]
    assert View(lambda s, rng: s, high=256).select(found).labels.tolist() == [0, 1]
    views = (View(lambda s, rng: s, high=64), View(lambda s, rng: s, low=64))
    merged = Augmentation(views).merge([found, found])
    assert merged.labels.tolist() == [0, 1, 2] and merged.scores.tolist() == found.scores.tolist()


def test_scales_by_setting() -> None:
    assert parse_scale("1800") == TtaScale(1800, 3000, 0, 96)
    assert parse_scale("800") == TtaScale(800, 1333)
    assert parse_scale("777") == TtaScale(777, 3000)
    assert parse_scale("400:-") == TtaScale(400, 3000)
    assert parse_scale("500/1000:64-256.5") == TtaScale(500, 1000, 64, 256.5)
    chosen = Exp(**Exp.parse(["tta=atss", "tta_scales=400,900:32-,800"])).build_augmentation()
    assert [v.low for v in chosen.views] == [96, 96, 32, 32, 0, 0]
    assert len(Exp(tta="flip").build_augmentation().views) == 2
    assert Exp().build_augmentation() is None
    for word in ("tta_flip=false", "tta_scales=400"):
        with pytest.raises(InputError, match=f"{word} has no effect with tta=flip; .* tta=atss"):
            Exp(**Exp.parse(["tta=flip", word]))


@pytest.mark.parametrize("word", ["", "big", "0", "400:96", "400:96-32", "800/400", "400:.-", "-4"])
def test_a_wrong_scale_is_one_line(word: str) -> None:
    with pytest.raises(InputError, match=r"^setting tta_scales: expected SHORT.*, got '.*'$"):
        Exp(tta="atss", tta_scales=(word,))


def test_wrong_settings_are_one_line() -> None:
    for settings, text in (
        ({"tta": "both"}, "setting tta: expected one of 'none', 'flip', 'atss', got 'both'"),
        ({"tta_vote": 1.5}, "setting tta_vote: expected 0 to 1, got 1.5"),
        ({"tta_detections": 0}, "setting tta_detections: expected 1 to 1,000,000, got 0"),
    ):
        with pytest.raises(InputError) as error:
            Exp(**settings)
        assert str(error.value) == text


def test_each_batch_comes_once_for_every_view() -> None:
    order = Repeated(EvalOrder(5, 2), 3)
    batches = [(r[0].step, [q.image for q in r]) for r in order.batches()]
    assert len(order) == 9 and batches[:4] == [(0, [0, 1]), (1, [0, 1]), (2, [0, 1]), (3, [2, 3])]
    assert [step for step, _ in batches] == list(range(9))
    assert list(order.batches(7)) == list(order.batches())[7:]


def test_a_large_view_goes_through_in_pieces() -> None:
    seen: list[int] = []

    def detect(piece: Batch) -> list[Detections]:
        seen.append(len(piece))
        return [Detections(torch.zeros(0, 4), torch.zeros(0), torch.full((0,), 1))] * len(piece)

    images = torch.zeros((5, 3, 64, 128))
    batch = Batch(images, (None,) * 5, (None,) * 5, tuple(range(5)))
    for count, expected in ((5, [1, 2, 2]), (10, [5]), (1, [1] * 5)):
        seen.clear()
        assert len(detect_in_chunks(detect, batch, Exp(test_size=(64, 64)), count)) == 5
        assert seen == expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tta")
    checkpoint(path)
    return path


def test_api_and_evaluation_find_the_same_and_mirrors_make_it_symmetric(folder: Path) -> None:
    """A random network is not symmetric; with its mirror image it has to be."""
    image = ShapesDataset(1, seed=1, size=(96, 128), object_size=(20.0, 60.0)).load(0).image
    mirrored = np.ascontiguousarray(image[:, ::-1])

    def symmetric(**settings: object) -> float:
        detector = otadet.load(folder / "best.pth", device="cpu", score=0.1, **settings)
        (a, b) = detector.predict([image, mirrored])
        assert len(a) > 3
        count = min(len(a), len(b))
        back = b.boxes[:count, [2, 1, 0, 3]] * torch.tensor([-1, 1, -1, 1]) + torch.tensor(
            [128.0, 0, 128, 0]
        )
        return float((a.boxes[:count] - back).abs().max())

    assert symmetric(tta="flip") < 0.1 < symmetric()
    assert symmetric(tta="atss", tta_scales=("640", "800")) < 0.1


def test_the_command_takes_several_passes(folder: Path) -> None:
    def metrics(*words: str) -> dict[str, float]:
        out = folder / "eval"
        assert evaluate(["-c", str(folder / "best.pth"), "-d", "cpu", "-b", "2", "-o", str(out),
                         "workers=0", "shapes_val=3", "shapes_classes=circle,square,star",
                         *words]) == 0  # fmt: skip
        return json.loads((out / "metrics.json").read_text(encoding="utf-8"))

    plain = metrics()
    flip = metrics("tta=flip")
    assert flip != plain and flip == metrics("tta=atss", "tta_scales=800/800:-")
    with pytest.raises(InputError, match="tta_scales: expected SHORT"):
        metrics("tta=atss", "tta_scales=huge")


def test_a_limit_below_that_of_the_plain_pass_is_reported() -> None:
    """A crowd's recall would end at it in silence."""
    said = Exp(tta="atss", max_detections=1000).notices()
    assert said == (
        "tta_detections=300 is less than max_detections=1000: so many of an image are kept",
    )
    assert Exp(tta="atss", max_detections=300).notices() == Exp(max_detections=1000).notices() == ()
