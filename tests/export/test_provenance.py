"""Exported files state origin and licences of the weights that they hold."""

import json
from dataclasses import asdict
from pathlib import Path

import onnx
import pytest

from otadet.cli import export
from otadet.engine.checkpoint import load_checkpoint
from otadet.errors import InputError
from otadet.export.metadata import read_metadata
from otadet.models import PUBLISHED
from tests.helpers import ROOT

NAME = "ota_nano_cells"


@pytest.mark.usefixtures("older_exporter")
def test_licences_go_with_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = str(ROOT / "docs/assets/cells.jpg")
    words = ["-n", NAME, "--format", "onnx", "--output", "cells.onnx", "--verify", image]
    assert export.main(words) == 0
    entries = {e.key: e.value for e in onnx.load("cells.onnx").metadata_props}
    about = read_metadata(entries, "cells.onnx")
    wanted = load_checkpoint(PUBLISHED[NAME].path).provenance
    assert wanted is not None and about["provenance"] == asdict(wanted)
    broken = {**entries, "provenance": json.dumps({**about["provenance"], "licence": 3})}
    with pytest.raises(InputError, match=r"provenance\.licence: expected text, got 3"):
        read_metadata(broken, "cells.onnx")
