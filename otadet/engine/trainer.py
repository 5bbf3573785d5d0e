"""The training loop. The order of this file is the order of events."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from loguru import logger
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from otadet import dist
from otadet.criteria import Criterion
from otadet.data import BatchOrder, build_loader
from otadet.engine.checkpoint import Checkpoint, save_checkpoint
from otadet.engine.devices import loader_workers, make_deterministic, memory_layout
from otadet.engine.ema import Ema, longest_memory
from otadet.engine.evaluate import evaluate
from otadet.engine.fault import Fault, Faults, Watch
from otadet.engine.plan import DrawPlan, Stage, stages
from otadet.engine.precision import Precision
from otadet.engine.start import prepare
from otadet.engine.state import BEFORE_LAST, TrainState, check_same_run, load_last
from otadet.engine.step import Step
from otadet.engine.stop import StopSignals
from otadet.engine.window import Window
from otadet.engine.writers import MetricWriter, write_metrics
from otadet.errors import InputError
from otadet.evaluation import METRIC_NAMES, Evaluation, format_table
from otadet.exp import Exp
from otadet.rng import seed_all
from otadet.types import Batch

LOG_INTERVAL = 10
"""Steps between lines of ``metrics.jsonl``; only there the loop waits for the device's numbers."""


@dataclass(frozen=True)
class TrainOptions:
    """What a run is told besides its experiment.

    Attributes:
        output: folder of the run.
        batch_size: pictures a step over all devices.
        precision: of the forward pass.
        resume: go on from ``output/last.pth``.
        weights: file that a new run starts from, in place of the experiment's own.
        compile: let torch compile the network.
        deterministic: use only operations that give the same bits every time.
    """

    output: Path
    batch_size: int
    precision: Precision
    resume: bool = False
    weights: Path | None = None
    compile: bool = False
    deterministic: bool = False


