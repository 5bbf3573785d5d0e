"""The training loop. The order of this file is the order of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace

import torch
from loguru import logger
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from otadet import dist
from otadet.criteria import Criterion
from otadet.data import BatchOrder, build_loader
from otadet.engine.checkpoint import Checkpoint
from otadet.engine.checkpoint_writer import CheckpointWriter
from otadet.engine.devices import loader_workers, make_deterministic, memory_layout
from otadet.engine.ema import Ema, cap_decay
from otadet.engine.init_weights import infer_settings, init_weights
from otadet.engine.loggers import MetricLogger, MetricLoggers, RunInfo
from otadet.engine.nonfinite import ADVICE, NonFiniteHandler, NonFiniteMonitor
from otadet.engine.norms import check_norms
from otadet.engine.options import TrainOptions
from otadet.engine.periodic_evaluation import PeriodicEvaluation, check_best_metric
from otadet.engine.profiling import profiled
from otadet.engine.progress import Progress
from otadet.engine.replay_bundle import NonFiniteStep
from otadet.engine.run_errors import RunContext, to_run_error
from otadet.engine.running_metrics import RunningMetrics, RunTotals
from otadet.engine.stages import SampleSchedule, Stage, build_stages
from otadet.engine.state import TrainState, check_same_run, load_last
from otadet.engine.step import Step
from otadet.engine.stop_signals import StopSignals
from otadet.engine.watchdog import Watchdog
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.rng import seed_all
from otadet.types import Batch

LOG_INTERVAL = 10
"""Steps between lines of ``metrics.jsonl``; only there the loop waits for the device's numbers."""


