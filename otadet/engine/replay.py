"""Take a step again on the CPU and find the first tensor that is not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from otadet.engine.replay_bundle import ReplayBundle
from otadet.exp import BaseExp
from otadet.models import load_state
from otadet.types import Batch, Predictions


@dataclass(frozen=True)
class NonFiniteTensor:
    """The first tensor that is not finite.

    Attributes:
        what: for example ``output of head.reg_out`` or ``gradient of backbone.stem.0.weight``.
        images: ids of the pictures it is so for; none where the tensor is not one of pictures.
        values: how many numbers are NaN, how many infinite, of how many.
    """

    what: str
    images: tuple[int, ...]
    values: tuple[int, int, int]

    def __str__(self) -> str:
        nan, inf, count = self.values
        images = f", image id {', '.join(map(str, self.images))}" if self.images else ""
        return f"{self.what}{images}: {nan} NaN and {inf} infinite of {count} numbers"


class _Found(Exception):
    """Ends a pass at the first finding."""

    def __init__(self, finding: NonFiniteTensor) -> None:
        super().__init__(str(finding))
        self.finding = finding


class _InDouble(TorchFunctionMode):
    """``.float()`` of a tensor in float64 leaves it alone: networks decode in float32 on purpose,
    which would bring the range of float32 back."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        if func is Tensor.float and args[0].dtype in (torch.float64, torch.uint8):
            return args[0].double()
        return func(*args, **(kwargs or {}))


def replay(bundle: ReplayBundle, exp: BaseExp, double: bool) -> NonFiniteTensor | None:
    """Forward pass, loss and backward pass of the bundle's step, in parts as the run took it.

    Args:
        bundle: the step.
        exp: its experiment, with the bundle's settings.
        double: network in float64; the loss is computed in float32 as always. Otherwise in the
            precision of the run.

    Returns:
        The first tensor that is not finite, in the order of computation, or ``None``.

    Raises:
        RuntimeError: where the CPU cannot compute in that precision.
    """
    for index, piece in enumerate(bundle.batch.split(bundle.parts)):
        model = exp.build_model(len(bundle.class_names))
        load_state(model, bundle.weights, f"bundle {bundle.path}")
        model.freeze(exp.freeze)  # whose norms take their own statistics, as in the run
        exp.before_step(model, bundle.progress)
        model.train()
        torch.set_rng_state(bundle.rng)
        try:
            _take(model.double() if double else model, exp, piece, _arithmetic(bundle, double))
        except _Found as found:
            part = f"part {index + 1} of {bundle.parts}: " if bundle.parts > 1 else ""
            finding = found.finding
            return NonFiniteTensor(part + finding.what, finding.images, finding.values)
    return None


def _arithmetic(bundle: ReplayBundle, double: bool) -> AbstractContextManager[object]:
    if double:
        return _InDouble()
    if bundle.precision == "fp32":
        return nullcontext()
    dtype = torch.float16 if bundle.precision == "fp16" else torch.bfloat16
    return torch.autocast("cpu", dtype=dtype)


def _take(
    model: nn.Module, exp: BaseExp, batch: Batch, arithmetic: AbstractContextManager[object]
) -> None:
    inspector = _Inspector(batch.image_ids)
    with ExitStack() as hooks:
        for name, module in model.named_modules():
            hooks.callback(
                module.register_forward_hook(inspector.forward(name or "the network")).remove
            )
        with arithmetic:
            predictions: Predictions = model(batch.images)
    report = exp.build_criterion()(predictions, batch.targets)
    for name, term in [*report.terms.items(), ("loss", report.total)]:
        inspector.look(f"criterion: {name}", term)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.register_hook(inspector.backward(f"gradient of {name}"))  # type: ignore[no-untyped-call]
    report.total.backward()  # type: ignore[no-untyped-call]


class _Inspector:
    """Looks at tensors as they come and raises :class:`_Found` at the first that is not finite."""

    def __init__(self, image_ids: Sequence[int]) -> None:
        self.image_ids = image_ids

    def look(self, what: str, tensor: Tensor) -> None:
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
        """A hook for a module: what comes in was made by no module where none was blamed yet."""

        def hook(module: nn.Module, inputs: Any, outputs: Any) -> None:
            for tensor in _tensors(inputs):
                self.look(f"input of {name} (made outside of any module)", tensor)
            for part, tensor in _named(outputs):
                self.look(f"output of {name}{part}", tensor)
                if tensor.requires_grad:
                    blame = f"gradient at the output of {name}{part}"
                    tensor.register_hook(self.backward(blame))  # type: ignore[no-untyped-call]

        return hook

    def backward(self, what: str) -> Callable[[Tensor], None]:
        """A hook for a tensor or a parameter."""
        return lambda gradient: self.look(what, gradient)


def _named(value: Any) -> Iterator[tuple[str, Tensor]]:
    """Floating tensors of a module's output with what distinguishes them."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            for _, tensor in _named(getattr(value, field.name)):
                yield f" ({field.name})", tensor
    elif isinstance(value, (tuple, list)):
        for index, item in enumerate(value):
            for _, tensor in _named(item):
                yield f" [{index}]", tensor
    elif isinstance(value, dict):
        for key, item in value.items():
            for _, tensor in _named(item):
                yield f" [{key}]", tensor
    elif isinstance(value, Tensor) and value.is_floating_point():
        yield "", value


def _tensors(value: Any) -> Iterator[Tensor]:
    return (tensor for _, tensor in _named(value))
