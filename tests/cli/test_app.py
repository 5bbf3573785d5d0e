"""The console command ``otadet``."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import otadet
from otadet.cli import app, demo
from otadet.errors import InputError

ROOT = Path(__file__).parents[2]


def run(monkeypatch: pytest.MonkeyPatch, how: str, *words: str) -> int:
    """Exit code of ``python HOW words`` in this process; ``-m otadet`` for the module."""
    monkeypatch.setattr(sys, "argv", ["otadet", *words])
    # Leave the log as it is: the tests' own sinks are the process's.
    monkeypatch.setattr("otadet.cli.common.setup_logging", lambda: None)
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
    texts = []
    for how, words in (("tools/demo.py", ["--help"]), ("-m otadet", ["demo", "--help"])):
        assert run(monkeypatch, how, *words) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] == demo.parser().format_help()


def test_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "-m otadet", "dmeo") == 2
    assert run(monkeypatch, "-m otadet", "--version") == 0
    assert run(monkeypatch, "tools/export.py", "--help") == 0
    assert run(monkeypatch, "tools/benchmark.py", "--repeats", "0") == 2
    assert "--format" in capsys.readouterr().out


def test_ctrl_c_while_a_command_is_imported_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app.importlib, "import_module", pressed)
    with pytest.raises(SystemExit) as end:
        app.run("train")
    assert end.value.code == 130
    assert capsys.readouterr().err == "stopped by Ctrl-C\n"


def test_a_reader_that_ends_is_no_error() -> None:
    command = [sys.executable, "tools/train.py", "-n", "quickstart", "--help-settings"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
