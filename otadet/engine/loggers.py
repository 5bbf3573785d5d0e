"""Metric loggers: JSON lines, CSV, TensorBoard, W&B, MLflow."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from otadet.atomic import atomic_write
from otadet.errors import InputError
from otadet.regular_file import read_regular


@dataclass(frozen=True)
class RunInfo:
    """Description of a run for the metric loggers.

    Attributes:
        folder: of the run.
        name: of the experiment.
        settings: plain values by name.
        resume_step: numbers of later steps, from a part of the run that is done again, are to be
            dropped; ``None`` for a new run.
        evaluation_due: whether the evaluation after that step is done again.
    """

    folder: Path
    name: str
    settings: Mapping[str, Any]
    resume_step: int | None = None
    evaluation_due: bool = False

    def keeps(self, step: float, kind: str) -> bool:
        """Whether a resumed run keeps an existing entry of its files."""
        if self.resume_step is None:
            return False
        again = self.evaluation_due and kind == "val"
        return step < self.resume_step or (step == self.resume_step and not again)


class MetricLogger(Protocol):
    """Interface of a metric logger."""

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Log the numbers of a step; ``kind`` is ``train`` or ``val``."""

    def close(self) -> None:
        """Flush and close."""


class JsonLines:
    """Logger to ``metrics.jsonl``, one JSON object per line; the curves are drawn from it."""

    def __init__(self, run: RunInfo) -> None:
        path = run.folder / "metrics.jsonl"
        kept = [line for line in _lines(path) if run.keeps(*_json_place(line))]
        atomic_write(path, "".join(line + "\n" for line in kept))
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Append a line."""
        self._file.write(json.dumps({"step": step, "kind": kind, **values}) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Csv:
    """Logger to ``metrics.csv`` in long form, ``step,kind,name,value``.

    Steps need not have the same metrics, and an append-only file survives a crash.
    """

    def __init__(self, run: RunInfo) -> None:
        path = run.folder / "metrics.csv"
        kept = [line for line in _lines(path) if run.keeps(*_csv_place(line))]
        lines = ["step,kind,name,value", *kept]
        atomic_write(path, "".join(line + "\n" for line in lines))
        self._file = path.open("a", buffering=1, newline="", encoding="utf-8")
        self._csv = csv.writer(self._file, lineterminator="\n")

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Append a row for each number."""
        self._csv.writerows([step, kind, name, value] for name, value in values.items())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorBoard:
    """Logger to event files in ``tensorboard/``."""

    def __init__(self, run: RunInfo) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purge = None if run.resume_step is None else run.resume_step + 1
        self._board: Any = SummaryWriter(str(run.folder / "tensorboard"), purge_step=purge)

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Log scalars named ``kind/name``."""
        for name, value in values.items():
            self._board.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Flush and close."""
        self._board.close()


class Wandb:
    """Logger to Weights & Biases; its environment variables override project ``otadet``."""

    def __init__(self, run: RunInfo) -> None:
        import wandb

        self._run: Any = wandb.init(
            project="otadet", name=run.folder.name, dir=str(run.folder), config=dict(run.settings)
        )

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Log numbers named ``kind/name``."""
        self._run.log({f"{kind}/{name}": value for name, value in values.items()}, step=step)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


class MLflow:
    """Logger to MLflow; its environment variables name the tracking server."""

    def __init__(self, run: RunInfo) -> None:
        import mlflow

        self._mlflow: Any = mlflow
        mlflow.set_experiment(run.name)
        mlflow.start_run(run_name=run.folder.name)
        mlflow.log_params({k: str(v)[:500] for k, v in run.settings.items()})

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Log numbers named ``kind/name``."""
        self._mlflow.log_metrics({f"{kind}/{k}": v for k, v in values.items()}, step=step)

    def close(self) -> None:
        """Finish the run."""
        self._mlflow.end_run()


_LOGGERS: dict[str, tuple[Callable[[RunInfo], MetricLogger], str | None]] = {
    "jsonl": (JsonLines, None),
    "csv": (Csv, None),
    "tensorboard": (TensorBoard, "tensorboard"),
    "wandb": (Wandb, "wandb"),
    "mlflow": (MLflow, "mlflow"),
}
"""Class and required package by name."""

OPTIONAL = ("tensorboard",)
"""Skipped silently where their package is missing, since the default list names them."""


class MetricLoggers:
    """All metric loggers of a run as one."""

    def __init__(self, names: Sequence[str], run: RunInfo) -> None:
        self._all: list[MetricLogger] = []
        for name in names:
            make, package = _LOGGERS[name]
            if package is None or importlib.util.find_spec(package) is not None:
                self._all.append(make(run))

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """Log the numbers of a step to every logger."""
        for writer in self._all:
            writer.write(step, kind, values)

    def close(self) -> None:
        """Close every logger."""
        for writer in self._all:
            writer.close()


def parse_loggers(text: str) -> tuple[str, ...]:
    """Parse the names in ``a,b,c`` and add ``jsonl``, which the curves need.

    Raises:
        InputError: for a name that is not known, or whose package is not installed.
    """
    names = tuple(dict.fromkeys(["jsonl", *(n.strip() for n in text.split(",") if n.strip())]))
    for name in names:
        if name not in _LOGGERS:
            raise InputError(f"--log: expected some of {', '.join(_LOGGERS)}; got {name!r}")
        package = _LOGGERS[name][1]
        missing = package is not None and importlib.util.find_spec(package) is None
        if missing and name not in OPTIONAL:
            raise InputError(f"--log {name}: the package {package} is not installed")
    return names


def _lines(path: Path) -> list[str]:
    """Read the lines of a file of an older start; those that are no UTF-8 are left out."""
    if not path.exists():
        return []
    lines = []
    for line in read_regular(path, "file of metrics").split(b"\n"):
        with suppress(UnicodeDecodeError):
            lines.append(line.decode())
    return lines


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Read the lines of ``metrics.jsonl``, each with ``step`` and ``kind``.

    A line that is being written, or that a crash has torn, is left out.
    """
    lines = _lines(folder / "metrics.jsonl")
    return [json.loads(line) for line in lines if _json_place(line)[1]]


def _json_place(line: str) -> tuple[float, str]:
    """Return step and kind of a line; step infinity for one that a crash or full disk has torn."""
    try:
        values = json.loads(line)
        step, kind = float(values.pop("step")), str(values.pop("kind"))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return math.inf, ""
    whole = all(value is None or type(value) in (int, float) for value in values.values())
    return (step, kind) if whole else (math.inf, "")


def _csv_place(line: str) -> tuple[float, str]:
    """Return step and kind of a CSV row; step infinity for the header, and for a torn one."""
    try:
        step, kind, _, value = next(csv.reader([line]))
        return (float(step), kind) if value else (math.inf, "")
    except (ValueError, StopIteration, csv.Error):
        return math.inf, ""
