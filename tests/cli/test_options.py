"""The commands' options are a promise: changing one changes this list."""

import argparse
import importlib
from argparse import ArgumentTypeError

import pytest

from otadet.cli import train as train_command
from otadet.cli.app import COMMANDS, help_text
from otadet.cli.parsers import (
    benchmark,
    compare,
    convert_dataset,
    convert_weights,
    demo,
    doctor,
    eval,
    export,
    get_data,
    inspect,
    replay,
    report,
    train,
)
from otadet.cli.parsers.demo import parser as demo_parser

SHARED = {"-h", "--help", "-f", "--exp-file", "-n", "--name", "--help-settings"}
DEVICE = {"-d", "--device", "-b", "--batch-size", "-o", "--output", "--fp16", "--bf16", "--fp32"}
TEST_TIME = {"--size", "--nms", "--nms-kind"}


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


def test_train() -> None:
    assert options(train.parser()) == (SHARED | DEVICE | {
        "--devices", "--resume", "--num-machines", "--machine-rank", "--dist-url",
        "--compile", "--minutes", "--seed", "--deterministic", "-c", "--checkpoint",
        "--list-layers",
        "--log", "--profile", "--keep-checkpoints", "--hang-timeout", "--max-restarts",
    }) - {"--device"}  # fmt: skip


def test_eval() -> None:
    assert options(eval.parser()) == SHARED | DEVICE | {
        "-c", "--checkpoint", "--fuse", "--onnx", "--plots", "--errors", "--save-detections",
        "--csv-guard", "--no-csv-guard",
    }  # fmt: skip


def test_compare() -> None:
    assert options(compare.parser()) == (SHARED | DEVICE | {
        "--methods", "--exps", "--runs", "--seeds", "--budget", "--data", "-c",
        "--checkpoint", "--devices", "--resamples", "--unequal",
    }) - {"--device"}  # fmt: skip


def test_a_budget_is_of_steps_or_minutes() -> None:
    assert compare.Budget.parse("2000") == (2000, None)
    assert compare.Budget.parse("1.5min") == (None, 1.5)
    for text in ("0", "-3", "2.5", "min", "nanmin", "infmin", "30 minutes", ""):
        with pytest.raises(ArgumentTypeError, match="expected steps"):
            compare.Budget.parse(text)


def test_doctor() -> None:
    assert options(doctor.parser()) == SHARED | {"--quick", "--workers", "--json", "--page"}


def test_demo() -> None:
    assert options(demo.parser()) == SHARED | DEVICE | TEST_TIME | {
        "-c", "--checkpoint", "--path", "--conf", "--save-json", "--save-csv", "--csv-guard",
        "--no-csv-guard", "--save-labels", "--save-labels-to", "--annotations", "--camera",
        "--tile", "--labels", "--line-width", "--frames", "--seconds", "--timeout", "--show",
    }  # fmt: skip
    assert demo.parser().parse_args(["image"]).conf is None


def test_benchmark() -> None:
    assert options(benchmark.parser()) == (SHARED | DEVICE | TEST_TIME | {
        "-c", "--checkpoint", "--path", "--fuse", "--compile", "--threads", "--repeats",
        "--warmup", "--save-json",
    }) - {"-o", "--output"}  # fmt: skip


EXPORT = {
    "-c", "--checkpoint", "--output", "--format", "--dynamic", "--nms", "--uint8", "--opset",
    "--verify", "--int8", "--int8-limit", "--force",
}  # fmt: skip


def test_export() -> None:
    assert options(export.parser()) == SHARED | EXPORT


def test_convert_weights() -> None:
    assert options(convert_weights.parser()) == SHARED | {
        "-c", "--checkpoint", "-o", "--output", "--classes",
    }  # fmt: skip


def test_data() -> None:
    assert options(convert_dataset.parser()) == {
        "-h", "--help", "--from", "--to", "--images", "--train-ann", "--train-images", "--val-ann",
        "--val-images", "--splits", "--classes", "--odgt-box", "--difficult", "--amodal",
        "--unreadable", "--force", "--allow-predictions", "--val-fraction",
    }  # fmt: skip
    assert options(get_data.parser()) == {"-h", "--help", "-o", "--output", "--keep"}


def test_replay() -> None:
    assert options(replay.parser()) == {"-h", "--help", "-f", "--exp-file"}


def test_report() -> None:
    assert options(report.parser()) == {"-h", "--help", "-f", "--exp-file", "-d", "--device"}


def test_inspect() -> None:
    assert options(inspect.parser()) == SHARED | {
        "-c", "--checkpoint", "-d", "--device", "--path", "--split", "--assigners", "--images",
        "--page", "--json", "--png",
    }  # fmt: skip


def test_every_option_has_help_and_all_of_it_fits_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name, (module, _) in COMMANDS.items():
        parser = importlib.import_module(f"otadet.cli.parsers.{module}").parser(f"otadet {name}")
        for action in parser._actions:
            assert action.help, f"{name}: {action.option_strings or action.dest}"
        assert max(map(len, parser.format_help().splitlines())) <= 80, name
    assert max(map(len, help_text().splitlines())) <= 80


def test_help_settings_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert train_command.main(["-n", "quickstart", "--help-settings"]) == 0
    text = capsys.readouterr().out
    for word in ("max_epochs", "data_dir", "a whole number", "one of 'iou'"):
        assert word in text


def test_tiles_of_a_demo_are_pixels(capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("auto", "-1", "6.5", "9" * 20):
        with pytest.raises(SystemExit) as end:
            demo_parser().parse_args(["image", "--path", "x", f"--tile={word}"])
        assert end.value.code == 2 and "expected a number of pixels, got" in capsys.readouterr().err
    assert demo_parser().parse_args(["image", "--path", "x", "--tile", "0"]).tile == 0
