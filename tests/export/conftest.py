"""Fixtures of the export tests."""

import pytest

from otadet.export import onnx_graph


@pytest.fixture
def older_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where onnxscript is not installed; it also takes a tenth of the time."""
    real = onnx_graph._installed
    monkeypatch.setattr(onnx_graph, "_installed", lambda p: p != "onnxscript" and real(p))
