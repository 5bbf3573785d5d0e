"""Every table of measured figures in README and docs is what the benchmarks' JSON files say."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"
FIGURES = re.compile(r"(?<![\w.`=])\d+\.\d+|\d %|\d%|\d ms\b")
TABLE = re.compile(r"(?m)^\|(.*)\|\n\|[-| :]+\|\n((?:\|.*\n)+)")

TYPED = {
    "auto.md": {"settings"},  # the rules' own constants
    "assignment.md": {"part", "", "assigner", "name"},  # what rules and codes do: constants
    "detecting.md": {"setting"},  # examples of settings
    "deploy.md": {"in float besides the predictions"},  # AP of int8: written by no benchmark
    "doctor.md": {"data"},  # of the command that the page names
    "scaling.md": {"", "what happens"},  # arithmetic of the page itself
    "yolox.md": {""},  # of the paper
    "inspect.md": {"on the page"},  # the limit of a contested point
    "report.md": {"kind"},  # IoU limits of TIDE
    "tta.md": {"shorter side", "`tta_scales=`"},  # settings
    "experiments.md": {"command"},  # written by make_experiments.py, held by tests/exp
    "design.md": {"word"},  # of the glossary
    "results.md": {"paper"},  # constants of papers' rules
    "coming_from.md": {"setting", "YOLOX"},  # values of settings
}
"""Tables with decimals that no JSON file holds, by page and first header cell, with the reason."""


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        module = importlib.import_module("make_tables")
    return module


def test_pages_are_what_the_script_writes(maker: ModuleType) -> None:
    used = set()
    for page in filter(Path.exists, maker.pages()):
        text = page.read_text(encoding="utf-8")
        assert text == maker.written(text), f"{page.name}: run python docs/make_tables.py"
        used |= {match[2] for match in maker.BLOCK.finditer(text)}
        assert text.count("<!-- table:") == len(maker.BLOCK.findall(text)), page.name
    assert used == set(maker.TABLES)


def test_no_figures_are_typed_by_hand(maker: ModuleType) -> None:
    for page in filter(Path.exists, maker.pages()):
        rest = maker.BLOCK.sub("", page.read_text(encoding="utf-8"))
        for match in TABLE.finditer(rest):
            first = match[1].split("|")[0].strip()
            if FIGURES.search(match[2]):
                assert first in TYPED.get(page.name, set()), (page.name, match[1])


def test_a_table_reads_the_file(maker: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed figure changes the page: the text is not a constant."""
    row = {"row": "bccd", "AP": 0.1234, "AP50": 0.9995, "AP_last": 0, "epochs": "7"}
    base = importlib.import_module("page_tables.base")
    found = base.results("finetune")
    found["tables"]["runs"][0] = {**row, "seconds": 1}
    monkeypatch.setattr(base, "results", lambda name: found)
    assert "| SimOTA, q = 5 | IoU | 7 | 0.123 | 1.000 | 1 |" in maker.TABLES["finetune"]()


def test_rounding(maker: ModuleType) -> None:
    """Halves of the printed decimal go up, as a reader who looks at the JSON expects."""
    base = importlib.import_module("page_tables.base")
    assert base.three(0.5295) == "0.530" and base.three(0.12349) == "0.123"
    assert base.percent(0.2835) == "28.4"
