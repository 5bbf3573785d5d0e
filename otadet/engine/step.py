"""One step of the optimizer: forward, assignment, loss, backward, update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from otadet import dist
from otadet.criteria import Criterion
from otadet.engine.precision import Precision
from otadet.engine.state import TrainState
from otadet.errors import NonFiniteError
from otadet.optim import Schedule
from otadet.types import Batch, LossReport, Predictions


@dataclass(frozen=True, eq=False)
class StepResult:
    """What came of a step.

    Attributes:
        report: the loss of the whole batch, ``None`` where predictions were not finite.
        ok: scalar bool on the device: whether weights were changed.
        grad_norm: scalar on the device, before clipping.
        mine: whether this process's own predictions were finite.
    """

    report: LossReport | None
    applied: Tensor
    grad_norm: Tensor
    local_finite: bool = True


@dataclass(frozen=True)
class Unusable:
    """Predictions that were not finite somewhere; ``mine`` are, or are not."""

    mine: bool


@dataclass(frozen=True, eq=False)
class Step:
    """How steps are taken; what they change is the :class:`~otadet.engine.state.TrainState`.

    A step whose loss or gradient is not finite leaves the weights alone. Predictions are looked at
    by the assigner, in the one wait for the device that it has anyway; several processes have to
    agree before that, which is one wait more. For gradients, which are the same everywhere once
    they are summed, the loss scaler does it on the device without a wait.

    Attributes:
        network: what is called; the state's model, perhaps inside DDP.
        schedule: learning rate of a step; each parameter group takes its share of it.
        precision: of the forward pass.
        layout: of pictures in memory.
        clip_grad: largest norm of the gradient; 0 leaves it alone.
        parts: pieces that the batch goes through the network in.
        keep_buffers: be able to leave out a step whose predictions are not finite and go on.
    """

    network: nn.Module
    schedule: Schedule
    precision: Precision
    layout: torch.memory_format
    clip_grad: float = 0.0
    parts: int = 1
    keep_buffers: bool = False

    def __call__(
        self,
        state: TrainState,
        criterion: Criterion,
        batch: Batch,
        synced: Callable[[], None] = lambda: None,
        mark: Callable[[str], None] = lambda phase: None,
    ) -> StepResult:
        """Take step ``state.step`` with ``batch``, which is on the device.

        ``mark`` is told each phase as it begins, for messages about a step that does not end.
        ``synced`` is called after the wait for the device and before the weights change: what was
        sent on its way in the last step has arrived by then.

        The gradient of a batch in parts is that of the whole batch, BatchNorm apart: the number of
        positives is pooled over the parts.
        """
        state.set_lr(self.schedule(state.step))
        state.optimizer.zero_grad(set_to_none=True)
        if self.keep_buffers:  # before the first step too, whose predictions may not be finite
            state.remember_buffers()
        pieces = batch.split(self.parts)
        reports: list[LossReport] = []
        for piece in pieces:
            last = len(reports) + 1 == len(pieces)
            with nullcontext() if last else self._no_sync():
                report = self._backward(state, criterion, piece, reports, mark)
            if isinstance(report, Unusable):
                return self.skip_step(state, batch.images.device, report.mine)
            if not reports:
                synced()
            reports.append(report)
        mark("update")
        taken = self._update(state, reports)
        state.step += 1
        if state.ema is not None:
            state.ema.update(state.step)
        return taken

    def _backward(
        self,
        state: TrainState,
        criterion: Criterion,
        piece: Batch,
        before: Sequence[LossReport],
        mark: Callable[[str], None],
    ) -> LossReport | Unusable:
        mark("forward")
        images = piece.images.contiguous(memory_format=self.layout)
        with self.precision.autocast():
            predictions: Predictions = self.network(images)
        if dist.world_size() > 1:  # all have to know it before one of them raises
            mine, everywhere = are_finite(predictions)
            if not everywhere:
                return Unusable(mine)
        mark("assignment and loss")
        try:
            report = criterion(predictions, piece.targets)
        except NonFiniteError:
            return Unusable(False)
        # In units of the first part's number of positives; _update puts the pooled one in.
        loss = report.total * (_norm(report) / _norm(before[0])) if before else report.total
        # A loss that is not finite need not have such a gradient. It gets one, and the sum over
        # processes tells all of them, without another message.
        loss = loss * torch.where(loss.detach().isfinite(), 1.0, torch.nan)
        loss = loss + zero_of_all(predictions)
        mark("backward")
        state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return replace(report, total=report.total.detach())

    def _update(self, state: TrainState, reports: Sequence[LossReport]) -> StepResult:
        if self.precision.fixed_scale is None:
            state.scaler.unscale_(state.optimizer)
        gradients = [p.grad for p in state.model.parameters() if p.grad is not None]
        report = reports[0]
        if len(reports) > 1:
            report = pooled(reports)
            torch._foreach_mul_(gradients, _norm(reports[0]) / _norm(report))
        norm = get_total_norm(gradients, foreach=True)
        if self.clip_grad > 0:
            parameters = [p for p in state.model.parameters() if p.grad is not None]
            clip_grads_with_norm_(parameters, self.clip_grad, norm, foreach=True)
        if self.precision.fixed_scale is not None:
            # A norm too large for float32 is a step not to take either; the scaler looks at each
            # number, so it is shown one.
            gradients[0].mul_(torch.where(norm.isfinite(), 1.0, torch.nan))
        # Where there is no scaler (Apple's GPUs) the host looks, at the price of a wait.
        if state.scaler.is_enabled() or bool(norm.isfinite()):
            state.scaler.step(state.optimizer)
        state.scaler.update(self.precision.fixed_scale)
        return StepResult(report, norm.isfinite(), norm)

    def skip_step(self, state: TrainState, device: torch.device, mine: bool) -> StepResult:
        state.optimizer.zero_grad(set_to_none=True)
        if self.keep_buffers:  # the forward pass has put its numbers into BatchNorm's statistics
            state.restore_buffers()
        state.step += 1
        nothing = torch.zeros((), device=device)
        return StepResult(None, nothing.bool(), nothing, mine)

    def _no_sync(self) -> AbstractContextManager[None]:
        """No exchange of gradients before the last part has added its own."""
        if isinstance(self.network, DistributedDataParallel):
            return self.network.no_sync()
        return nullcontext()


def zero_of_all(predictions: Predictions) -> Tensor:
    """Return 0 that depends on all that was predicted, in float32.

    Added to a loss it gives every parameter a gradient, whatever the criterion leaves out: several
    processes wait for the gradients of all parameters. Logits of half precision are summed in
    float32, since many of them add up to infinity, and 0 times that is NaN.
    """
    learned = [tensor for tensor in predictions.tensors() if tensor.requires_grad]
    return 0.0 * torch.stack([v.sum(dtype=torch.float32) for v in learned]).sum()


def are_finite(predictions: Predictions) -> tuple[bool, bool]:
    """Whether every number of this process's predictions is finite, and of all processes'; waits
    for the device once."""
    mine = torch.stack([t.detach().isfinite().all() for t in predictions.tensors()]).all().float()
    here, everywhere = torch.stack([mine, dist.minimum(mine)]).tolist()
    return bool(here), bool(everywhere)


def pooled(reports: Sequence[LossReport]) -> LossReport:
    """The report of a batch from those of its parts, each weighed by its number of positives."""
    positives = torch.stack([r.positives for r in reports]).sum()
    norm = positives.clamp(min=1.0)

    def mean(values: Sequence[Tensor]) -> Tensor:
        return torch.stack([v * _norm(r) for v, r in zip(values, reports)]).sum() / norm

    return LossReport(
        total=mean([r.total for r in reports]),
        terms={k: mean([r.terms[k] for r in reports]) for k in reports[0].terms},
        positives=positives,
        stats={
            k: torch.stack([r.stats[k].float() for r in reports]).mean() for k in reports[0].stats
        },
    )


def _norm(report: LossReport) -> Tensor:
    """What the terms were divided by."""
    return report.positives.clamp(min=1.0)
