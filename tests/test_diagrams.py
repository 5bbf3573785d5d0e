"""The diagrams of docs/design.md are what their script draws, and the layers those of the code."""

import importlib.util
from pathlib import Path
from xml.etree import ElementTree

from tests.test_layers import LAYERS

DOCS = Path(__file__).parents[1] / "docs"
SPEC = importlib.util.spec_from_file_location("make_diagrams", DOCS / "make_diagrams.py")
assert SPEC and SPEC.loader
diagrams = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(diagrams)


def test_files_are_what_the_script_draws() -> None:
    for name, draw in diagrams.DRAWINGS.items():
        text = (DOCS / "assets" / name).read_text(encoding="utf-8")
        assert text == draw(), f"{name}: run python docs/make_diagrams.py"
        assert ElementTree.fromstring(text).get("aria-label")


def test_layers_are_those_of_the_code() -> None:
    top = len(diagrams.LAYERS) - 1
    drawn = {
        name: top - i
        for i, (names, _) in enumerate(diagrams.LAYERS)
        for name in names.split(" · ")
        if name not in ("__main__", "...")
    }
    above = {name: layer for name, layer in LAYERS.items() if 0 < layer <= top}
    assert {name: layer for name, layer in drawn.items() if layer > 0} == above
    assert all(LAYERS[name] == 0 for name, layer in drawn.items() if layer == 0)
