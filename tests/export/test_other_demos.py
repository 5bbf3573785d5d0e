"""The page of ``demo/web`` and the program of ``demo/cpp`` find what ``demo/onnxruntime`` finds.

Both need what ``make web`` and ``make cpp`` put beside the code, the page also Chromium.
"""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from otadet.cli import export
from tests.helpers import SHARED, needs_shared

ROOT = Path(__file__).parents[2]
WEB = ROOT / "demo/web"
PROGRAM = Path(os.environ.get("OTADET_CPP_DEMO", ROOT / "build/cpp/detect"))
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PHOTO = SHARED / "photos/dog.jpg"

needs_web = pytest.mark.skipif(
    not (WEB / "ort").is_dir() or not shutil.which("node") or not CHROMIUM,
    reason="needs `make web`, node and chromium",
)
needs_program = pytest.mark.skipif(not PROGRAM.is_file(), reason="needs `make cpp`")
pytestmark = [pytest.mark.slow, needs_shared]


FORMS = {
    "points": [], "nms-uint8": ["--nms", "--uint8"],
    "tiles": ["tile=288", "tile_overlap=64", "tile_whole=true"],
}  # fmt: skip


@pytest.fixture(scope="module", params=FORMS.values(), ids=FORMS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """YOLOX-nano with published weights as an ONNX file."""
    out = tmp_path_factory.mktemp("model") / "nano.onnx"
    weights = str(SHARED / "weights/yolox_nano_coco.pth")
    words = ["-n", "yolox_nano", "-c", weights, "--output", str(out), *request.param]
    assert export.main(words) == 0
    return out


def called(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=300, check=False
    )


def in_python(model: Path, folder: Path) -> list[dict[str, object]]:
    words = [ROOT / "demo/onnxruntime/detect.py", "--model", model, "--path", PHOTO]
    done = called(sys.executable, *words, "--output", folder)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "detections.json").read_text(encoding="utf-8"))


def assert_same(found: list[dict], expected: list[dict], pixels: float, score: float) -> None:
    assert len(expected) >= 3
    for key in ("class", "category_id"):
        assert [r[key] for r in found] == [r[key] for r in expected]
    assert np.allclose([r["box"] for r in found], [r["box"] for r in expected], rtol=0, atol=pixels)
    pairs = [[r["score"] for r in rows] for rows in (found, expected)]
    assert np.allclose(*pairs, rtol=0, atol=score)


@pytest.fixture
def address() -> Iterator[str]:
    """The folder of the page, served on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(WEB))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@needs_web
def test_the_page(model: Path, address: str, tmp_path: Path) -> None:
    """Its own resize: OpenCV's and its arithmetic are a grey value apart in few pixels."""
    done = called("node", WEB / "test.mjs", address, model, PHOTO, tmp_path, CHROMIUM)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "detections.json").read_text(encoding="utf-8"))
    assert_same(found, in_python(model, tmp_path / "python"), pixels=1, score=1e-3)
    assert (
        (tmp_path / "error.txt")
        .read_text(encoding="utf-8")
        .startswith("other.onnx: not an ONNX file")
    )
    about = (tmp_path / "about.txt").read_text(encoding="utf-8")
    assert about.startswith("nano.onnx: yolox_nano, 80 classes, 416 x 416 px, ")
    assert (
        int((tmp_path / "ticks.txt").read_text(encoding="utf-8")) > 2
    )  # the page is alive while it detects


@needs_program
def test_the_program(model: Path, tmp_path: Path) -> None:
    done = called(PROGRAM, model, PHOTO, "--output", tmp_path / "cpp")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "cpp/detections.json").read_text(encoding="utf-8"))
    assert_same(found, in_python(model, tmp_path / "python"), pixels=0.01, score=1e-5)


@needs_program
def test_the_program_refuses_wrong_input_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("hello", encoding="utf-8")
    foreign = SHARED / "weights/yolox_nano.onnx"
    for words, message in (
        ((), "usage: detect"),
        ((tmp_path / "none.onnx", PHOTO), "none.onnx: no such file"),
        ((tmp_path / "text.onnx", PHOTO), "text.onnx: not an ONNX file"),
        ((foreign, PHOTO), "otadet did not write"),
    ):
        done = called(PROGRAM, *words)
        assert done.returncode == 2 and message in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
