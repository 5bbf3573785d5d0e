"""``import otadet`` and detection in two lines."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import torch

import otadet
from otadet.data import ShapesDataset, read_image, write_image
from otadet.errors import InputError
from otadet.types import Detections
from tests.export.networks import CLASSES, checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api")
    checkpoint(path)
    (path / "in").mkdir()
    for index, size in enumerate(((150, 260), (220, 130), (1, 1))):
        shapes = ShapesDataset(1, seed=index, size=(max(size[0], 64), max(size[1], 64)),
                               object_size=(10.0, 60.0))  # fmt: skip
        write_image(path / f"in/{index}.png", shapes.load(0).image[: size[0], : size[1]])
    return path


@pytest.fixture(scope="module")
def detector(folder: Path) -> otadet.ObjectDetector:
    return otadet.load(folder / "best.pth", device="cpu", score=0.2)


def close(a: otadet.Result, b: otadet.Result) -> bool:
    return (
        a.names == b.names
        and torch.allclose(a.boxes, b.boxes, atol=0.05)
        and torch.allclose(a.scores, b.scores, atol=1e-4)
    )


def test_the_package_is_cheap_to_import_and_its_names_are_there() -> None:
    text = "import sys, otadet; assert not {'torch', 'cv2', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", text], check=True, cwd=Path(otadet.__file__).parents[1])
    assert all(getattr(otadet, name) is not None for name in otadet.__all__)
    with pytest.raises(AttributeError, match="'otadet' has no attribute 'lod'"):
        _ = otadet.lod


def test_every_kind_of_source_gives_the_same(folder: Path, detector: otadet.ObjectDetector) -> None:
    results = detector.predict(folder / "in")
    paths = [folder / f"in/{i}.png" for i in range(3)]
    assert [r.source for r in results] == [str(p) for p in paths]
    assert len(results[0]) > 5 and results[0].image.shape == (150, 260, 3)
    assert all(0 <= v <= 260 for v in results[0].boxes[:, 0::2].flatten().tolist())
    assert set(results[0].names) <= set(CLASSES) and float(results[0].scores.min()) >= 0.2
    images = [read_image(p) for p in paths]
    for given in (images, [str(p) for p in paths], f"{folder}/in/*.png", iter([*images])):
        source = given if not hasattr(given, "__next__") else list(given)
        assert all(close(a, b) for a, b in zip(detector.predict(source), results))
    single = detector(images[0])
    assert close(single, results[0]) and single.source is None
    with pytest.raises(InputError, match="expected one image, got 3"):
        detector(folder / "in")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_an_image_of_pillow_is_turned_as_its_file_is(
    folder: Path, detector: otadet.ObjectDetector, tmp_path: Path, kind: str, orientation: int
) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind.lower()}"
    PIL.Image.open(folder / "in/0.png").save(path, kind, exif=exif)
    by_path = detector(path)
    with PIL.Image.open(path) as image:
        by_image = detector(image)
        upright = PIL.ImageOps.exif_transpose(image)
    assert by_image.image.shape == by_path.image.shape == (upright.height, upright.width, 3)
    if kind == "JPEG":  # decoded by another library
        assert np.abs(by_image.image.astype(int) - by_path.image).max() <= 4
    else:
        assert len(by_path) > 5 and close(by_image, by_path)
        assert (by_image.image == np.asarray(upright)).all()


def test_an_array_is_taken_as_it_is(folder: Path, detector: otadet.ObjectDetector) -> None:
    image = np.asarray(PIL.Image.open(folder / "in/0.png"))
    assert (detector(np.rot90(image)).image == np.rot90(image)).all()


def test_batches_and_fusion_change_nothing(folder: Path, detector: otadet.ObjectDetector) -> None:
    plain = otadet.load(folder / "best.pth", device="cpu", score=0.2, batch_size=1, fused=False)
    norms = [m for m in plain.predictor.model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and not any(
        isinstance(m, torch.nn.BatchNorm2d) for m in detector.predictor.model.modules()
    )
    for a, b in zip(plain.predict(folder / "in"), detector.predict(folder / "in"), strict=True):
        assert close(a, b)


def test_options_reach_the_network(folder: Path) -> None:
    path, image = folder / "best.pth", folder / "in/0.png"
    all_of = {"device": "cpu", "score": 0.2, "max_detections": 900}
    few = otadet.load(path, nms_threshold=0.1, **all_of)(image)
    many = otadet.load(path, nms_threshold=0.9, **all_of)(image)
    assert len(few) < len(many)
    small = otadet.load(path, device="cpu", test_size=(64, 64))
    assert small.predictor.prepare([many.image]).images.shape[2:] == (64, 64)
    low = otadet.load(path, device="cpu", score=0.01, max_detections=1000)(image)
    assert float(low.scores.min()) < 0.05  # the checkpoint's own threshold
    soft = otadet.load(path, device="cpu", score=0.2, nms_kind="gaussian")(image)
    assert soft.scores[0] == pytest.approx(float(many.scores[0]), abs=1e-5)
    half = otadet.load(path, device="cpu", precision="bf16", score=0.2)(image)
    assert len(half) > 0 and half.boxes.dtype == torch.float32


def test_plot_draws_on_a_copy(detector: otadet.ObjectDetector, folder: Path) -> None:
    result = detector(folder / "in/0.png")
    before = result.image.copy()
    drawn = result.plot()
    assert drawn.shape == before.shape and (drawn != before).any()
    assert (result.image == before).all()


def test_a_result_reads_well(detector: otadet.ObjectDetector, folder: Path) -> None:
    result = detector(folder / "in/0.png")
    assert repr(result).endswith(f"260 x 150 px, source='{folder}/in/0.png')")
    assert f"{result.names.count(result.names[0])} {result.names[0]}" in repr(result)
    assert "nothing, " in repr(result.above(1.1))
    assert set(otadet.__all__) <= set(dir(otadet))


def test_wrong_input_is_one_clear_line(folder: Path, detector: otadet.ObjectDetector) -> None:
    path = folder / "best.pth"
    for options, message in (
        ({"device": "gpu"}, "device: expected cpu, cuda"),
        ({"device": "cpu", "precision": "fp16"}, "needs a GPU"),
        ({"device": "cpu", "precision": "int8"}, "expected fp32, fp16 or bf16, got 'int8'"),
        ({"score": 2.0}, "score: expected 0 to 1, got 2"),
        ({"device": "cuda:99"}, "device cuda:99: this machine has"),
        ({"batch_size": 0}, "batch_size: expected at least 1"),
        ({"nms_treshold": 0.5}, "did you mean 'nms_threshold'"),
        ({"test_size": "big"}, "test_size: expected 2 values"),
    ):
        with pytest.raises(InputError, match=message):
            otadet.load(path, **{"device": "cpu", **options})
    with pytest.raises(InputError, match=r"nothing\.pth"):
        otadet.load(folder / "nothing.pth")
    for image in (np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(InputError, match=r"expected an array \[H, W, 3\] uint8 RGB, got \["):
            detector(image)
    for thing in (3, None, [3]):
        with pytest.raises(InputError, match=r"image: expected an array .* got (int|NoneType)"):
            detector.predict(thing)
    with pytest.raises(InputError, match="is a folder; name a file in it"):
        otadet.load(folder)
    with pytest.raises(InputError, match="no such file or folder"):
        detector.predict("nowhere")
    assert detector.predict([]) == []


def test_supervision_there_and_back(detector: otadet.ObjectDetector, folder: Path) -> None:
    sv = pytest.importorskip("supervision", reason="the package supervision is not installed")
    result = detector(folder / "in/0.png")
    theirs = result.to_supervision()
    assert isinstance(theirs, sv.Detections) and len(theirs) == len(result)
    assert theirs.data["class_name"].tolist() == result.names
    back = otadet.from_supervision(theirs[::-1])
    assert torch.equal(back.boxes, result.boxes) and torch.equal(back.labels, result.labels)
    empty = result.above(1.1).to_supervision()
    assert len(empty) == 0 and len(otadet.from_supervision(empty)) == 0


def test_supervisions_form_without_the_package(
    detector: otadet.ObjectDetector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(InputError, match="supervision is not installed; pip install"):
        detector(folder / "in/0.png").to_supervision()

    class Theirs:
        xyxy = np.array([[0, 0, 5, 5], [1, 1, 2, 2]])
        confidence = np.array([0.1, 0.9])
        class_id: np.ndarray | None = np.array([3, 1])

    found: Detections = otadet.from_supervision(Theirs)
    assert found.scores.tolist() == pytest.approx([0.9, 0.1]) and found.labels.tolist() == [1, 3]
    Theirs.class_id = None
    with pytest.raises(InputError, match="expected class_id"):
        otadet.from_supervision(Theirs)


@pytest.mark.parametrize(
    "settings", [{"amodal": True}, {"data_format": "odgt"}, {"train_ann": "annotation_train.odgt"}]
)
def test_boxes_of_whole_objects_leave_the_image(
    folder: Path, detector: otadet.ObjectDetector, settings: dict[str, object]
) -> None:
    whole = otadet.load(folder / "best.pth", device="cpu", score=0.2, **settings)
    (cut,), (result,) = (each.predict(folder / "in/0.png") for each in (detector, whole))
    border = torch.tensor([260.0, 150.0, 260.0, 150.0])
    over = ((result.boxes < 0) | (result.boxes > border)).any(dim=1)
    assert over.any()
    assert not ((cut.boxes < 0) | (cut.boxes > border)).any()
    assert result.plot().shape == (150, 260, 3)
    (seen,) = otadet.load(
        folder / "best.pth", device="cpu", score=0.2, **settings, odgt_box="vbox"
    ).predict(folder / "in/0.png")
    assert ((seen.boxes < 0) | (seen.boxes > border)).any() == ("amodal" in settings)
