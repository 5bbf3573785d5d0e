"""Runs that exist already, as the runs of a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from otadet.compare.plan import Run, run_folder
from otadet.engine.checkpoint import Checkpoint
from otadet.engine.state import MAY_CHANGE, has_last, load_last
from otadet.errors import InputError
from otadet.exp import load_named

Settings = Mapping[str, Any]


def existing_runs(
    places: Sequence[Path], folder: Path, file: str | None = None, unequal: bool = False
) -> list[Run]:
    """Read runs; those that differ in their seed alone are one method's.

    Args:
        places: run directories, each with its ``last.pth``.
        folder: of the comparison.
        file: experiment file of all runs; ``None`` where they are of otadet's own experiments.
        unequal: take runs of other lengths or batches too.

    Raises:
        InputError: fewer than two methods, a run without ``last.pth``, or another budget.
    """
    for place in places:
        if not has_last(place):
            got = "one without" if place.is_dir() else "no folder"
            raise InputError(f"--runs {place}: expected a run directory with last.pth, got {got}")
    found = [(place, load_last(place)) for place in places]
    for place, last in found:
        if not last.training:
            raise InputError(f"--runs {place}: last.pth holds weights only, not a run")
    if not unequal:
        _check_budgets(found)
    labels = _labels(found)
    if len(set(labels)) < 2:
        raise InputError(
            f"--runs: expected runs of at least two methods, got {len(labels)} of {labels[0]}"
        )
    return [_run(place, last, label, folder, file) for (place, last), label in zip(found, labels)]


def _run(place: Path, last: Checkpoint, label: str, folder: Path, file: str | None) -> Run:
    seed = int(last.settings["seed"])
    if file is None:  # never the one that the run recorded: it may come from elsewhere
        load_named(last.experiment, f"--runs {place}", place)
    return Run(
        label, seed, place.resolve(), run_folder(folder, label, seed) / "eval", file, (),
        last.settings, last.step, last.training["batch_size"],
        last.training.get("precision", "fp32"), existing=True,
    )  # fmt: skip


def _check_budgets(found: Sequence[tuple[Path, Checkpoint]]) -> None:
    """Check that all runs took as many steps of as many images, to their end."""
    budgets = {
        place: f"{last.step} steps of {last.training['batch_size']} images"
        + ("" if last.step >= last.training["steps"] else f" (of {last.training['steps']})")
        for place, last in found
    }
    if len(set(budgets.values())) > 1:
        each = "; ".join(f"{place}: {budget}" for place, budget in budgets.items())
        raise InputError(
            f"--runs: expected equal budgets, got {each}; --unequal compares them all the same, "
            "and says so"
        )


def _labels(found: Sequence[tuple[Path, Checkpoint]]) -> list[str]:
    """Name the method of each run: by what differs between them, or else by the folder."""
    own = [_own(last) for _, last in found]
    names = dict.fromkeys(key for each in own for key in each)
    differing = [key for key in names if len({str(each.get(key)) for each in own}) > 1]
    named = [_label(each, differing) for each in own]
    seeds = Counter((label, last.settings["seed"]) for label, (_, last) in zip(named, found))
    if max(seeds.values()) > 1:  # two runs of one name and seed: they differ in something else
        return _folders([place for place, _ in found])
    return named


def _own(last: Checkpoint) -> dict[str, Any]:
    """What makes a run another method's: its experiment and settings but the seed."""
    skipped = ("seed", *MAY_CHANGE)
    settings = {k: v for k, v in last.settings.items() if k not in skipped}
    return {"experiment": last.experiment, **settings}


def _label(own: Settings, differing: Sequence[str]) -> str:
    words = [f"{key}={own.get(key)}" for key in differing if key not in ("experiment", "method")]
    names = [str(own[key]) for key in ("experiment", "method") if key in differing]
    return " ".join([*names, *words][:4]) or str(own["experiment"])


def _folders(places: Sequence[Path]) -> list[str]:
    """Shortest ends of paths that tell them apart."""
    parts = [place.resolve().parts for place in places]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    raise InputError("--runs: expected different runs, got one twice")
