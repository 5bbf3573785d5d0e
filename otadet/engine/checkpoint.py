"""Checkpoints: written atomically, read without executing code in them."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TypeGuard

import torch
from loguru import logger
from torch import Tensor, nn

import otadet
from otadet.atomic import atomic_path
from otadet.choices import DEFAULT_SCORE
from otadet.engine.checkpoint_schema import FORMAT, KEYS, checkpoint_faults
from otadet.errors import InputError, RunError
from otadet.evaluation import OperatingPoint
from otadet.models import clean, load_state, read_file
from otadet.provenance import Provenance
from otadet.schema import is_dict, refuse, shown


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint file.

    Attributes:
        path: where it was read.
        experiment: name of the experiment.
        settings: every setting of the run, plain values.
        class_names: in the order of the network's outputs.
        weights: the network's state for use: averaged weights where there are any. Half precision
            in a file is float32 here.
        training: all else that resuming needs (``last.pth``), or empty (``best.pth``).
        step: steps taken.
        metrics: of the last evaluation.
        operating_point: likewise; ``None`` in older files, and where the evaluation found none.
        category_ids: the training set's own id of each class; ``None`` in older files, and for
            data without ids.
        provenance: origin and licences of weights that are passed on; ``None`` where not stated.
    """

    path: Path
    experiment: str
    settings: dict[str, Any]
    class_names: tuple[str, ...]
    weights: dict[str, Tensor]
    training: dict[str, Any]
    step: int
    metrics: dict[str, float]
    operating_point: OperatingPoint | None = None
    category_ids: tuple[int, ...] | None = None
    provenance: Provenance | None = None

    @property
    def score(self) -> float:
        """Default score threshold of the checkpoint."""
        return self.operating_point.score if self.operating_point else DEFAULT_SCORE

    @property
    def score_origin(self) -> str:
        """Description of :attr:`score` and its origin."""
        if self.operating_point is None:
            return f"score threshold {self.score:g}: the default, {self.path} holds none"
        return f"{self.operating_point} ({self.path})"


def save_checkpoint(
    path: Path,
    *,
    experiment: str,
    settings: dict[str, Any],
    class_names: tuple[str, ...],
    weights: dict[str, Tensor],
    step: int,
    metrics: dict[str, float],
    operating_point: OperatingPoint | None = None,
    category_ids: tuple[int, ...] | None = None,
    provenance: Provenance | None = None,
    training: dict[str, Any] | None = None,
    previous: Path | None = None,
) -> None:
    """Write a checkpoint atomically; see :func:`save_file` for ``previous``."""
    content = {
        "format": FORMAT,
        "otadet": otadet.__version__,
        "experiment": experiment,
        "settings": settings,
        "class_names": list(class_names),
        "category_ids": category_ids and list(category_ids),
        "weights": weights,
        "step": step,
        # numpy's scalars would not pass torch's safe loading
        "metrics": {k: float(v) for k, v in metrics.items()},
        "operating_point": asdict(operating_point) if operating_point else None,
        "provenance": asdict(provenance) if provenance else None,
        "training": training or {},
    }
    save_file(path, content, previous)


def save_file(path: Path, content: object, previous: Path | None = None) -> None:
    """Write ``content`` under a temporary name, flush it to the disk, then rename it.

    A reader, or a machine that fails in between, sees the old file or the new one.

    Args:
        path: the file; its folder is made.
        content: what ``torch.load(weights_only=True)`` is to read.
        previous: where the file that was at ``path`` goes.

    Raises:
        RunError: where the disk does not take it; what was there before is still there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            _write(part, content)
            # A torn file lacks the archive's end; it must not take the place of a whole one.
            if previous is not None and zipfile.is_zipfile(path):
                _keep(path, previous)
    except OSError as error:
        raise RunError(
            f"{path} cannot be written: {error.strerror or error}{_free(path.parent)}; the last "
            "checkpoint that was written is whole"
        ) from error


def _keep(path: Path, previous: Path) -> None:
    """Make ``previous`` the file at ``path``, which stays until the new one replaces it."""
    link = previous.with_name(f".otadet-{previous.name}.part")
    try:
        link.unlink(missing_ok=True)
        os.link(path, link)
        link.replace(previous)
    except OSError:  # a file system without hard links
        path.replace(previous)


class _Noticing:
    """A file that keeps the error of a write: torch's writer puts one of its own on top of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        try:
            return self.file.write(data)
        except BaseException as error:  # a signal's, of a dead worker or Ctrl-C, among them
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()