class Trainer:
    """One run of an experiment on one device of possibly many.

    Args:
        exp: the experiment.
        options: what the command line said.
        device: of this process.

    Raises:
        InputError: for data, settings or checkpoints that cannot be used.
    """

    def __init__(self, exp: BaseExp, options: TrainOptions, device: torch.device) -> None:
        if options.batch_size % dist.world_size():
            raise InputError(
                f"-b {options.batch_size}: expected a multiple of the {dist.world_size()} devices"
            )
        self.options, self.device = options, device
        seed_all(exp.seed)
        if options.deterministic:
            make_deterministic()
        self.train_data = exp.build_train_data()
        self.exp = exp = infer_settings(exp, self.train_data)
        self.class_names = self.train_data.class_names
        self.val_data = exp.build_val_data(self.class_names)
        check_best_metric(exp, self.val_data)
        self.order = BatchOrder(
            self.train_data.sizes,
            batch_size=options.batch_size // dist.world_size(),
            seed=exp.seed,
            rank=dist.rank(),
            world_size=dist.world_size(),
            group_by_aspect=exp.group_by_aspect(),
        )
        self.epoch_steps = self.order.steps_per_epoch
        self.total = (
            exp.max_iters if exp.max_iters is not None else exp.max_epochs * self.epoch_steps
        )
        self.stages = build_stages(exp, self.total, self.epoch_steps)
        self.stage = self.stages[0]
        self.plan = SampleSchedule.of(self.stages)
        self.criterion: Criterion = exp.build_criterion()

        model = exp.build_model(len(self.class_names))
        init_weights(
            model, exp, self.train_data, device, weights=options.weights, resume=options.resume
        )
        layout = memory_layout(device, exp.cpu_layout)
        if exp.sync_norm and device.type == "cuda" and dist.world_size() > 1:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        model = model.to(device=device, memory_format=layout)  # type: ignore[call-overload]
        check_norms(model, self.stages, options.batch_size)
        hold = self.total - self.stages[-1].start if len(self.stages) > 1 else 0
        self.schedule = exp.build_schedule(self.total, options.batch_size, hold)
        decay = cap_decay(exp.ema_decay, self.total)
        self.state = TrainState(
            model,
            exp.build_optimizer(model),
            options.precision.scaler(),
            Ema(model, decay, min(2000.0, self.total / 10)) if decay > 0 else None,
            base_lr=exp.lr,
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
        self.watch = NonFiniteMonitor(options.precision)
        self.faults = NonFiniteHandler(
            options.output, exp.skip_nonfinite, options.precision, self.total
        )
        self.stop = StopSignals()
        self.watchdog = Watchdog(options.hang_timeout, options.output / "log.txt")
        self.saver = CheckpointWriter(
            options.output, exp, self.class_names, self.total, options.batch_size,
            options.precision.name,
        )  # fmt: skip
        self.scoring = PeriodicEvaluation(
            exp, options, self.val_data, device, self.saver, self.total
        )
        self.totals = RunTotals()
        self.batch: Batch | None = None
        if options.resume:
            self._resume(load_last(options.output))

    @property
    def finished(self) -> bool:
        """Whether all steps and evaluations are done, in this start of the command or before."""
        return self.state.step >= self.total and not self.state.evaluation_due

    def run(self) -> int:
        """Train to the end. Returns 0, or 128 + N when signal N ended the run (after a save);
        signals count where the caller has opened ``stop.handling()``.

        Raises:
            InputError: for data that turn out to be unusable.
            RunError: for what is known to end runs: memory, disk, processes that are gone.
            FloatingPointError: for numbers that are not finite, more often than is allowed.
        """
        started = time.perf_counter()
        writer = self._writers() if dist.is_main() else None
        try:
            with self.watchdog.watching(), closing(self._batches()) as batches:
                return self._loop(batches, writer)
        except Exception as error:
            at = RunContext(self.watchdog.where, self.device, self.batch)
            known = to_run_error(error, at)
            if known is error:
                raise
            raise known from error
        finally:
            self.totals.seconds = time.perf_counter() - started
            if writer:
                writer.close()

    def _writers(self) -> MetricLogger:
        resumed = self.state.step if self.options.resume else None
        run = RunInfo(
            self.options.output, self.exp.name, self.exp.as_dict(), resumed,
            self.state.evaluation_due,
        )  # fmt: skip
        return MetricLoggers(self.options.log, run)

    def _batches(self) -> Generator[Batch, None, None]:
        return iter(
            build_loader(
                self.train_data,
                self.plan,
                self.order,
                workers=loader_workers(self.exp.workers),
                seed=self.exp.seed,
                start_step=self.state.step,
                pin_memory=self.device.type == "cuda",
            )
        )

    def _loop(self, batches: Iterator[Batch], writer: MetricLogger | None) -> int:
        state, window, mark = self.state, RunningMetrics(), self.watchdog.mark
        self.network.train()
        trace = self.options.output / "profile" if self.options.profile and writer else None
        shown = Progress(self.exp.name, self.total, state.step, dist.is_main())
        with shown, profiled(trace, self.device) as step_done:
            if state.evaluation_due:  # the run ended before it or in the middle of it
                self._enter_stage(state.step - 1)
                self._evaluate(writer)
                if state.step < self.total and self.scoring.should_stop_early(state):
                    return 0
                window = RunningMetrics()
            while state.step < self.total:
                self._enter_stage(state.step)
                self.watchdog.step = state.step + 1
                mark("waiting for data")
                waited = time.perf_counter()
                self.batch = next(batches)
                window.data_wait += time.perf_counter() - waited
                self._train_step(self.batch.to(self.device), window)
                step_done()
                shown.update()
                last = state.step == self.total
                if state.step % LOG_INTERVAL == 0 or last:
                    mark("numbers")
                    numbers = window.means(state.lr, self.totals)
                    window = RunningMetrics()
                    shown.numbers(state.step, numbers.get("loss", float("nan")))
                    if writer:
                        writer.write(state.step, "train", numbers)
                epoch_ends = state.step % self.epoch_steps == 0 or last
                if epoch_ends or self._save_is_due():
                    paused = time.perf_counter()
                    self._settle()
                    epoch = state.step // self.epoch_steps
                    due = last or (epoch_ends and epoch % self.stage.exp.eval_interval == 0)
                    state.evaluation_due = due and self._has_learned(last)
                    self._save()  # before the evaluation, which may fail
                    if state.evaluation_due:
                        self._evaluate(writer)
                    window.start += time.perf_counter() - paused
                    if not last and self.scoring.should_stop_early(state):
                        return 0
                # After the evaluation: one that is due is not lost by a stop at an epoch's end.
                if not last and self.stop.should_stop(self.device, state.step):
                    self._settle()
                    self._save()
                    logger.warning("stopped by a signal at step {}; --resume goes on", state.step)
                    return self.stop.exit_code
        return 0

    def _evaluate(self, writer: MetricLogger | None) -> None:
        """Run the evaluation that is due and save its result."""
        self.scoring(self.state, self.criterion, writer, self.watchdog.mark)
        self.state.evaluation_due = False
        self._save(again=True)

    def _enter_stage(self, step: int) -> None:
        """Take the experiment and the criterion of the phase that this step belongs to."""
        stage = [s for s in self.stages if s.start <= step][-1]
        stage.exp.before_step(self.state.model, step / self.total)
        if stage is self.stage:
            return
        self.stage = stage
        self.criterion = stage.exp.build_criterion()
        if dist.is_main():
            logger.info("from step {} on: {}", stage.start, _changes(self.stages, stage))

    def _train_step(self, batch: Batch, window: RunningMetrics) -> None:
        mark: Callable[[str], None] = self.watchdog.mark
        taken = self.step(self.state, self.criterion, batch, synced=self._settle, mark=mark)
        window.add(taken, batch)
        if taken.report is None:
            self._settle()
            self._fault(
                NonFiniteStep(self.state.step, batch, "predictions", not taken.local_finite)
            )
            return
        self.watch.put(self.state.step, batch, taken)
        if self.device.type != "cuda":
            self._settle()

    def _settle(self) -> None:
        """Look at the result of the last step, unless that was done before."""
        if not self.watch.pending:
            return
        fault = self.watch.fault()
        if fault is not None:
            self._fault(fault)
        else:
            self.state.faults_in_a_row = 0

    def _has_learned(self, last: bool) -> bool:
        """Whether some step was finite, in all processes: without one there is nothing to evaluate.

        Raises:
            FloatingPointError: after the last step.
        """
        steps = self.state.step
        learned = all(dist.gather_objects(self.state.faults_in_a_row < steps))
        if last and not learned:
            raise FloatingPointError(
                f"not one of {steps} steps was finite, the weights are those of the start; {ADVICE}"
            )
        return learned

    def _fault(self, fault: NonFiniteStep) -> None:
        self.faults.met(fault, self.stage.exp, self.class_names, self.state)

    def _save_is_due(self) -> bool:
        every = self.exp.save_interval
        return every is not None and self.state.step % every == 0

    def _save(self, again: bool = False) -> None:
        self.watchdog.mark("save")
        self.saver.last(self.state, again)

    def _resume(self, checkpoint: Checkpoint) -> None:
        run = {
            "classes": list(self.class_names),
            **self.exp.as_dict(),
            "steps": self.total,
            "batch_size": self.options.batch_size,  # -b goes before the experiment's own
            "precision": self.options.precision.name,
        }
        saved = self.exp.from_dict(checkpoint.settings)  # without what had no effect
        check_same_run(replace(checkpoint, settings=saved), run)
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
