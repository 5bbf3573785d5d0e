"""How far a run of a comparison is, by what lies in its folder."""

from __future__ import annotations

from typing import Literal

from otadet.compare.plan import Run, changed_settings, settings_hash
from otadet.engine.checkpoint import Checkpoint
from otadet.engine.state import has_last, load_last
from otadet.errors import InputError
from otadet.evaluation.saved import FILE

State = Literal["new", "started", "trained", "done"]


def state_of(run: Run) -> State:
    """Return how far a run is: without a checkpoint, with one, at its end, or evaluated.

    Raises:
        InputError: the folder holds a run with other settings.
    """
    if run.existing:
        return _trained(run)
    if not has_last(run.folder):
        return "new"
    last = load_last(run.folder)
    if checkpoint_hash(last) != run.hash:
        changes = changed_settings(last.settings, run.settings) or ["length, batch or precision"]
        raise InputError(
            f"{run.folder}: holds another run than {run.name} of this comparison: "
            f"{'; '.join(changes)}; move it away, or name another folder with -o"
        )
    ended = last.step >= run.steps and not last.training.get("evaluation_due", False)
    return _trained(run) if ended else "started"


def _trained(run: Run) -> State:
    """Return whether the final weights are evaluated; a run that went on since then is not."""
    if run.evaluation is None:
        return "done"
    found, last = run.evaluation / FILE, run.folder / "last.pth"
    evaluated = found.is_file() and found.stat().st_mtime_ns >= last.stat().st_mtime_ns
    return "done" if evaluated else "trained"


def checkpoint_hash(last: Checkpoint) -> str:
    """Return :func:`settings_hash` of the run that a ``last.pth`` is of."""
    training = last.training
    return settings_hash(
        last.settings, training["steps"], training["batch_size"], training.get("precision")
    )