def _write(path: Path, content: object) -> None:
    with path.open("wb") as file:
        noticing = _Noticing(file)
        try:
            torch.save(content, noticing)  # type: ignore[arg-type]
        except Exception:
            if noticing.error is not None:
                raise noticing.error from None
            raise
        file.flush()
        os.fsync(file.fileno())


def _free(folder: Path) -> str:
    try:
        return f" ({shutil.disk_usage(folder).free / 1e6:.0f} MB are free there)"
    except OSError:
        return ""


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint of otadet onto the CPU, with ``weights_only=True``.

    Raises:
        InputError: where the file is missing, is no checkpoint, or not one of otadet.
    """
    path = Path(path)
    content = read_file(path, "checkpoint")
    if not is_checkpoint(content):
        raise InputError(
            f"checkpoint {path}: expected a checkpoint of otadet, with "
            f"{', '.join(sorted(KEYS))}; got {describe_content(content)}"
        )
    return parse_checkpoint(content, path)


def is_checkpoint(content: object) -> TypeGuard[dict[str, Any]]:
    """Whether a file's content is a checkpoint of otadet."""
    return is_dict(content) and content.keys() >= KEYS


def parse_checkpoint(content: dict[str, Any], path: Path) -> Checkpoint:
    """Check the content of a checkpoint file as a whole, and convert it.

    Raises:
        InputError: where a later version has written it, or a part is of another type, outside its
            range, too large or not finite; all that is wrong, up to ten.
    """
    later = content["format"]
    if type(later) is int and later > FORMAT:
        raise InputError(
            f"checkpoint {path}: written by otadet {shown(content.get('otadet'))} in format "
            f"{shown(later)}; this version reads up to {FORMAT}"
        )
    refuse(checkpoint_faults(content), f"checkpoint {path}")
    training, ids = dict(content.get("training", {})), content.get("category_ids")
    if "model" in training:
        training["model"] = clean(training["model"])
    point, origin = content.get("operating_point"), content.get("provenance")
    return Checkpoint(
        path=path,
        experiment=content["experiment"],
        settings=content["settings"],
        class_names=tuple(content["class_names"]),
        weights=_single(clean(content["weights"])),
        training=training,
        step=content["step"],
        metrics=content["metrics"],
        operating_point=None if point is None else OperatingPoint(point["score"], point["f1"]),
        category_ids=None if ids is None else tuple(ids),
        provenance=None if origin is None else Provenance.load(origin),
    )


def _single(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert half precision, which saves space in a file, to float32."""
    half = (torch.float16, torch.bfloat16)
    return {name: t.float() if t.dtype in half else t for name, t in weights.items()}


def log_provenance(checkpoint: Checkpoint) -> None:
    """Log origin and licences of a checkpoint that states them."""
    if checkpoint.provenance is not None:
        logger.info("{}: {}", checkpoint.experiment, checkpoint.provenance)


def load_weights(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Load a checkpoint's weights into the network of its settings.

    Raises:
        InputError: where names or shapes differ; says how many and shows the first.
    """
    load_state(model, checkpoint.weights, f"checkpoint {checkpoint.path}")


def describe_content(content: object) -> str:
    """Describe the content of a file that is not a checkpoint."""
    if is_dict(content):
        return "a dictionary of " + ", ".join(map(shown, list(content)[:6]))
    return type(content).__name__
