"""``tools/export.py`` and the script of ``demo/onnxruntime`` that uses what it writes."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from PIL import Image

import otadet
from otadet.cli import export
from otadet.data import ShapesDataset, read_image
from otadet.data.image_file import decode_image, write_image
from otadet.engine.checkpoint import load_checkpoint
from otadet.engine.precision import choose_precision
from otadet.engine.predictor import Predictor
from otadet.errors import InputError
from otadet.evaluation import OperatingPoint
from otadet.export import OnnxExport, to_onnx
from tests.export.networks import CLASSES, SIZE, checkpoint, experiment
from tests.media.videos import video_facts, write_video

ROOT = Path(__file__).parents[2]


def images(folder: Path) -> Path:
    """A lying and an upright image, neither of the network's shape."""
    folder.mkdir()
    for index, size in enumerate(((150, 260), (220, 130))):
        image = ShapesDataset(1, seed=index, size=size).load(0).image
        write_image(folder / f"{index}.png", image)
    return folder


@pytest.mark.usefixtures("older_exporter")
def test_the_metadata_are_complete(tmp_path: Path) -> None:
    path, out = checkpoint(tmp_path), tmp_path / "model.onnx"
    words = ["-n", "quickstart", "-c", str(path), "--output", str(out), "--nms", "--uint8"]
    assert export.main([*words, "--dynamic", "batch", "score_threshold=0.1"]) == 0
    assert {p.name for p in tmp_path.iterdir()} == {
        "best.pth", "model.onnx", "model.onnx.report.json",
    }  # fmt: skip
    entries = {e.key: json.loads(e.value) for e in onnx.load(str(out)).metadata_props}
    assert entries["class_names"] == list(CLASSES) and "category_ids" not in entries
    assert entries["input"] == {
        "type": "uint8", "range": [0, 255], "color_order": "RGB", "layout": "NCHW",
        "size": list(SIZE), "dynamic": "batch", "multiple": 32,
    }  # fmt: skip
    assert entries["resize"]["rule"] == "letterbox" and entries["resize"]["padding"] == 114
    assert entries["thresholds"]["score"] == 0.1 and entries["score_rule"] == "geometric"
    assert entries["thresholds"]["default_score"] == 0.3  # the checkpoint holds none
    assert entries["point_labels"] == "all"
    assert entries["strides"] == [8, 16, 32, 64, 128] and entries["output"] == "detections"
    assert entries["settings"]["head_width"] == 32 and entries["experiment"] == "quickstart"
    report = json.loads((tmp_path / "model.onnx.report.json").read_text(encoding="utf-8"))
    assert report["passed"] and report["share_of_equal_detections"] == 1
    assert report["exporter"] == "torchscript"
    assert {t["batch"] for t in report["trials"]} == {1, 2}
    assert report["largest_box_difference"] < 0.05 and report["detections"]["equal"] > 0


@pytest.mark.usefixtures("older_exporter")
def test_a_file_that_differs_is_not_left_and_an_older_one_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = checkpoint(tmp_path), tmp_path / "model.onnx"
    words = ["-c", str(path), "--output", str(out)]

    def other_weights(model, postprocess, options) -> OnnxExport:
        made = to_onnx(model, postprocess, options)
        with torch.no_grad():
            model.head.reg_out.bias[0] += 0.5
        return made

    deep = tmp_path / "new/folder/model.onnx"
    assert export.main(["-c", str(path), "--output", str(deep)]) == 0  # made for it
    assert {p.name for p in deep.parent.iterdir()} == {"model.onnx", "model.onnx.report.json"}
    shutil.rmtree(tmp_path / "new")
    monkeypatch.setattr(export, "to_onnx", other_weights)
    assert export.main(words) == 1
    assert export.main(["-c", str(path), "--output", str(deep)]) == 1
    assert {p.name for p in tmp_path.iterdir()} == {"best.pth"}
    older = b"an older file, with otadet_export in its metadata"
    out.write_bytes(older)
    assert export.main(words) == 1
    assert out.read_bytes() == older and len(list(tmp_path.iterdir())) == 2


