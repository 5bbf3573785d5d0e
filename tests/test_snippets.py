"""The Python in the documents runs as it is written."""

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from otadet.data import ShapesDataset, write_image
from tests.export.networks import checkpoint

ROOT = Path(__file__).parents[1]


def fenced(page: str) -> list[str]:
    """The blocks of a page that say they are Python."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def indented(page: str) -> list[str]:
    """The indented blocks of a page that begin with an import."""
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", (ROOT / page).read_text(), re.MULTILINE)
    plain = [textwrap.dedent(block).strip() + "\n" for block in blocks]
    return [text for text in plain if text.startswith(("import ", "from "))]


def test_assignment() -> None:
    names: dict[str, Any] = {}
    for block in fenced("docs/assignment.md"):  # a reader goes on in the same interpreter
        exec(block, names)
    given, explained = names["assignment"].gt_index, names["report"].assignment.gt_index
    assert given.shape == names["preds"].boxes.shape[:2] and (given == explained).all()
    for row, target in zip(given, names["targets"]):
        assert len(target) and set(row[row >= 0].tolist()) <= set(range(len(target)))
    assert (given >= 0).any(dim=1).all()


def test_evaluation() -> None:
    (block,) = fenced("docs/evaluation.md")
    exec(block, names := {"__name__": "mine"})
    data = ShapesDataset(3)
    evaluator = names["Mine"]().build_evaluator(data)
    assert evaluator.names[0] == "AP" and evaluator.names[-1] == "count_error"
    assert evaluator.compute().metrics["count_error"] == 1.0
    assert evaluator.improves("count_error", 0.1, 0.2)


def test_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    detect, experiment = indented("README.md")
    checkpoint(tmp_path, score_threshold=0.01)
    (tmp_path / "photos").mkdir()
    for index in range(2):
        image = ShapesDataset(1, seed=index, size=(100, 120)).load(0).image
        write_image(tmp_path / f"photos/{index}.jpg", image)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(detect, names)
    assert names["drawn"].shape == (100, 120, 3)
    assert capsys.readouterr().out.count("tensor(") == 4  # boxes and scores of two pictures

    exec(experiment, names := {"__name__": "mine"})
    exp = names["Mine"]()
    assert exp.max_epochs == 50 and exp.build_assigner() == names["OTA"](match=names["Newton"]())
