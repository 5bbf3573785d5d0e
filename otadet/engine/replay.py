"""Replay of a non-finite step on the CPU: the first non-finite tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from otadet.assign import AssignmentReport
from otadet.engine.fitted import fitted_model
from otadet.engine.replay_bundle import ReplayBundle
from otadet.engine.step import finite_images
from otadet.exp import BaseExp
from otadet.models import Detector
from otadet.types import Batch, Predictions


@dataclass(frozen=True)
class NonFiniteTensor:
    """The first non-finite tensor of a step.

    Attributes:
        what: for example ``output of head.reg_out`` or ``gradient of backbone.stem.0.weight``.
        images: ids of the images it is so for; empty for a tensor without an image dimension.
        values: number of NaN, of infinite, and of all values.
    """

    what: str
    images: tuple[int, ...]
    values: tuple[int, int, int]

    def __str__(self) -> str:
        nan, inf, count = self.values
        images = f", image id {', '.join(map(str, self.images))}" if self.images else ""
        return f"{self.what}{images}: {nan} NaN and {inf} infinite of {count} values"


class _Found(Exception):
    """Ends a pass at the first non-finite tensor."""

    def __init__(self, tensor: NonFiniteTensor) -> None:
        super().__init__(str(tensor))
        self.tensor = tensor


class _KeepDouble(TorchFunctionMode):
    """Make ``.float()`` keep float64: networks decode boxes in float32, whose range is small."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        if func is Tensor.float and args[0].dtype in (torch.float64, torch.uint8):
            return args[0].double()
        return func(*args, **(kwargs or {}))


def replay(bundle: ReplayBundle, exp: BaseExp, double: bool) -> NonFiniteTensor | None:
    """Repeat forward pass, loss and backward pass of a step, in the parts of the run.

    Args:
        bundle: the step.
        exp: its experiment, with the bundle's settings.
        double: run the network in float64 (the loss stays in float32); else in the run's precision.

    Returns:
        The first non-finite tensor in the order of computation, or ``None``.

    Raises:
        RuntimeError: the CPU does not support the precision.
    """
    for index, piece in enumerate(bundle.batch.split(bundle.parts)):
        model = _model(bundle, exp)
        try:
            _step(model.double() if double else model, exp, piece, _arithmetic(bundle, double))
        except _Found as found:
            part = f"part {index + 1} of {bundle.parts}: " if bundle.parts > 1 else ""
            return replace(found.tensor, what=part + found.tensor.what)
    return None


def assignment_reports(
    bundle: ReplayBundle, exp: BaseExp
) -> Iterator[tuple[tuple[int, ...], AssignmentReport]]:
    """Yield, for each part of the batch, the images with finite predictions and their assignment.

    Raises:
        RuntimeError: the CPU does not support the run's precision.
    """
    for piece in bundle.batch.split(bundle.parts):
        model = _model(bundle, exp)
        with torch.no_grad(), _arithmetic(bundle, double=False):
            predictions: Predictions = model(piece.images).dense
        chosen = finite_images(predictions).nonzero().flatten()
        if len(chosen):
            ids = chosen.tolist()
            report = exp.build_assigner().explain(
                _select_images(predictions, chosen), [piece.targets[i] for i in ids]
            )
            yield tuple(piece.image_ids[i] for i in ids), report


def _model(bundle: ReplayBundle, exp: BaseExp) -> Detector:
    """Build the network in the state before the step."""
    where = f"bundle {bundle.path}"
    model = fitted_model(exp, len(bundle.class_names), bundle.weights, where)
    model.freeze(exp.freeze)  # frozen norms use their own statistics, as in the run
    exp.before_step(model, bundle.progress)
    model.train()
    torch.set_rng_state(bundle.rng)
    return model


def _arithmetic(bundle: ReplayBundle, double: bool) -> AbstractContextManager[object]:
    if double:
        return _KeepDouble()
    if bundle.precision == "fp32":
        return nullcontext()
    dtype = torch.float16 if bundle.precision == "fp16" else torch.bfloat16
    return torch.autocast("cpu", dtype=dtype)


def _select_images(predictions: Predictions, images: Tensor) -> Predictions:
    """Return the predictions of some images."""
    values = {f.name: getattr(predictions, f.name) for f in fields(predictions)}
    changes: dict[str, Any] = {k: v[images] for k, v in values.items() if isinstance(v, Tensor)}
    return replace(predictions, **changes)


def _step(
    model: nn.Module, exp: BaseExp, batch: Batch, arithmetic: AbstractContextManager[object]
) -> None:
    inspector = _Inspector(batch.image_ids)
    for name, module in model.named_modules():
        module.register_forward_hook(inspector.forward(name or "the network"))
    with arithmetic:
        predictions: Predictions = model(batch.images)
    report = exp.build_criterion()(predictions, batch.targets)
    for name, term in [*report.terms.items(), ("loss", report.total)]:
        inspector.check(f"criterion: {name}", term)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.register_hook(inspector.backward(f"gradient of {name}"))  # type: ignore[no-untyped-call]
    report.total.backward()  # type: ignore[no-untyped-call]


class _Inspector:
    """Hooks that raise :class:`_Found` at the first non-finite tensor."""

    def __init__(self, image_ids: Sequence[int]) -> None:
        self.image_ids = image_ids

    def check(self, what: str, tensor: Tensor) -> None:
        finite = tensor.detach().isfinite()
        if bool(finite.all()):
            return
        images: tuple[int, ...] = ()
        if tensor.ndim > 1 and len(tensor) == len(self.image_ids):
            bad = (~finite).flatten(1).any(dim=1).tolist()
            images = tuple(i for i, b in zip(self.image_ids, bad) if b)
        nan, inf = int(tensor.isnan().sum()), int(tensor.isinf().sum())
        raise _Found(NonFiniteTensor(what, images, (nan, inf, tensor.numel())))

    def forward(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        """Make a module's hook; an input at fault was made outside of any module."""

        def hook(module: nn.Module, inputs: Any, outputs: Any) -> None:
            for _, tensor in _named_tensors(inputs):
                self.check(f"input of {name} (made outside of any module)", tensor)
            for part, tensor in _named_tensors(outputs):
                self.check(f"output of {name}{part}", tensor)
                if tensor.requires_grad:
                    what = f"gradient at the output of {name}{part}"
                    tensor.register_hook(self.backward(what))  # type: ignore[no-untyped-call]

        return hook

    def backward(self, what: str) -> Callable[[Tensor], None]:
        """Make a hook for the gradient of a tensor or parameter."""
        return lambda gradient: self.check(what, gradient)


def _named_tensors(value: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the floating-point tensors of a module's input or output with the place of each."""
    parts: list[tuple[object, Any]] = []
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield "", value
    elif is_dataclass(value) and not isinstance(value, type):
        parts = [(f.name, getattr(value, f.name)) for f in fields(value)]
    elif isinstance(value, (tuple, list)):
        parts = list(enumerate(value))
    elif isinstance(value, dict):
        parts = list(value.items())
    for key, item in parts:
        for _, tensor in _named_tensors(item):
            yield f" [{key}]", tensor