def test_wrong_input_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = str(checkpoint(tmp_path)), str(tmp_path / "model.onnx")
    (tmp_path / "empty").mkdir()
    cases = [
        (["-c", path, "--output", f"{path}/no/model.onnx"], r"--output .*best\.pth is a file"),
        (["-c", path, "--output", str(tmp_path)], "is a folder"),
        (["-c", path, "--output", out, "--opset", "17"], r"expected 18 to \d+, got 17"),
        (["-c", path, "--output", out, "--opset", "999"], r"expected 18 to \d+, got 999"),
        (["-c", path, "--output", out, "--verify", str(tmp_path / "empty")], "--verify .*no image"),
        (["-c", path, "--output", out, "--verify", "nowhere"], "--verify nowhere: no such file"),
        (["-c", str(ROOT / "README.md"), "--output", out], "not a checkpoint"),
        (["-c", path, "--output", out, "head_widt=3"], "did you mean 'head_width'"),
    ]
    for words, message in cases:
        with pytest.raises(InputError, match=message):
            export.main(words)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no weights are published for ota_fcos_r50.*-c.*train"):
        export.main(["-n", "ota_r50", "--output", out])
    monkeypatch.setattr("otadet.export.onnx_graph._installed", lambda package: False)
    with pytest.raises(InputError, match=r"onnxruntime is not installed; pip install 'otadet\[exp"):
        export.main(["-c", path, "--output", out])
    assert {p.name for p in tmp_path.iterdir()} == {"best.pth", "empty"}


