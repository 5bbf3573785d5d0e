"""From the words of the command to the runs of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otadet.compare.contenders import Contender
from otadet.compare.metrics_file import seconds_a_step
from otadet.compare.plan import Run, file_digest, run_folder
from otadet.compare.processes import Processes, Slot
from otadet.data.wrapped import innermost
from otadet.engine.loggers import read_metrics
from otadet.engine.precision import PrecisionName
from otadet.errors import InputError, RunError
from otadet.exp import BaseExp

_GIVEN_BY = {"seed": "--seeds", "max_iters": "--budget", "max_epochs": "--budget"}
_SAVES = 20  # in a run, so that little is lost with a process that is killed
_CALIBRATION = 30
"""Steps after which the time of a step is known."""


@dataclass(frozen=True)
class Conditions:
    """What is the same for all runs.

    Attributes:
        words: settings of all, ``key=value``.
        seeds: number of seeds, from 0 on.
        batch_size: images a step; ``None`` takes the experiments' own, which has to be the same.
        precision: of the forward pass in training.
        weights: file of ``-c``.
    """

    words: tuple[str, ...]
    seeds: int
    batch_size: int | None
    precision: PrecisionName
    weights: str | None = None


def plan_runs(
    contenders: Sequence[Contender], steps: Mapping[str, int], same: Conditions, folder: Path
) -> list[Run]:
    """Return the runs, all methods of a seed before the next seed.

    Args:
        contenders: what is compared.
        steps: length of a run by label.
        same: what all runs share.
        folder: of the comparison.

    Raises:
        InputError: a setting does not exist, or is the comparison's own, or batches differ.
    """
    _check_words(contenders, same)
    runs = [
        _run(each, seed, steps[each.label], same, folder)
        for seed in range(same.seeds)
        for each in contenders
    ]
    sizes = {run.label: run.batch_size for run in runs}
    if len(set(sizes.values())) > 1:
        got = ", ".join(f"{label}: {size}" for label, size in sizes.items())
        raise InputError(f"batch_size: expected the same for all, got {got}; -b gives it")
    return runs


def measure_steps(
    contenders: Sequence[Contender], minutes: float, same: Conditions, folder: Path,
    slots: Sequence[Slot],
) -> dict[str, int]:  # fmt: skip
    """Return how many steps each contender takes in ``minutes``, by short runs of each.

    Raises:
        RunError: one of them failed.
    """
    lengths = {each.label: _CALIBRATION for each in contenders}
    runs = plan_runs(contenders, lengths, replace(same, seeds=1), folder / "calibration")
    processes = Processes([replace(run, evaluation=None) for run in runs], slots[:1])
    processes.run(lambda: None)
    for name, reason in processes.failed.items():
        raise RunError(f"--budget: the time of a step is not known: {name}: {reason}")
    seconds = {run.label: seconds_a_step(read_metrics(run.folder), run.batch_size) for run in runs}
    return {label: max(1, int(60 * minutes / each)) for label, each in seconds.items() if each}


def _check_words(contenders: Sequence[Contender], same: Conditions) -> None:
    for word in [*same.words, *(word for each in contenders for word in each.words)]:
        key = word.partition("=")[0]
        if key in _GIVEN_BY:
            raise InputError(f"{word}: is the same for all methods and given by {_GIVEN_BY[key]}")


def _run(each: Contender, seed: int, steps: int, same: Conditions, folder: Path) -> Run:
    words = [*same.words, *each.words, f"max_iters={steps}", f"seed={seed}", "check_data=false"]
    words += _own_words(each.build(words), steps)
    exp = each.build(words)
    place = run_folder(folder, each.label, seed)
    sources = {each.file: file_digest(each.file)}
    if same.weights is not None:
        sources[same.weights] = file_digest(same.weights)
    return Run(
        each.label, seed, place, place / "eval", each.file, tuple(words), exp.as_dict(), steps,
        same.batch_size or exp.batch_size, same.precision, same.weights, sources,
    )  # fmt: skip


def _own_words(exp: BaseExp, steps: int) -> list[str]:
    """Settings that a comparison needs: no early end, checkpoints now and then, a place."""
    words = [] if exp.save_interval else [f"save_interval={max(1, steps // _SAVES)}"]
    if exp.patience is not None:
        words.append("patience=none")
    if exp.data_dir is not None:
        words.append(f"data_dir={Path(exp.data_dir).resolve()}")
    return words + _tile_words(exp)


def _tile_words(exp: BaseExp) -> list[str]:
    """The numbers of ``tile=auto``: a run is recognised by those that its checkpoint holds."""
    if not exp.auto_tiles:
        return []
    whole = exp.changed(cache="none").with_tiles(None).build_train_data()
    tiling = exp.tile_choice(innermost(whole)).tiling
    if tiling is None:
        return ["tile=none", "tile_overlap=none"]
    return [f"tile={tiling.size}", f"tile_overlap={tiling.overlap}"]