class Trainer:
    """One run of an experiment on one device of possibly many.

    Args:
        exp: the experiment.
        options: what the command line said.
        device: of this process.

    Raises:
        InputError: for data, settings or checkpoints that cannot be used.
    """

    def __init__(self, exp: Exp, options: TrainOptions, device: torch.device) -> None:
        if options.batch_size % dist.world_size():
            raise InputError(
                f"-b {options.batch_size}: expected a multiple of the {dist.world_size()} devices"
            )
        self.exp, self.options, self.device = exp, options, device
        seed_all(exp.seed)
        if options.deterministic:
            make_deterministic()
        self.train_data = exp.build_train_data()
        self.class_names = self.train_data.class_names
        self.val_data = exp.build_val_data(self.class_names)
        if exp.best_metric not in METRIC_NAMES:
            raise InputError(
                f"setting best_metric: expected one of {', '.join(METRIC_NAMES)}; "
                f"got {exp.best_metric!r}"
            )
        self.order = BatchOrder(
            self.train_data.sizes,
            batch_size=options.batch_size // dist.world_size(),
            seed=exp.seed,
            rank=dist.rank(),
            world_size=dist.world_size(),
            group_by_aspect=exp.aspect_grouping and exp.resize == "shortest",
        )
        self.epoch_steps = self.order.steps_per_epoch
        self.total = (
            exp.max_iters if exp.max_iters is not None else exp.max_epochs * self.epoch_steps
        )
        self.stages = stages(exp, self.total, self.epoch_steps)
        self.stage = self.stages[0]
        self.criterion: Criterion = exp.build_criterion()

        model = exp.build_model(len(self.class_names))
        prepare(model, exp, self.train_data, device, weights=options.weights, resume=options.resume)
        layout = memory_layout(device, exp.cpu_layout)
        if exp.sync_norm and device.type == "cuda" and dist.world_size() > 1:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        model = model.to(device=device, memory_format=layout)  # type: ignore[call-overload]
        hold = self.total - self.stages[-1].start if len(self.stages) > 1 else 0
        self.schedule = exp.build_schedule(self.total, options.batch_size, hold)
        decay = longest_memory(exp.ema_decay, self.total)
        self.state = TrainState(
            model,
            exp.build_optimizer(model),
            options.precision.scaler(),
            Ema(model, decay, min(2000.0, self.total / 10)) if decay > 0 else None,
        )
        self.network = self._called(model)
        self.step = Step(
            self.network,
            self.schedule,
            options.precision,
            layout,
            clip_grad=exp.clip_grad,
            parts=exp.accumulate,
            keep_buffers=exp.skip_nonfinite > 0,
        )
        self.watch = Watch(options.precision)
        self.faults = Faults(options.output, exp.skip_nonfinite)
        self.stop = StopSignals()
        self.seconds = 0.0
        if options.resume:
            self._resume(load_last(options.output))

    def run(self) -> int:
        """Train to the end. Returns 0, or 128 + N when signal N ended the run (after a save)."""
        started = time.perf_counter()
        resumed = self.state.step if self.options.resume else None
        writer = MetricWriter(self.options.output, resumed) if dist.is_main() else None
        try:
            with self.stop.heard():
                return self._loop(writer)
        finally:
            self.seconds = time.perf_counter() - started
            if writer:
                writer.close()

    def _loop(self, writer: MetricWriter | None) -> int:
        state, window = self.state, Window()
        batches = iter(
            build_loader(
                self.train_data,
                DrawPlan.of(self.stages),
                self.order,
                workers=loader_workers(self.exp.workers),
                seed=self.exp.seed,
                start_step=state.step,
                pin_memory=self.device.type == "cuda",
            )
        )
        self.network.train()
        with tqdm(
            total=self.total,
            initial=state.step,
            desc=self.exp.name,
            unit="step",
            disable=not dist.is_main(),
            dynamic_ncols=True,
            mininterval=0.5 if sys.stderr.isatty() else 30,  # a log file is no terminal
        ) as bar:
            while state.step < self.total:
                self._enter_stage()
                waited = time.perf_counter()
                batch = next(batches)
                window.wait += time.perf_counter() - waited
                self._train_step(batch.to(self.device), window)
                bar.update()
                last = state.step == self.total
                if state.step % LOG_INTERVAL == 0 or last:
                    numbers = window.flush(self.schedule(state.step - 1))
                    bar.set_postfix_str(f"loss {numbers.get('loss', float('nan')):.3f}")
                    if writer:
                        writer.write(state.step, "train", numbers)
                epoch_ends = state.step % self.epoch_steps == 0 or last
                if epoch_ends or self._save_is_due():
                    paused = time.perf_counter()
                    self._settle()
                    epoch = state.step // self.epoch_steps
                    if last or (epoch_ends and epoch % self.stage.exp.eval_interval == 0):
                        self._evaluate(writer)
                    self._save_last()
                    window.start += time.perf_counter() - paused
                    if not last and self._has_had_enough():
                        return 0
                # After the evaluation: one that is due is not lost by a stop at an epoch's end.
                if not last and self.stop.stopping(self.device, state.step):
                    self._settle()
                    self._save_last()
                    logger.warning("stopped by a signal at step {}; --resume goes on", state.step)
                    return self.stop.exit_code
        return 0

    def _enter_stage(self) -> None:
        """Take the criterion of the phase that this step belongs to."""
        stage = [s for s in self.stages if s.start <= self.state.step][-1]
        if stage is self.stage:
            return
        self.stage = stage
        self.criterion = stage.exp.build_criterion()
        if dist.is_main():
            logger.info("from step {} on: {}", stage.start, _changes(self.stages, stage))

    def _train_step(self, batch: Batch, window: Window) -> None:
        taken = self.step(self.state, self.criterion, batch, synced=self._settle)
        window.add(taken, batch)
        if taken.report is None:
            self._fault(Fault(self.state.step, batch, "predictions"))
            return
        self.watch.put(self.state.step, batch, taken)
        if self.device.type != "cuda":
            self._settle()

    def _settle(self) -> None:
        """Hear what became of the last step."""
        fault = self.watch.fault()
        if fault is not None:
            self._fault(fault)
        else:
            self.faults.count = 0

    def _fault(self, fault: Fault) -> None:
        self.faults.met(fault, self.stage.exp, self.class_names, self.state)

    def _evaluate(self, writer: MetricWriter | None) -> None:
        state = self.state
        state.model.eval()
        # BatchNorm's statistics differ between processes; what is measured is what is saved.
        dist.broadcast_buffers(state.eval_model)
        evaluation = evaluate(
            state.eval_model,
            self.val_data,
            self.exp,
            self.device,
            self.options.precision,
            batch_size=self.options.batch_size // dist.world_size(),
        )
        self.network.train()
        state.metrics = evaluation.metrics
        value = state.metrics[self.exp.best_metric]
        better = value > state.best
        state.best = max(state.best, value)
        state.stale = 0 if better else state.stale + 1
        if dist.is_main():
            self._say(evaluation, writer)
            if better or not (self.options.output / "best.pth").exists():
                self._save("best.pth", training=None)

    def _say(self, evaluation: Evaluation, writer: MetricWriter | None) -> None:
        state = self.state
        logger.info(
            "step {}/{}: AP {:.3f}  AP50 {:.3f}",
            state.step, self.total, state.metrics["AP"], state.metrics["AP50"],
        )  # fmt: skip
        for note in evaluation.notes:
            logger.warning(note)
        if writer:
            writer.write(state.step, "val", state.metrics)
        write_metrics(self.options.output, state.metrics)
        if state.step == self.total:
            logger.info("\n{}", format_table(evaluation))

    def _has_had_enough(self) -> bool:
        """Whether ``patience`` is at its end; every process has the same metrics."""
        patience = self.exp.patience
        if patience is None or self.state.stale < patience:
            return False
        logger.info(
            "step {}: {} is no better than {:.3f} since {} evaluations (patience={}); stopping",
            self.state.step, self.exp.best_metric, self.state.best, self.state.stale, patience,
        )  # fmt: skip
        return True

    def _save_is_due(self) -> bool:
        every = self.exp.save_interval
        return every is not None and self.state.step % every == 0

    def _save_last(self) -> None:
        run = {"steps": self.total, "batch_size": self.options.batch_size}
        training = {**self.state.training(), **run}
        if dist.is_main():
            self._save("last.pth", training)

    def _save(self, name: str, training: dict[str, object] | None) -> None:
        folder = self.options.output
        save_checkpoint(
            folder / name,
            experiment=self.exp.name,
            settings=self.exp.as_dict(),
            class_names=self.class_names,
            weights=self.state.eval_model.state_dict(),
            step=self.state.step,
            metrics=self.state.metrics,
            training=training,
            previous=folder / BEFORE_LAST if training is not None else None,
        )

    def _resume(self, checkpoint: Checkpoint) -> None:
        run = {
            "classes": list(self.class_names),
            **self.exp.as_dict(),
            "steps": self.total,
            "batch_size": self.options.batch_size,  # -b goes before the experiment's own
        }
        check_same_run(checkpoint, run)
        self.state.restore(checkpoint)
        logger.info("resumed {} at step {}", checkpoint.path, self.state.step)

    def _called(self, model: nn.Module) -> nn.Module:
        """The model as a step calls it: compiled, and in DDP, where that is asked for."""
        if self.options.compile:
            # In place: names of weights stay; one graph for each of multi-scale's few sizes.
            model.compile(dynamic=False)
        if dist.world_size() == 1:
            return model
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, gradient_as_bucket_view=True)


def _changes(run: tuple[Stage, ...], stage: Stage) -> str:
    """What a stage's settings are that the one before had otherwise."""
    before = run[run.index(stage) - 1].exp.as_dict()
    now = stage.exp.as_dict()
    return ", ".join(f"{k}={v}" for k, v in now.items() if before[k] != v) or "as before"
