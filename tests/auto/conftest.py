"""Small data sets on the disk, and no way to published weights."""

from pathlib import Path

import pytest

from otadet.data import ShapesDataset, write_coco
from otadet.models.pretrained import MIRROR


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty images of 96 x 128 px as a COCO data set without a split."""
    made = tmp_path_factory.mktemp("auto") / "shapes"
    shapes = ShapesDataset(40, size=(96, 128), object_size=(20, 60), classes=("circle", "square"))
    write_coco(shapes, made)
    return made


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither here nor in the web, which is a folder that holds none."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv(MIRROR, (tmp_path / "mirror").as_uri())
