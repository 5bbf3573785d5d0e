"""The Python in the documents runs as written, and their commands are ones that exist."""

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otadet.cli import train
from otadet.cli.app import _TOOLS, COMMANDS
from otadet.cli.parsers.train import parser
from otadet.data import ShapesDataset, write_image
from otadet.exp import load_exp
from tests.export.networks import checkpoint

ROOT = Path(__file__).parents[1]
PAGES = sorted([
    *(p for p in ROOT.glob("*.md") if p.name != "CHANGELOG.md"), *(ROOT / "docs").glob("*.md"),
    *(ROOT / "demo").glob("*/README.md"), ROOT / "datasets/README.md",
])  # fmt: skip
GIVEN = {"NAME", "NAME SETTINGS", "EXPERIMENT", "my/data", "DATA", "..."}
"""Words of a command that stand for the reader's own."""


def fenced(page: Path, language: str) -> list[str]:
    """The blocks of a page in a language, with their indentation removed."""
    found = re.findall(
        rf"(?m)^( *)```{language}\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL
    )
    return [re.sub(rf"(?m)^{indent}", "", block) for indent, block in found]


def commands() -> Iterator[tuple[str, str]]:
    """Page and command line of every bash block, continued lines joined, comments left out."""
    for page in PAGES:
        for block in fenced(page, "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip() and not line.lstrip().startswith("#"):
                    yield page.relative_to(ROOT).as_posix(), line.strip()


def words_of(line: str) -> list[str]:
    """The command alone: no comment, no variables before it, no second command, no launcher."""
    line = re.sub(r"\$\(.*?\)", "", line)
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    if words and words[0] in ("srun", "exec"):
        words.pop(0)
    if words and words[0] == "torchrun":
        words = ["python", *words[next(i for i, w in enumerate(words) if w.endswith(".py")) :]]
    return [w for w in words if w not in ("...", "OPTIONS", "SETTINGS")]


@pytest.mark.parametrize(("page", "line"), [pytest.param(*c, id=": ".join(c)) for c in commands()])
def test_command(page: str, line: str) -> None:
    first, *rest = words_of(line)
    if first == "otadet":
        name = _TOOLS.get(rest[0], rest[0])
        check_tool(COMMANDS[name][0], rest[1:])
    elif first in ("python", "python3") and rest[0].startswith("tools/"):
        module = re.search(r'run\("(\w+)"\)', (ROOT / rest[0]).read_text(encoding="utf-8"))
        assert module is not None, line
        check_tool(module[1], rest[1:])
    elif first in ("python", "python3") and rest[0].endswith(".py"):
        at = ROOT if "/" in rest[0] else ROOT / Path(page).parent
        script = (at / rest[0]).read_text(encoding="utf-8")
        assert all(f'"{word}"' in script for word in rest if word.startswith("--")), line
    elif first == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        target = next(word for word in rest if "=" not in word)
        assert re.search(rf"(?m)^{target}:", makefile), line
    else:
        assert first in ("git", "pip", "python3", ".", "cd", "build/cpp/detect", "pre-commit"), line


def check_tool(module: str, words: list[str]) -> None:
    """The options exist, the experiment is there and has the settings."""
    parser = importlib.import_module(f"otadet.cli.parsers.{module}").parser()
    if module == "get_data":
        assert parser.parse_args([w.replace("NAME", "voc2007") for w in words])
        return
    args = parser.parse_intermixed_args(words)
    settings = [w for w in getattr(args, "overrides", []) if "=" in w]
    file, name = getattr(args, "exp_file", None), getattr(args, "name", None)
    if file and not (ROOT / file).exists():
        return
    if not file and name in (None, *GIVEN):
        name = (
            "yolox_s" if {"mosaic", "assigner"} & {w.split("=")[0] for w in settings} else "ota_r18"
        )
    exp = type(load_exp(str(ROOT / file)) if file else load_exp(name=name))
    exp(**exp.parse(settings))


def test_assignment() -> None:
    names: dict[str, Any] = {}
    for block in fenced(ROOT / "docs/assignment.md", "python"):  # one interpreter, as a reader has
        exec(block, names)
    given, explained = names["assignment"].gt_index, names["report"].assignment.gt_index
    assert given.shape == names["preds"].boxes.shape[:2] and (given == explained).all()
    for row, target in zip(given, names["targets"]):
        assert len(target) and set(row[row >= 0].tolist()) <= set(range(len(target)))
    assert (given >= 0).any(dim=1).all()


def test_detecting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    _, readme = fenced(ROOT / "README.md", "python")
    (detecting,) = fenced(ROOT / "docs/detecting.md", "python")
    checkpoint(tmp_path, score_threshold=0.01)
    (tmp_path / "photos").mkdir()
    for index in range(2):
        image = ShapesDataset(1, seed=index, size=(100, 120)).load(0).image
        write_image(tmp_path / f"photos/{index}.jpg", image)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(readme, names)
    assert names["drawn"].shape == (100, 120, 3)
    assert capsys.readouterr().out.count("tensor(") == 4  # boxes and scores of two images
    exec(detecting, names)
    assert capsys.readouterr().out.count("tensor(") == 4


def test_the_first_minute(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """In the repository, as its reader has it; the demo's lines are held by test_tables."""
    first, _ = fenced(ROOT / "README.md", "python")
    monkeypatch.chdir(ROOT)
    exec(first, {})
    assert re.match(r"Result\(\d+ RBC, .* 640 x 480 px, ", capsys.readouterr().out)


def test_experiment() -> None:
    (experiment,) = fenced(ROOT / "docs/training.md", "python")
    exec(experiment, names := {"__name__": "mine"})
    exp = names["Mine"]()
    assert exp.max_epochs == 50 and exp.build_assigner() == names["OTA"](match=names["Newton"]())


def test_metric() -> None:
    (metric,) = fenced(ROOT / "docs/evaluation.md", "python")
    exec(metric, names := {"__name__": "mine"})
    exp = names["Mine"](shapes_val=2)
    evaluator = exp.build_evaluator(exp.build_val_data())
    assert {"AP", "count_error"} <= set(evaluator.names)


def test_contributing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of one's own train through the command, and no example is longer than it says."""
    blocks = fenced(ROOT / "CONTRIBUTING.md", "python")
    (tmp_path / "mine.py").write_text(
        '"""An experiment."""\n\n' + "\n\n".join(blocks), encoding="utf-8"
    )
    (tmp_path / "photos").mkdir()
    rows = []
    for index in range(4):
        sample = ShapesDataset(1, seed=index, size=(96, 128)).load(0)
        write_image(tmp_path / f"photos/{index}.png", sample.image)
        rows += [f"{index}.png {x1} {y1} {x2} {y2} thing" for x1, y1, x2, y2 in sample.boxes]
    (tmp_path / "boxes.txt").write_text("\n".join(rows), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = ["-f", "mine.py", "-d", "cpu", "-b", "2", "--fp32", "-o", "run", "max_iters=2"]
    small = ["input_size=64,96", "test_size=64,96", "workers=0", "fpn_channels=32", "head_width=32"]
    assert train.run(parser().parse([*words, *small])) == 0
    lines = [
        json.loads(x)
        for x in (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    scores = [line["count_error"] for line in lines if line["kind"] == "val"]
    assert scores and all(score >= 0 for score in scores)
    assert (tmp_path / "run/best.pth").exists()


def test_every_python_block_is_run() -> None:
    """A page with Python that no test runs is named here; docs/report.md's is in run_report."""
    run = {"README.md", "docs/assignment.md", "docs/detecting.md", "docs/training.md",
           "docs/evaluation.md", "docs/report.md", "CONTRIBUTING.md"}  # fmt: skip
    found = {p.relative_to(ROOT).as_posix() for p in PAGES if fenced(p, "python")}
    assert found == run


def test_settings_of_coming_from_exist() -> None:
    """Each setting that stands for one of YOLOX's is one."""
    text = (ROOT / "docs/coming_from.md").read_text(encoding="utf-8")
    table = text.partition("## YOLOX: settings")[2].partition("## ")[0]
    known = type(load_exp(name="yolox_s")).hints()
    rows = [row.split("|")[2] for row in table.splitlines() if row.startswith("| `")]
    words = {word for row in rows for word in re.findall(r"`(\w+)(?: = [^`]*)?`", row)}
    assert len(words) > 15 and words - {"None"} <= known.keys()


def test_local_links() -> None:
    """Files and headings that the pages link to exist."""
    for page in [*PAGES, ROOT / "CHANGELOG.md"]:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.exists(), (page.name, target)
            if anchor:
                assert anchor in anchors(file), (page.name, target)


def test_files_that_are_named_exist() -> None:
    """A page's `engine/step.py` is in the package, its `docs/conf.py` in the repository."""
    for page in PAGES:
        for name in re.findall(
            r"`([a-z_]+/[\w/]+\.(?:py|json|md))`", page.read_text(encoding="utf-8")
        ):
            if not name.startswith(("runs/", "annotations/")):
                assert (ROOT / name).exists() or (ROOT / "otadet" / name).exists(), (page, name)


def anchors(page: Path) -> set[str]:
    """GitHub's names of a page's headings."""
    heads = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}