def demo(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """The script, away from the checkout, so that it cannot find otadet by chance."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "demo/onnxruntime/detect.py"), *words],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.usefixtures("older_exporter")
def test_the_demo_takes_the_score_threshold_of_the_file(tmp_path: Path) -> None:
    """That of the checkpoint; ``--conf`` comes first, and files without one have 0.3."""
    folder = images(tmp_path / "in")
    path = checkpoint(tmp_path, operating_point=OperatingPoint(0.45, 0.9))
    out = tmp_path / "model.onnx"
    assert export.main(["-c", str(path), "--output", str(out)]) == 0
    everything = otadet.load(path, device="cpu", score=0.1, fused=False).predict(folder)

    def shown(score: float, *words: str) -> None:
        done = demo(tmp_path, "--model", "model.onnx", "--path", "in", "--output", "out", *words)
        assert done.returncode == 0 and f"score threshold {score:g}\n" in done.stdout, done.stderr
        rows = json.loads((tmp_path / "out/detections.json").read_text(encoding="utf-8"))
        assert len(rows) == sum(len(result.above(score)) for result in everything) > 0

    shown(0.45)
    shown(0.2, "--conf", "0.2")
    file = onnx.load(str(out))
    for entry in file.metadata_props:
        if entry.key == "thresholds":
            limits = json.loads(entry.value)
            assert limits.pop("default_score") == 0.45
            entry.value = json.dumps(limits)
    onnx.save_model(file, str(out))
    shown(0.3)


@pytest.mark.usefixtures("older_exporter")
@pytest.mark.parametrize(
    ("resize", "options", "labels"),
    [("letterbox", [], "all"), ("letterbox", ["--nms", "--uint8"], "best"),
     ("shortest", ["--dynamic", "hw"], "best"), ("shortest", ["--dynamic", "all", "--nms"], "all")],
)  # fmt: skip
def test_the_demo_equals_torch(
    tmp_path: Path, resize: str, options: list[str], labels: str
) -> None:
    settings = {"resize": resize, "point_labels": labels}
    ids = (90, 4, 7)
    path, folder = checkpoint(tmp_path, category_ids=ids, **settings), images(tmp_path / "in")
    out = tmp_path / "model.onnx"
    assert export.main(["-c", str(path), "--output", str(out), *options]) == 0
    done = demo(tmp_path, "--model", str(out), "--path", "in", "--output", "out", "--conf", "0.2")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out/detections.json").read_text(encoding="utf-8"))
    device, exp = torch.device("cpu"), experiment(**settings)
    precision = choose_precision(None, "cpu", auto=False)
    predictor = Predictor.from_checkpoint(load_checkpoint(path), exp, device, precision)
    for file in sorted(folder.iterdir()):
        expected = predictor(read_image(file)).above(0.2)
        mine = [row for row in rows if row["file"] == file.name]
        assert len(expected) > 5
        assert [r["class"] for r in mine] == [CLASSES[i] for i in expected.labels.tolist()]
        assert [r["category_id"] for r in mine] == [ids[i] for i in expected.labels.tolist()]
        assert np.allclose([r["box"] for r in mine], expected.boxes.numpy(), atol=0.05)
        assert np.allclose([r["score"] for r in mine], expected.scores.numpy(), atol=1e-4)
        drawn = cv2.imread(str(tmp_path / "out" / f"{file.stem}.jpg"))
        assert drawn.shape == cv2.imread(str(file)).shape


@pytest.mark.usefixtures("older_exporter")
def test_the_demo_takes_a_video(tmp_path: Path) -> None:
    out, conf = tmp_path / "model.onnx", ["--conf", "0.2"]
    assert export.main(["-c", str(checkpoint(tmp_path)), "--output", str(out)]) == 0
    write_video(tmp_path / "in.mp4", frames=5, size=(90, 130), rate=12.5)
    words = ["--model", str(out), "--output", "out", *conf]
    done = demo(tmp_path, *words, "--path", "in.mp4")
    assert done.returncode == 0, done.stderr
    assert "5 frames, " in done.stdout and "frames a second" in done.stdout
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"in.mp4", "detections.json"}
    assert video_facts(tmp_path / "out/in.mp4") == (5, (90, 130), 12.5)
    rows = json.loads((tmp_path / "out/detections.json").read_text(encoding="utf-8"))
    assert {row["frame"] for row in rows} == set(range(5))
    (tmp_path / "text.mp4").write_text("hello", encoding="utf-8")
    done = demo(tmp_path, *words[:2], "--path", "text.mp4", "--output", "none")
    assert done.returncode == 2 and "not a video" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and not (tmp_path / "none").exists()


@pytest.mark.usefixtures("older_exporter")
def test_the_demo_reads_files_that_do_not_name_their_point_labels(tmp_path: Path) -> None:
    path, out = checkpoint(tmp_path), tmp_path / "model.onnx"
    assert export.main(["-c", str(path), "--output", str(out)]) == 0
    images(tmp_path / "in")
    older = onnx.load(str(out))
    kept = [entry for entry in older.metadata_props if entry.key != "point_labels"]
    assert len(kept) == len(older.metadata_props) - 1
    del older.metadata_props[:]
    older.metadata_props.extend(kept)
    onnx.save(older, str(tmp_path / "older.onnx"))
    found = []
    for name in ("model", "older"):
        done = demo(tmp_path, "--model", f"{name}.onnx", "--path", "in", "--output", name)
        assert done.returncode == 0, done.stderr
        found.append(json.loads((tmp_path / name / "detections.json").read_text(encoding="utf-8")))
    assert found[0] == found[1] and len(found[0]) > 5
    assert not any("category_id" in row for row in found[0])  # the checkpoint holds none


def test_the_demo_reads_images_as_otadet_does(tmp_path: Path) -> None:
    read = runpy.run_path(str(ROOT / "demo/onnxruntime/detect.py"))["read"]
    page = np.random.default_rng(0).integers(0, 4096, (20, 30, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), page)  # 12 of 16 bits in use
    lying = Image.fromarray((page >> 4).astype(np.uint8))
    exif = lying.getexif()
    exif[274] = 6
    lying.save(tmp_path / "phone.jpg", exif=exif)
    for name, size in (("deep.png", (20, 30)), ("phone.jpg", (30, 20))):
        ours = decode_image((tmp_path / name).read_bytes(), name)
        assert ours.shape[:2] == size
        np.testing.assert_array_equal(read(tmp_path / name)[..., ::-1], ours)


def test_the_demo_takes_boxes_of_any_size() -> None:
    script = runpy.run_path(str(ROOT / "demo/onnxruntime/detect.py"))
    boxes = np.array([[-3e38, -3e38, 3e38, 3e38], [0, 0, 9, 9], [0, 0, 9, 8]], np.float32)
    found = script["Found"](boxes, np.array([0.5, 0.9, 0.8]), np.zeros(3, int))
    assert script["nms"](found, 0.5).tolist() == [1, 0]  # a warning would be an error here


def test_the_demo_imports_nothing_of_otadet() -> None:
    text = (ROOT / "demo/onnxruntime/detect.py").read_text(encoding="utf-8")
    imports = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert imports and not any("otadet" in line or "torch" in line for line in imports)


def test_the_demo_refuses_other_files_in_one_line(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [value], [other])
    opset = onnx.helper.make_opsetid("", 18)
    foreign = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    onnx.save(foreign, str(tmp_path / "foreign.onnx"))
    (tmp_path / "text.onnx").write_text("hello", encoding="utf-8")
    newer = onnx.ModelProto()
    newer.CopyFrom(foreign)
    newer.metadata_props.add(key="otadet_export", value="99")
    newer.metadata_props.add(key="otadet_version", value='"9.0"')
    onnx.save(newer, str(tmp_path / "newer.onnx"))
    for name, message in (
        ("foreign.onnx", "otadet did not write"),
        ("text.onnx", "not an ONNX file"),
        ("nothing.onnx", "no such file"),
        ("newer.onnx", "written by otadet '9.0'"),
    ):
        done = demo(tmp_path, "--model", name, "--path", ".")
        assert done.returncode == 2 and message in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr
