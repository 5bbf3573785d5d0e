"""The console command ``otadet``."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from loguru import logger

import otadet
from otadet.cli import app, demo
from otadet.errors import InputError

ROOT = Path(__file__).parents[2]


def run(monkeypatch: pytest.MonkeyPatch, how: str, *words: str) -> int:
    """Exit code of ``python HOW words`` in this process; ``-m otadet`` for the module."""
    monkeypatch.setattr(sys, "argv", ["otadet", *words])
    # Leave the log as it is: the tests' own sinks are the process's.
    monkeypatch.setattr("otadet.cli.process.setup_logging", lambda: None)
    with pytest.raises(SystemExit) as end:
        if how == "-m otadet":
            runpy.run_module("otadet", run_name="__main__")
        else:
            runpy.run_path(str(ROOT / how), run_name="__main__")
    return int(end.value.code or 0)


def test_help_names_every_command_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"]):
        assert app.main(words) == 0
        text = capsys.readouterr().out
        assert all(f"\n  {name} " in text for name in app.COMMANDS)
        assert all(f"otadet {name} " in text for name in app.COMMANDS)
    assert app.main(["--version"]) == 0
    assert capsys.readouterr().out == f"otadet {otadet.__version__}\n"


def test_a_command_gets_the_rest_of_the_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["train", "-n", "quickstart", "--help-settings"]) == 0
    assert "max_epochs" in capsys.readouterr().out
    with pytest.raises(InputError, match="'trian'; did you mean 'train'"):
        app.main(["trian"])


def test_the_tool_and_the_command_have_the_same_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for how, words, prog in (
        ("tools/demo.py", ["--help"], "demo.py"),
        ("-m otadet", ["demo", "--help"], "otadet demo"),
    ):
        assert run(monkeypatch, how, *words) == 0
        assert capsys.readouterr().out == demo.parser(prog).format_help()


def test_a_command_has_its_tools_name_too(capsys: pytest.CaptureFixture[str]) -> None:
    for tool, name in (
        ("convert_weights", "convert"), ("convert-weights", "convert"),
        ("convert_dataset", "convert-data"), ("export_onnx", "export"), ("get_data", "get-data"),
        ("inspect_assignment", "inspect"),
    ):  # fmt: skip
        with pytest.raises(SystemExit) as end:
            app.main([tool, "--help"])
        assert end.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: otadet {name} ")


def test_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "-m otadet", "dmeo") == 2
    assert run(monkeypatch, "-m otadet", "--version") == 0
    assert run(monkeypatch, "tools/export.py", "--help") == 0
    assert run(monkeypatch, "tools/benchmark.py", "--repeats", "0") == 2
    assert "--format" in capsys.readouterr().out


def test_ctrl_c_while_a_command_is_imported_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def pressed(name: str) -> None:
        raise KeyboardInterrupt

    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    monkeypatch.setattr("otadet.cli.process.setup_logging", lambda: None)
    monkeypatch.setattr(app.importlib, "import_module", pressed)
    with pytest.raises(SystemExit) as end:
        app.run("train")
    logger.remove(sink)
    assert end.value.code == 130
    assert lines == ["stopped by Ctrl-C\n"]


def test_a_reader_that_ends_is_no_error() -> None:
    command = [sys.executable, "tools/train.py", "-n", "quickstart", "--help-settings"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
