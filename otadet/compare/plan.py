"""The runs of a comparison, and the file that says which they are."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import otadet
from otadet.atomic import atomic_write
from otadet.engine.precision import PrecisionName
from otadet.engine.state import MAY_CHANGE
from otadet.errors import InputError
from otadet.outputs import OutputFolder

FILE = "plan.json"
INFERRED = ("amodal",)  # from the data, once a run has read them
FREE = (*(set(MAY_CHANGE) - {"data_dir"}), *INFERRED)
"""Settings that the steps of a run do not depend on, and those that it infers."""


def settings_hash(
    settings: Mapping[str, Any], steps: int, batch_size: int, precision: str | None
) -> str:
    """Return the hash by which a run is recognised: of all that its steps depend on.

    Settings that are ``None`` are left out, as those are that an older version does not have.
    """
    kept = {k: value for k, value in settings.items() if k not in FREE and value is not None}
    run = [kept, steps, batch_size, precision]
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a comparison.

    Attributes:
        label: of its contender.
        seed: setting ``seed``.
        folder: run directory.
        evaluation: folder of the evaluation of its final weights; ``None`` for no evaluation.
        file: experiment file; ``None`` where the checkpoint's experiment is found by its name.
        words: settings as the command takes them.
        settings: every setting.
        steps: length.
        batch_size: images a step.
        precision: of the forward pass in training.
        weights: file of ``-c``.
        sources: digests of the experiment file and of the weights.
        existing: it was there before the comparison, which evaluates it and does not train it.
    """

    label: str
    seed: int
    folder: Path
    evaluation: Path | None
    file: str | None
    words: tuple[str, ...]
    settings: Mapping[str, Any]
    steps: int
    batch_size: int
    precision: PrecisionName
    weights: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    existing: bool = False

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.label}, seed {self.seed}"

    @property
    def hash(self) -> str:
        """:func:`settings_hash` of the run."""
        return settings_hash(self.settings, self.steps, self.batch_size, self.precision)


def run_folder(folder: Path, label: str, seed: int) -> Path:
    """Return the place of a run in a comparison's folder."""
    return folder / "runs" / re.sub(r"[^\w.=-]+", "_", label) / f"seed_{seed}"


def file_digest(path: str | Path) -> str:
    """Return a digest of a file's content."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Plan:
    """The runs of a comparison.

    Attributes:
        runs: in the order in which they start.
        minutes: in steps of every run, where the budget is a time.
    """

    runs: Sequence[Run] = ()
    minutes: float | None = None

    def steps(self) -> dict[str, int]:
        """Return the length of a run by label."""
        return {run.label: run.steps for run in self.runs}


def write_plan(outputs: OutputFolder, plan: Plan) -> None:
    """Write the plan; runs that were planned before and are not asked for stay in it."""
    folder, asked = outputs.path, {run.name for run in plan.runs}
    others = [run for run in read_plan(folder).runs if run.name not in asked]
    rows = [_as_row(folder, run) for run in [*plan.runs, *others]]
    content = {"otadet": otadet.__version__, "minutes": plan.minutes, "runs": rows}
    atomic_write(folder / FILE, json.dumps(content, indent=1) + "\n", outputs.atomic)


def read_plan(folder: Path) -> Plan:
    """Read the plan of a comparison; an empty one where there is none.

    Raises:
        InputError: the file is not a plan.
    """
    path = folder / FILE
    if not path.is_file():
        return Plan()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Plan([_from_row(folder, row) for row in content["runs"]], content["minutes"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected a plan that `otadet compare` wrote, got {error!r}; name another "
            "folder with -o"
        ) from error


def check_plan(folder: Path, plan: Plan) -> None:
    """Check that runs of the same name that were planned before are the same runs.

    Raises:
        InputError: one is not; names what differs.
    """
    before = {run.name: run for run in read_plan(folder).runs}
    for run in plan.runs:
        old = before.get(run.name)
        if old is not None and (changes := _changes(old, run)):
            raise InputError(
                f"-o {folder}: holds another comparison; {run.name}: {'; '.join(changes)}; name "
                "another folder"
            )


def changed_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say in which settings two runs differ, of those that their steps depend on."""
    return [
        f"{name} was {old.get(name)} and is {new.get(name)}"
        for name in {**new, **old}
        if name not in FREE and old.get(name) != new.get(name)
    ]


def _changes(old: Run, new: Run) -> list[str]:
    changed = changed_settings(old.settings, new.settings)
    changed += [
        f"{name} was {getattr(old, name)} and is {getattr(new, name)}"
        for name in ("steps", "batch_size", "precision", "weights")
        if getattr(old, name) != getattr(new, name)
    ]
    changed += [
        f"the content of {name} has changed"
        for name, digest in new.sources.items()
        if old.sources.get(name, digest) != digest
    ]
    return changed


def _as_row(folder: Path, run: Run) -> dict[str, Any]:
    row = asdict(run)
    for name in ("folder", "evaluation"):
        row[name] = str(relative(row[name], folder))
    return {**row, "hash": run.hash}


def relative(place: Path, folder: Path) -> Path:
    """Return the place relative to a folder that it is in, so that the folder may be moved."""
    return place.relative_to(folder) if place.is_relative_to(folder) else place


def _from_row(folder: Path, row: dict[str, Any]) -> Run:
    values = {each.name: row[each.name] for each in fields(Run)}
    places = {name: folder / values[name] for name in ("folder", "evaluation")}
    return Run(**{**values, **places, "words": tuple(values["words"])})
