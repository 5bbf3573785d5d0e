"""The report as one HTML file that loads nothing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, NamedTuple

from otadet.atomic import atomic_write
from otadet.exp.values import as_word
from otadet.outputs import Inputs, check_output
from otadet.pages import is_page, render_page
from otadet.run_report.gather import RunReport
from otadet.run_report.timing import duration

FILE = "report.html"
"""In the run directory."""

_TEMPLATE = Path(__file__).parent / "page.html.j2"


class Card(NamedTuple):
    """A number at the head of the page."""

    value: str
    about: str


class SettingRow(NamedTuple):
    """A setting as a command takes it; ``default`` is empty where it is the experiment's own."""

    name: str
    value: str
    default: str


def write_page(report: RunReport) -> Path:
    """Write ``report.html`` into the run directory; returns its path.

    Raises:
        InputError: a file of that name is there that otadet has not written.
    """
    path = report.folder / FILE
    check_output(path, Inputs(), is_page)
    atomic_write(path, render(report))
    return path


def render(report: RunReport) -> str:
    """Render the page."""
    return render_page(
        _TEMPLATE,
        report=report,
        title=_title(report),
        cards=_cards(report),
        facts=_facts(report),
        changed=[row for row in _settings(report) if row.default],
        settings=_settings(report),
        commands=_commands(report),
        duration=duration,
        undefined="–",
    )


def _title(report: RunReport) -> str:
    name = report.folder.resolve().name
    experiment = report.record.experiment if report.record else ""
    return name if experiment in ("", name) else f"{name}: {experiment}"


def _cards(report: RunReport) -> list[Card]:
    cards: list[Card] = []
    if report.best is not None:
        metrics, step = report.best.metrics, report.best.step
        names = [n for n in dict.fromkeys((report.best_metric, "AP", "AP50")) if n in metrics]
        cards += [Card(_number(metrics[n]), f"{n} of best.pth, step {step:,}") for n in names]
    if report.scores is not None and report.scores.f1:
        s = report.scores
        cards += [
            Card(f"{s.f1:.3f}", f"largest F1, from score {s.score:.3f} on"),
            Card(f"{s.precision:.3f}", "precision there"),
            Card(f"{s.recall:.3f}", "recall there"),
        ]
    if report.timing is not None:
        cards.append(Card(duration(report.timing.total), "in steps and evaluations"))
    return cards


def _number(value: float) -> str:
    return "–" if value < 0 else f"{value:.3f}"


def _facts(report: RunReport) -> list[tuple[str, str]]:
    """What ran and on what, a line each."""
    record = report.record
    if record is None:
        return []
    start = record.starts[0]
    epochs = record.steps / record.epoch_steps
    facts = [
        ("command", start.command),
        ("started", ", ".join(f"{s.time} (step {s.step:,})" for s in record.starts)),
        ("length", f"{record.steps:,} steps = {epochs:.1f} epochs of {record.epoch_steps:,}"),
        ("batch", f"{record.batch_size} images, {record.precision}"),
        ("device", ", ".join(dict.fromkeys(s.device for s in record.starts))),
        ("network", record.network),
    ]
    for split, lines in record.data.items():
        facts += [(split, line.removeprefix(f"{split}:").strip()) for line in lines]
    facts.append(("versions", ", ".join(f"{k} {v}" for k, v in record.versions.items())))
    return facts


def _settings(report: RunReport) -> list[SettingRow]:
    """All settings, those that differ from the experiment's own values first."""
    record = report.record
    if record is None:
        values: dict[str, Any] = report.best.settings if report.best else {}
        return [SettingRow(name, as_word(value), "") for name, value in values.items()]
    names = sorted(record.settings, key=lambda name: name not in record.defaults)
    return [
        SettingRow(
            name, as_word(record.settings[name]),
            as_word(record.defaults[name]) if name in record.defaults else "",
        )
        for name in names
    ]  # fmt: skip


def _commands(report: RunReport) -> list[tuple[str, str]]:
    """What to do next, and the command."""
    folder = shlex.quote(str(report.folder))
    commands = []
    if report.status in ("stopped", "running"):
        commands.append(("this page anew", f"otadet report {folder}"))
    if report.status == "stopped":
        commands.append(("go on with the run", f"otadet train --resume -o {folder}"))
    if report.best is not None:
        best = shlex.quote(str(report.best.path))
        commands += [
            ("detect", f"otadet demo image -c {best} --path IMAGE_OR_FOLDER"),
            ("evaluate", f"otadet eval -c {best} --plots"),
            ("see what each point learns", f"otadet inspect -c {best} --path IMAGE_OR_DATASET"),
            ("export", f"otadet export -c {best} --output {folder}/best.onnx"),
        ]
    return commands
