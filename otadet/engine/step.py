"""One optimizer step: forward, assignment, loss, backward, update."""

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
    """Result of one optimizer step.

    Attributes:
        report: loss of the whole batch, ``None`` where predictions were not finite.
        applied: scalar bool on the device: whether the weights were changed.
        grad_norm: scalar on the device, before clipping.
        local_finite: whether this process's own predictions were finite.
    """

    report: LossReport | None
    applied: Tensor
    grad_norm: Tensor
    local_finite: bool = True


class _PeerNonFiniteError(NonFiniteError):
    """Only another process's predictions are not finite."""


@dataclass(frozen=True, eq=False)
class Step:
    """The optimizer step; it changes a :class:`~otadet.engine.state.TrainState`.

    A step with a non-finite loss or gradient does not change the weights. The assigner checks the
    predictions when it synchronises anyway; several processes agree before that, which synchronises
    once more. The loss scaler checks gradients, equal in all processes once they are summed, on the
    device without synchronising.

    Attributes:
        network: the state's model, compiled or inside DDP where requested.
        schedule: learning rate of a step; each parameter group scales it.
        precision: of the forward pass.
        layout: memory format of the images.
        clip_grad: largest norm of the gradient; 0 does not clip.
        parts: gradient accumulation: parts of the batch.
        keep_buffers: keep a copy of BatchNorm's statistics, to undo a skipped step's.
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
        """Run step ``state.step``.

        Apart from BatchNorm, the gradient of a batch in parts is that of the whole batch: the
        number of positives is pooled over the parts.

        Args:
            state: changed.
            criterion: the loss.
            batch: on the device.
            synced: called after the first synchronisation and before the weights change; results
                that the last step copied asynchronously have arrived by then.
            mark: called with the name of each phase as it begins.
        """
        state.set_lr(self.schedule(state.step))
        state.optimizer.zero_grad(set_to_none=True)
        if self.keep_buffers:  # before the first step too, whose predictions may not be finite
            state.remember_buffers()
        pieces = batch.split(self.parts)
        reports: list[LossReport] = []
        for piece in pieces:
            last = len(reports) + 1 == len(pieces)
            try:
                with nullcontext() if last else self._no_sync():
                    report = self._backward(state, criterion, piece, reports, mark)
            except NonFiniteError as error:
                local_finite = isinstance(error, _PeerNonFiniteError)
                return self._skip_step(state, batch.images.device, local_finite)
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
    ) -> LossReport:
        mark("forward")
        images = piece.images.contiguous(memory_format=self.layout)
        with self.precision.autocast():
            predictions: Predictions = self.network(images)
        if dist.world_size() > 1:  # all must know before one of them raises
            here, everywhere = are_finite(predictions)
            if not everywhere:
                raise (_PeerNonFiniteError if here else NonFiniteError)("predictions")
        mark("assignment and loss")
        report = criterion(predictions, piece.targets)
        # In units of the first part's number of positives; _update rescales to the pooled one.
        loss = report.total * (_norm(report) / _norm(before[0])) if before else report.total
        # A non-finite loss may have a finite gradient. Make it NaN: the sum over processes then
        # informs all of them without another collective.
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
            # A norm that overflows float32 also skips the step; the scaler checks each value, so
            # one is made NaN.
            gradients[0].mul_(torch.where(norm.isfinite(), 1.0, torch.nan))
        # Without a scaler (MPS) the host checks, which synchronises.
        if state.scaler.is_enabled() or bool(norm.isfinite()):
            state.scaler.step(state.optimizer)
        state.scaler.update(self.precision.fixed_scale)
        return StepResult(report, norm.isfinite(), norm)

    def _skip_step(self, state: TrainState, device: torch.device, local_finite: bool) -> StepResult:
        state.optimizer.zero_grad(set_to_none=True)
        if self.keep_buffers:  # the forward pass has updated BatchNorm's statistics
            state.restore_buffers()
        state.step += 1
        nothing = torch.zeros((), device=device)
        return StepResult(None, nothing.bool(), nothing, local_finite)

    def _no_sync(self) -> AbstractContextManager[None]:
        """Return the context that defers DDP's gradient sum to the last part."""
        if isinstance(self.network, DistributedDataParallel):
            return self.network.no_sync()
        return nullcontext()


def zero_of_all(predictions: Predictions) -> Tensor:
    """Return a float32 zero that depends on all predictions.

    Added to a loss it gives every parameter a gradient, which DDP needs, whatever the criterion
    leaves out. Half-precision logits are summed in float32: their sum may overflow, and 0 times
    infinity is NaN.
    """
    learned = [tensor for tensor in predictions.tensors() if tensor.requires_grad]
    return 0.0 * torch.stack([v.sum(dtype=torch.float32) for v in learned]).sum()


def are_finite(predictions: Predictions) -> tuple[bool, bool]:
    """Whether the predictions are finite in this process, and in all processes; synchronises."""
    mine = torch.stack([t.detach().isfinite().all() for t in predictions.tensors()]).all().float()
    here, everywhere = torch.stack([mine, dist.minimum(mine)]).tolist()
    return bool(here), bool(everywhere)


def finite_images(predictions: Predictions) -> Tensor:
    """Return ``[B]`` bool: whether all predictions of an image are finite."""
    finite = [t.detach().isfinite().flatten(1).all(dim=1) for t in predictions.tensors()]
    return torch.stack(finite).all(dim=0)


def pooled(reports: Sequence[LossReport]) -> LossReport:
    """Combine the reports of a batch's parts, weighted by their number of positives."""
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
    """Return what the terms were divided by."""
    return report.positives.clamp(min=1.0)
