"""Text files are opened with an encoding: that of the machine's locale must not matter."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def calls_without_encoding(source: str) -> Iterator[int]:
    """Yield the lines of calls that read or write text in the encoding of the locale."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(k.arg == "encoding" for k in node.keywords):
            continue
        function = node.func
        method = isinstance(function, ast.Attribute)
        name = function.attr if method else getattr(function, "id", "")
        if name in ("read_text", "write_text"):
            if len(node.args) <= (name == "write_text"):  # else it is given by position
                yield node.lineno
        elif name in ("open", "fdopen", "NamedTemporaryFile"):
            modes = [k.value for k in node.keywords if k.arg == "mode"]
            modes += node.args[:1] if method and name == "open" else node.args[1:2]
            if not modes and name == "open" and not method:
                modes = [ast.Constant("r")]
            text = [ast.literal_eval(m) for m in modes if isinstance(m, ast.Constant)]
            if any(set(mode) <= set("rwax+t") for mode in text if isinstance(mode, str)):
                yield node.lineno


@pytest.mark.parametrize("package", ["otadet", "otadet_methods"])
def test_text_files_have_an_encoding(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files
        for line in calls_without_encoding(path.read_text(encoding="utf-8"))
    ]
    assert not wrong, f'add encoding="utf-8": {", ".join(wrong)}'


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        ("path.read_text()", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text)", True),
        ("path.write_text(text, 'utf-8')", False),
        ("path.write_text(text, encoding='utf-8')", False),
        ("path.open('w')", True),
        ("path.open(mode='a')", True),
        ("path.open('rb')", False),
        ("open(path)", True),
        ("open(path, 'w')", True),
        ("open(path, 'wb')", False),
        ("Image.open(path)", False),
    ],
)
def test_the_rule_itself(call: str, wrong: bool) -> None:
    assert bool(list(calls_without_encoding(call))) == wrong
