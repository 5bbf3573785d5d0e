"""``--int8``: a second file in eight bits that is measured before it is kept."""

import json
from pathlib import Path

import onnx
import pytest
import torch

from otadet.cli import export
from otadet.data.image_file import write_image
from otadet.errors import InputError
from otadet.exp import load_exp
from otadet.export import OnnxDetector, ResizeRule, to_onnx
from otadet.export.compare import count_matches
from otadet.export.quantize import quantize
from otadet.types import Detections
from tests.export.networks import CLASSES, checkpoint, experiment, generated, network, options
from tests.helpers import SHARED, needs_shared

pytestmark = pytest.mark.usefixtures("older_exporter")


def folder_of(folder: Path, count: int) -> Path:
    """Generated images as files."""
    folder.mkdir()
    for index, batch in enumerate(generated(*[1] * count)):
        write_image(folder / f"{index}.png", batch.images[0].permute(1, 2, 0).numpy())
    return folder


def float_convolutions(file: onnx.ModelProto) -> set[str]:
    """Names of those whose weights are no whole numbers."""
    weights = {tensor.name for tensor in file.graph.initializer}
    return {
        node.name for node in file.graph.node if node.op_type == "Conv" and node.input[1] in weights
    }


def test_alike_counts_partners_of_both_sides() -> None:
    def found(*rows: tuple[float, float, int]) -> Detections:
        x = torch.tensor([r[0] for r in rows])
        boxes = torch.stack([x, x * 0, x + 10, x * 0 + 10], dim=1)
        return Detections(
            boxes, torch.tensor([r[1] for r in rows]), torch.tensor([r[2] for r in rows])
        )

    a = found((0, 0.9, 0), (50, 0.8, 1), (90, 0.1, 0))
    assert count_matches(a, found((1, 0.5, 0), (50, 0.7, 2))) == (
        2,
        4,
    )  # moved; another class; too low
    assert count_matches(a, a) == (4, 4)


def test_first_and_last_convolutions_decoding_and_nms_stay_in_float() -> None:
    exp = experiment()
    file = to_onnx(network(exp), exp.build_postprocess(), options(nms=True, dynamic="batch")).model
    before = file.SerializeToString()
    int8 = quantize(file, (b.images for b in generated(1, 1, 1)), uint8=False)
    assert file.SerializeToString() == before
    onnx.checker.check_model(int8.model, full_check=True)
    total = sum(node.op_type == "Conv" for node in file.graph.node)
    kept = float_convolutions(int8.model)
    assert int8.about["calibration_pictures"] == 3
    assert len(kept) == int8.about["convolutions_in_float"] < total / 2
    # three predictions on each of five levels, and the first of all
    producers = {out: node for node in int8.model.graph.node for out in node.output}
    after = [node for node in int8.model.graph.node if node.op_type in ("NonMaxSuppression", "Exp")]
    assert after and all(producers[n.input[0]].op_type != "DequantizeLinear" for n in after)
    assert len(kept) >= 16
    first = next(node for node in int8.model.graph.node if node.op_type == "Conv")
    assert first.name in kept


def test_depthwise_convolutions_stay_in_float() -> None:
    exp = load_exp(name="yolox_nano", overrides={"test_size": (64, 64)})
    torch.manual_seed(0)
    model, form = exp.build_model(3).eval(), options(resize=ResizeRule("letterbox", (64, 64)))
    file = to_onnx(model, exp.build_postprocess(), form).model
    int8 = quantize(file, (b.images for b in generated(1, size=(64, 64))), uint8=False)
    convolutions = [node for node in int8.model.graph.node if node.op_type == "Conv"]
    grouped = {
        node.name
        for node in convolutions
        if next(a.i for a in node.attribute if a.name == "group") > 1
    }
    kept = float_convolutions(int8.model)
    assert len(grouped) == 30 and grouped < kept
    assert len(kept) == int8.about["convolutions_in_float"] < len(convolutions) / 2


def test_the_file_describes_itself_and_is_smaller(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "pictures", 4)
    path, out = checkpoint(tmp_path, data_dir=str(tmp_path / "none")), tmp_path / "model.onnx"
    words = ["-c", str(path), "--output", str(out), "--int8", str(photos)]
    assert export.main([*words, "--int8-limit", "0.6"]) == 0
    small = tmp_path / "model.int8.onnx"
    assert small.stat().st_size < 0.6 * out.stat().st_size
    before, after = OnnxDetector.open(out), OnnxDetector.open(small)
    quantization = after.about.pop("quantization")
    assert after.about == before.about and after.class_names == CLASSES
    assert quantization["measure"] == "agreement" and quantization["pictures"] == 4
    assert 0.4 < quantization["int8"] < 1
    report = json.loads((tmp_path / "model.int8.onnx.report.json").read_text(encoding="utf-8"))
    assert report["limit"] == 0.6 and report["int8"] == quantization["int8"]


def test_a_file_that_loses_more_than_the_limit_is_not_kept(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "pictures", 2)
    path, out = checkpoint(tmp_path, data_dir=str(tmp_path / "none")), tmp_path / "model.onnx"
    words = ["-c", str(path), "--output", str(out), "--int8", str(photos), "--int8-limit", "0"]
    assert export.main(words) == 1
    assert {p.name for p in tmp_path.iterdir()} == {
        "best.pth", "pictures", "model.onnx", "model.onnx.report.json",
    }  # fmt: skip
    assert export.main([*words, "--force"]) == 0
    assert (tmp_path / "model.int8.onnx").is_file()


def test_wrong_input_is_one_clear_line_before_anything_is_written(tmp_path: Path) -> None:
    path, out = str(checkpoint(tmp_path)), str(tmp_path / "model.onnx")
    base = ["-c", path, "--output", out]
    photos = str(folder_of(tmp_path / "pictures", 1))
    cases = [
        (["--int8", "nowhere"], "--int8 nowhere: no such file"),
        (["--int8", photos, "--int8-limit", "2"], "expected 0 to 1, got 2"),
        (["--force"], "--force: expected with --int8"),
        (["--int8", photos, "data_dir=nowhere"], "nowhere"),
    ]
    for words, message in cases:
        with pytest.raises(InputError, match=message):
            export.main([*base, *words])
    with pytest.raises(InputError, match="--int8: expected with --format onnx only"):
        export.main([*base, "--int8", photos, "--format", "torchscript"])
    assert {p.name for p in tmp_path.iterdir()} == {"best.pth", "pictures"}


@needs_shared
@pytest.mark.slow
def test_published_weights_lose_little(tmp_path: Path) -> None:
    """YOLOX-nano on 128 images of COCO, calibrated on 64 others."""
    coco = SHARED / "data/coco256"
    names = [
        i["file_name"]
        for i in json.loads((coco / "annotations/train.json").read_text(encoding="utf-8"))["images"]
    ]
    (tmp_path / "calibration").mkdir()
    for name in names[:64]:
        (tmp_path / "calibration" / name).symlink_to(coco / "images" / name)
    weights = str(SHARED / "weights/yolox_nano_coco.pth")
    words = ["-n", "yolox_nano", "-c", weights, "--output", str(tmp_path / "nano.onnx")]
    data = [f"data_dir={coco}", "val_ann=annotations/val.json", "val_images=images"]
    assert export.main([*words, "--int8", str(tmp_path / "calibration"), *data]) == 0
    about = OnnxDetector.open(tmp_path / "nano.int8.onnx").about["quantization"]
    assert about["measure"] == "AP" and about["float32"] == pytest.approx(0.3384, abs=1e-3)
    assert about["int8"] > about["float32"] - 0.02
