"""Partial loading of a checkpoint: tensors of equal shape, class rows by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tabulate import tabulate
from torch import Tensor

from otadet.engine.checkpoint import Checkpoint
from otadet.errors import InputError
from otadet.models import Detector
from otadet.texts import one_line

_COUNTER = "num_batches_tracked"  # nothing depends on it
_SHOWN = 3


@dataclass(frozen=True)
class LoadReport:
    """Outcome of a partial load for each tensor, by name.

    Attributes:
        loaded: copied unchanged.
        class_layers: copied row by row, for classes in both.
        reshaped: skipped because of another shape; the name with both shapes.
        missing: only in the network; they keep their initial values.
        unknown: only in the checkpoint.
        classes: names of the classes whose rows were copied.
        fresh_classes: names of the classes with initial values.
        share: of the network's parameters and statistics, loaded.
    """

    loaded: tuple[str, ...]
    class_layers: tuple[str, ...]
    reshaped: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    classes: tuple[str, ...]
    fresh_classes: tuple[str, ...]
    share: float

    @property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """Names of the tensors by what became of them."""
        return {
            "loaded": self.loaded,
            "by class": self.class_layers,
            "other shape": self.reshaped,
            "missing": self.missing,
            "unknown": self.unknown,
        }

    def summary(self) -> str:
        """Return the counts in a line, and in further lines what was not simply loaded."""
        kinds = self.kinds
        counts = [f"{len(names)} {kind}" for kind, names in kinds.items() if names]
        lines = [f"tensors: {', '.join(counts)}"]
        if self.class_layers:
            named, fresh = (", ".join(map(one_line, c)) for c in (self.classes, self.fresh_classes))
            lines.append(f"classes carried over by name: {named or 'none'}")
            lines.append(f"classes that start afresh: {fresh or 'none'}")
        for kind in ("other shape", "missing", "unknown"):
            if names := kinds[kind]:
                more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                lines.append(f"{kind}: {', '.join(names[:_SHOWN])}{more}")
        return "\n".join(lines)

    def table(self) -> str:
        """Return the counts by part of the network."""
        counts = {kind: Counter(map(_part, names)) for kind, names in self.kinds.items()}
        parts = dict.fromkeys(part for counter in counts.values() for part in counter)
        rows = [[part, *(counter[part] or "" for counter in counts.values())] for part in parts]
        return str(tabulate(rows, headers=["tensors of", *counts]))


def _part(name: str) -> str:
    return ".".join(name.split(" ")[0].split(".")[:2])


def load_partial(model: Detector, checkpoint: Checkpoint, class_names: Sequence[str]) -> LoadReport:
    """Load every tensor of a checkpoint that fits.

    Tensors of the same name and shape are taken. A head says in ``class_layers`` which of its
    layers have a row a class; unless the classes are the same in the same order, their rows are
    carried over by name (upper and lower case are the same), and other classes stay fresh.

    Args:
        model: changed in place.
        checkpoint: of this network or a related one.
        class_names: in the order of the network's outputs.

    Raises:
        InputError: where nothing fits; the model is then as it was.
    """
    theirs = _without_counters(checkpoint.weights)
    own = _without_counters(model.state_dict())
    same_classes = tuple(class_names) == checkpoint.class_names
    rows = {} if same_classes else _same_names(checkpoint.class_names, class_names)
    new: dict[str, Tensor] = {}
    by_class: list[str] = []
    reshaped: list[str] = []
    for name in (n for n in own if n in theirs):
        before, each = None if same_classes else _rows_before_classes(model, name), 0
        if before is not None:
            here, there = (before + len(n) for n in (class_names, checkpoint.class_names))
            each = _rows_of_a_class(own[name], theirs[name], here, there)
        if before is not None and each:
            new[name] = _carried(own[name], theirs[name], before, rows, each)
            by_class.append(name)
        elif own[name].shape == theirs[name].shape:
            new[name] = theirs[name]
        else:
            reshaped.append(f"{name} {list(theirs[name].shape)} for {list(own[name].shape)}")
    loaded = tuple(n for n in new if n not in by_class)
    if not any(own[n].ndim > 1 for n in loaded):
        raise InputError(
            f"checkpoint {checkpoint.path}: the weights of another network, no layer fits: the "
            f"first here is {_first(own)}, there {_first(theirs)}"
        )
    model.load_state_dict(new, strict=False)
    everything = sum(t.numel() for t in own.values())
    return LoadReport(
        loaded=loaded,
        class_layers=tuple(by_class),
        reshaped=tuple(reshaped),
        missing=tuple(n for n in own if n not in theirs),
        unknown=tuple(n for n in theirs if n not in own),
        classes=tuple(class_names[i] for i in rows),
        fresh_classes=tuple(n for i, n in enumerate(class_names) if i not in rows),
        share=sum(own[n].numel() for n in loaded) / everything,
    )


def _without_counters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v for k, v in state.items() if not k.endswith(_COUNTER)}


def _first(state: dict[str, Tensor]) -> str:
    return next((f"{k} {list(v.shape)}" for k, v in state.items() if v.ndim > 1), "none")


def _same_names(theirs: Iterable[str], mine: Iterable[str]) -> dict[int, int]:
    """Map class indices of the network to those of the checkpoint, for common names."""
    known = {name.casefold(): index for index, name in enumerate(theirs)}
    return {
        index: known[name.casefold()] for index, name in enumerate(mine) if name.casefold() in known
    }


def _rows_before_classes(model: Detector, name: str) -> int | None:
    """Return the rows before the first class of a per-class layer; ``None`` for other layers."""
    layers: dict[str, int] = getattr(model.head, "class_layers", {})
    for layer, before in layers.items():
        if f"{name}.".startswith(f"head.{layer}."):
            return before
    return None


def _rows_of_a_class(own: Tensor, theirs: Tensor, here: int, there: int) -> int:
    """Return the rows per class of both layers; 0 where they differ.

    ``here`` and ``there`` count the classes and the rows before them.
    """
    each = len(theirs) // there
    fits = own.shape[1:] == theirs.shape[1:] and len(theirs) == each * there
    return each if fits and len(own) == each * here else 0


def _carried(own: Tensor, theirs: Tensor, before: int, rows: dict[int, int], each: int) -> Tensor:
    new = own.clone()
    mine, other = (t.view(-1, each, *t.shape[1:]) for t in (new, theirs))
    mine[:before] = other[:before]
    for here, there in rows.items():
        mine[before + here] = other[before + there].to(new)
    return new
