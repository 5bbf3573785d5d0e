"""Periodic evaluation, best-checkpoint tracking, early stopping."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from loguru import logger

from otadet import dist
from otadet.criteria import Criterion
from otadet.data import Dataset
from otadet.engine.checkpoint_writer import CheckpointWriter
from otadet.engine.evaluate import ValLoss, evaluate
from otadet.engine.loggers import MetricLogger
from otadet.engine.options import TrainOptions
from otadet.engine.run_directory import write_metrics
from otadet.engine.state import TrainState
from otadet.errors import InputError
from otadet.evaluation import Evaluation, SavedEvaluation, format_table, headline
from otadet.exp import BaseExp
from otadet.texts import indented

BEST_DETECTIONS = "best_detections.npz"
"""What ``best.pth`` detects on the validation set, with its ground truth; in the run directory."""


def check_best_metric(exp: BaseExp, data: Dataset) -> None:
    """Check the setting ``best_metric`` against the metrics of the experiment's evaluator.

    Raises:
        InputError: there is no such metric.
    """
    names = exp.build_evaluator(data).names
    if exp.best_metric not in names:
        raise InputError(
            f"setting best_metric: expected one of {', '.join(names)}, the metrics of the "
            f"experiment's evaluator; got {exp.best_metric!r}"
        )


@dataclass(frozen=True, eq=False)
class PeriodicEvaluation:
    """Evaluation of the EMA weights during a run.

    Attributes:
        exp: evaluation, ``best_metric`` and ``patience`` are its settings.
        options: precision, batch size and run directory.
        data: the validation set.
        device: of this process.
        saver: keeps the best.
    """

    exp: BaseExp
    options: TrainOptions
    data: Dataset
    device: torch.device
    saver: CheckpointWriter

    def __call__(
        self,
        state: TrainState,
        criterion: Criterion,
        writer: MetricLogger | None,
        mark: Callable[[str], None],
        total: int,
    ) -> None:
        """Evaluate, log and write the metrics, and save the weights if they are the best so far.

        ``total`` is the number of steps of the run.
        """
        started = time.perf_counter()
        state.model.eval()
        # BatchNorm's statistics differ between processes; what is measured is what is saved.
        dist.broadcast_buffers(state.eval_model)
        loss = ValLoss(criterion) if self.exp.val_loss else None
        evaluator = self.exp.build_evaluator(self.data)
        evaluation = evaluate(
            state.eval_model,
            self.data,
            self.exp,
            self.device,
            self.options.precision,
            batch_size=self.options.batch_size // dist.world_size(),
            loss=loss,
            mark=mark,
            evaluator=evaluator,
        )
        state.model.train()
        state.metrics, state.operating_point = evaluation.metrics, evaluation.operating_point
        value = state.metrics[self.exp.best_metric]
        if value < 0 and dist.is_main():
            logger.warning(
                "best_metric={} is undefined on this validation set, which has no such objects: "
                "best.pth stays that of the first evaluation; choose another metric",
                self.exp.best_metric,
            )
        better = evaluator.improves(self.exp.best_metric, value, state.best)
        if better:
            state.best, state.best_step, state.stale = value, state.step, 0
        else:
            state.stale += 1
        losses = loss.compute() if loss is not None else {}
        seconds = time.perf_counter() - started
        if dist.is_main():
            self.saver.check_folder()
            self._log(evaluation, {**losses, "eval_seconds": seconds}, state, writer, total)
            if better or not (self.options.output / "best.pth").exists():
                mark("save")
                found = SavedEvaluation(evaluator.gts, evaluator.class_names, evaluator.state())
                found.save(self.options.output / BEST_DETECTIONS)
                self.saver.best(state)

    def _log(
        self, evaluation: Evaluation, numbers: dict[str, float], state: TrainState,
        writer: MetricLogger | None, total: int,
    ) -> None:  # fmt: skip
        loss = f"  loss {numbers['loss']:.3f}" if "loss" in numbers else ""
        logger.info(
            "step {}/{}: {}{}",
            state.step, total, headline(state.metrics, self.exp.best_metric), loss,
        )  # fmt: skip
        for note in evaluation.notes:
            logger.warning(note)
        if writer:
            writer.write(state.step, "val", {**state.metrics, **numbers})
        write_metrics(self.options.output, state.metrics)
        if state.step == total:
            logger.info("\n{}", indented(format_table(evaluation)))

    def should_stop_early(self, state: TrainState) -> bool:
        """Whether ``patience`` is exhausted; the same in every process."""
        patience = self.exp.patience
        if patience is None or state.stale < patience:
            return False
        logger.info(
            "step {}: {} no better than {:.3f} for {} evaluations (patience={}): stopping early",
            state.step, self.exp.best_metric, state.best, state.stale, patience,
        )  # fmt: skip
        return True
