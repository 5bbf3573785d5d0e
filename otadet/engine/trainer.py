"""The trainer: builders, then the loop in the order of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import TypeVar

import torch
from loguru import logger
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from otadet import dist
from otadet.criteria import Criterion
from otadet.data import BatchOrder, build_loader, category_ids, fingerprint
from otadet.engine.checkpoint import Checkpoint
from otadet.engine.checkpoint_writer import CheckpointWriter
from otadet.engine.course import Course
from otadet.engine.devices import (
    loader_workers,
    make_deterministic,
    memory_layout,
    peak_memory,
    use_threads,
)
from otadet.engine.ema import Ema
from otadet.engine.init_weights import infer_settings, init_weights
from otadet.engine.initial_weights import write_digests
from otadet.engine.loggers import MetricLogger, MetricLoggers, RunInfo
from otadet.engine.nonfinite import NonFiniteGuard
from otadet.engine.norms import check_norms
from otadet.engine.options import TrainOptions
from otadet.engine.periodic_evaluation import PeriodicEvaluation, check_best_metric
from otadet.engine.plan import Plan
from otadet.engine.profiling import profiled
from otadet.engine.progress import Progress
from otadet.engine.resume_checks import check_same_data
from otadet.engine.run_errors import RunContext, to_run_error
from otadet.engine.run_record import update_steps
from otadet.engine.running_metrics import RunningMetrics, RunTotals
from otadet.engine.stages import Stage
from otadet.engine.state import TrainState, check_same_run, load_last
from otadet.engine.step import Step
from otadet.engine.stop_signals import StopSignals
from otadet.engine.time_budget import TimeBudget
from otadet.engine.watchdog import Watchdog
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.models import Detector
from otadet.rng import seed_all
from otadet.types import Batch

T = TypeVar("T")

UNKNOWN = 10**6
"""Steps of a run by time before they are planned."""

LOG_INTERVAL = 10
"""Steps between lines of ``metrics.jsonl``; only there the loop synchronises."""


class Trainer:
    """Training of an experiment in one process, on one device.

    Args:
        exp: the experiment.
        options: options of the command line.
        device: of this process.

    Raises:
        InputError: data, settings or checkpoints cannot be used.
    """

    def __init__(self, exp: BaseExp, options: TrainOptions, device: torch.device) -> None:
        if options.batch_size % dist.world_size():
            raise InputError(
                f"-b {options.batch_size}: expected a multiple of the {dist.world_size()} devices"
            )
        self.options, self.device = options, device
        seed_all(exp.seed)
        use_threads(exp.threads, device.type)
        if options.deterministic:
            make_deterministic()
        self._build_data(exp)
        self._build_course()
        self._build_step(self._build_model())
        self._build_services()
        self.budget = self._build_budget()
        if options.resume:
            self._resume(load_last(options.output))

    def _build_data(self, exp: BaseExp) -> None:
        self.train_data = exp.build_train_data()
        self.exp = infer_settings(exp, self.train_data)
        self.class_names = self.train_data.class_names
        self.val_data = self.exp.build_val_data(self.class_names)
        check_best_metric(self.exp, self.val_data)
        self.order = BatchOrder(
            self.train_data.sizes,
            batch_size=self.options.batch_size // dist.world_size(),
            seed=exp.seed,
            rank=dist.rank(),
            world_size=dist.world_size(),
            group_by_aspect=self.exp.group_by_aspect(),
        )

    def _build_course(self) -> None:
        exp, self.epoch_steps = self.exp, self.order.steps_per_epoch
        epochs = exp.max_epochs * self.epoch_steps
        self.plan = Plan.of_steps(epochs if exp.max_iters is None else exp.max_iters)
        if exp.minutes is not None:
            self.plan = Plan(UNKNOWN, UNKNOWN, (), fixed=False)
        self.course = Course.of(exp, self.plan.steps, self.epoch_steps, self.options.batch_size)
        self.stage = self.course.stages[0]
        self.criterion: Criterion = exp.build_criterion()

    def _build_model(self) -> Detector:
        exp, options = self.exp, self.options
        model: Detector = exp.build_model(len(self.class_names))
        init_weights(
            model, exp, self.train_data, self.device,
            weights=options.weights, resume=options.resume,
        )  # fmt: skip
        if exp.sync_norm and self.device.type == "cuda" and dist.world_size() > 1:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        self.layout = memory_layout(self.device, exp.cpu_layout)
        model.to(device=self.device, memory_format=self.layout)  # type: ignore[call-overload]
        check_norms(model, self.course.stages, options.batch_size)
        return model

    def _build_step(self, model: Detector) -> None:
        exp, course, precision = self.exp, self.course, self.options.precision
        averaged = course.ema_decay > 0
        self.state = TrainState(
            model,
            exp.build_optimizer(model),
            precision.scaler(),
            Ema(model, course.ema_decay, course.ema_ramp) if averaged else None,
            base_lr=exp.lr,
        )
        self.network = self._wrap(model)
        self.step = Step(
            self.network,
            course.schedule,
            precision,
            self.layout,
            clip_grad=exp.clip_grad,
            parts=exp.accumulate,
            keep_buffers=exp.skip_nonfinite > 0,
        )

    def _build_budget(self) -> TimeBudget | None:
        """Make what plans a run by time; ``None`` for a run whose steps are given."""
        exp, options = self.exp, self.options
        if exp.minutes is None:
            return None
        falls = min(max(self.course.schedule.falls / self.plan.steps, 0.1), 0.5)
        budget = TimeBudget(
            exp.minutes, options.began, falls, len(self.val_data) / options.batch_size
        )
        self.checkpoints.plan = lambda: self.plan.saved(budget.spent)
        return budget

    def _build_services(self) -> None:
        exp, options, folder = self.exp, self.options, self.options.output
        self.guard = NonFiniteGuard(
            folder, self.state, self.class_names, options.precision, exp.skip_nonfinite, self.total
        )
        self.stop = StopSignals()
        self.watchdog = Watchdog(options.hang_timeout, folder / "log.txt")
        self.checkpoints = CheckpointWriter(
            folder,
            exp,
            self.class_names,
            category_ids(self.train_data),
            self.total,
            options.batch_size,
            options.precision.name,
            {split: found for split, data in (("train", self.train_data), ("val", self.val_data))
             if (found := fingerprint(data)) is not None},
        )  # fmt: skip
        self.evaluation = PeriodicEvaluation(
            exp, options, self.val_data, self.device, self.checkpoints
        )
        self.running, self.totals = RunningMetrics(), RunTotals()
        self.progress: Progress | None = None
        self.batches: Generator[Batch, None, None] | None = None
        self.rehearse: Callable[[], None] | None = None
        self.logger: MetricLogger | None = None
        self.batch: Batch | None = None

    @property
    def total(self) -> int:
        """Steps of the run; of a run by time as it is planned now."""
        return self.plan.end

    @property
    def finished(self) -> bool:
        """Whether all steps and evaluations are done, now or before a resume."""
        return self.state.step >= self.total and not self.state.evaluation_due

    def run(self) -> int:
        """Train to the end; returns 0, or 128 + N after signal N and a last checkpoint.

        Signals count where the caller has opened ``stop.handling()``.

        Raises:
            InputError: the data turn out to be unusable.
            RunError: out of memory, disk full, or other processes are gone.
            FloatingPointError: more non-finite steps in a row than are allowed.
        """
        started = time.perf_counter()
        self.logger = self._build_logger() if dist.is_main() else None
        if self.logger and not self.options.resume:
            write_digests(self.state.model, self.options.output)
        try:
            with self.watchdog.watching():
                return self._loop()
        except Exception as error:
            context = RunContext(self.watchdog.where, self.device, self.batch)
            known = to_run_error(error, context)
            if known is error:
                raise
            raise known from error
        finally:
            if self.batches is not None:
                self.batches.close()
            self.totals.seconds = time.perf_counter() - started
            if self.logger:
                self.logger.close()

    def _loop(self) -> int:
        state = self.state
        self.batches = self._batches()
        self.network.train()
        trace = self.options.output / "profile" if self.options.profile and self.logger else None
        progress = Progress(self.exp.name, self.total, state.step, self.epoch_steps, dist.is_main())
        self.progress = progress
        with progress, profiled(trace, self.device) as step_done:
            if state.evaluation_due:  # the run ended before or during it
                self._enter_stage(state.step - 1)
                self._evaluate()
            if 0 < state.step < self.total and self.evaluation.should_stop_early(state):
                return 0  # a resumed run that had stopped early, too
            self.running = RunningMetrics()
            if self.budget is not None:
                self.budget.begin()
            while state.step < self.total:
                self._enter_stage(state.step)
                self._train_step(self._next_batch(self.batches))
                step_done()
                progress.update()
                if self.budget is not None:
                    self.budget.step()
                    self._keep_time(self.budget)
                last = state.step == self.total
                if state.step % LOG_INTERVAL == 0 or last:
                    self._log_metrics(progress)
                epoch_ends = state.step % self.epoch_steps == 0 or last
                due = self._evaluation_is_due(epoch_ends)
                if epoch_ends or due or self._save_is_due():
                    self._save_and_evaluate(due, epoch_ends)
                    if not last and self.evaluation.should_stop_early(state):
                        return 0
                # After the evaluation: a stop at an epoch's end does not lose one that is due.
                if not last and self.stop.should_stop(self.device, state.step):
                    self.guard.settle()
                    self._save()
                    logger.warning("stopped by a signal at step {}; --resume continues", state.step)
                    return self.stop.exit_code
        return 0

    def _enter_stage(self, step: int) -> None:
        """Switch to the experiment and criterion of the stage that a step belongs to."""
        stage = self.course.stage(step)
        steps = self.plan.steps
        stage.exp.before_step(self.state.model, min(step, steps - 1) / steps)
        if stage is self.stage:
            return
        self.stage = stage
        self.criterion = stage.exp.build_criterion()
        if dist.is_main():
            logger.info("from step {} on: {}", stage.start, _changes(self.course.stages, stage))

    def _next_batch(self, batches: Iterator[Batch]) -> Batch:
        self.watchdog.step = self.state.step + 1
        self.watchdog.mark("waiting for data")
        started = time.perf_counter()
        self.batch = next(batches)
        self.running.data_wait += time.perf_counter() - started
        return self.batch.to(self.device)

    def _train_step(self, batch: Batch) -> None:
        mark: Callable[[str], None] = self.watchdog.mark
        result = self.step(self.state, self.criterion, batch, synced=self.guard.settle, mark=mark)
        self.running.add(result, batch)
        self.guard.check(batch, result, self.stage.exp)

    def _log_metrics(self, progress: Progress) -> None:
        self.watchdog.mark("numbers")
        numbers = self.running.means(self.state.lr, self.totals)
        numbers["peak_memory_mib"] = peak_memory(self.device) / 2**20
        self.running = RunningMetrics()
        progress.numbers(
            self.state.step, numbers.get("loss", float("nan")), self._best(), self._gpu_memory()
        )
        if self.logger:
            self.logger.write(self.state.step, "train", numbers)

    def _best(self) -> str:
        if not self.state.best_step:
            return ""
        return f"best {self.exp.best_metric} {self.state.best:.3f}"

    def _gpu_memory(self) -> str:
        return f"{peak_memory(self.device) / 2**30:.1f} GiB" if self.device.type == "cuda" else ""

    def _evaluation_is_due(self, epoch_ends: bool) -> bool:
        step = self.state.step
        if step == self.total:
            return True
        if self.plan.evaluations is not None:
            return step in self.plan.evaluations
        return epoch_ends and step // self.epoch_steps % self.stage.exp.eval_interval == 0

    def _save_and_evaluate(self, due: bool, epoch_ends: bool) -> None:
        paused = time.perf_counter()
        self.guard.settle()
        last = self.state.step == self.total
        self.state.evaluation_due = due and self.guard.any_finite(last)
        self._save()  # before the evaluation, which may fail
        if self.state.evaluation_due:
            self._evaluate()
        keep = self.options.keep_checkpoints
        if keep and epoch_ends and dist.is_main():
            self.checkpoints.epoch(self.state, -(-self.state.step // self.epoch_steps), keep)
        self.running.start += time.perf_counter() - paused
        if self.budget is not None:
            self.budget.begin()

    def _evaluate(self) -> None:
        """Run the evaluation that is due and save its result."""
        started = self.budget.clock() if self.budget is not None else 0.0
        self.evaluation(self.state, self.criterion, self.logger, self.watchdog.mark, self.total)
        self.state.evaluation_due = False
        self._save(again=True)
        if self.budget is not None:
            self.budget.evaluating = self.budget.clock() - started

    def _keep_time(self, budget: TimeBudget) -> None:
        """Plan a run by time anew where that is due; the main process decides for all."""
        step, plan = self.state.step, self.plan
        if dist.world_size() > 1 and step % LOG_INTERVAL and step != plan.end:
            return
        if plan.fixed:
            self._take(_main(budget.moved_end(step, plan)))
        elif _main(budget.should_fix()):
            self._fix_plan(budget)
        elif plan.steps == UNKNOWN and _main(budget.knows_pace()):
            self._take(_main(budget.plan(step, fixed=False)))

    def _fix_plan(self, budget: TimeBudget) -> None:
        """Make the last plan, after an evaluation and a report whose times are known then."""
        if self.plan.steps == UNKNOWN:
            self._take(_main(budget.plan(self.state.step, fixed=False)))
        if _main(budget.can_evaluate()):
            self._save_and_evaluate(due=True, epoch_ends=False)
            if self.rehearse is not None and budget.can_rehearse():
                started, paused = budget.clock(), time.perf_counter()
                self.rehearse()
                self.network.train()
                budget.reporting = budget.clock() - started
                self.running.start += time.perf_counter() - paused
        self._take(_main(budget.plan(self.state.step, fixed=True)))
        budget.begin()

    def _take(self, plan: Plan) -> None:
        """Take another plan for the rest of the run."""
        before, self.plan = self.plan, plan
        if plan == before:
            return
        self.guard.total = self.checkpoints.total = plan.end
        if plan.steps != before.steps:
            self._change_course()
        if self.progress is not None:  # the run is going
            self.progress.new_total(plan.end)
            if self.budget is not None and dist.is_main():
                update_steps(self.options.output, plan.end)
                self.budget.tell(self.state.step, plan, before, self.epoch_steps)

    def _change_course(self) -> None:
        """Take what follows from another number of steps, while the first phase lasts."""
        course = Course.of(self.exp, self.plan.steps, self.epoch_steps, self.options.batch_size)
        self.course, self.stage = course, course.stages[0]
        self.step = replace(self.step, schedule=course.schedule)
        if self.state.ema is not None:
            self.state.ema.decay, self.state.ema.ramp = course.ema_decay, course.ema_ramp
        if self.batches is not None and len(course.stages) > 1:
            self.batches.close()  # its workers know the phases of before
            self.batches = self._batches()

    def _save_is_due(self) -> bool:
        every = self.exp.save_interval
        return every is not None and self.state.step % every == 0

    def _save(self, again: bool = False) -> None:
        self.watchdog.mark("save")
        self.checkpoints.last(self.state, again)

    def _resume(self, checkpoint: Checkpoint) -> None:
        run = {
            "class names": list(self.class_names),
            **self.exp.as_dict(),
            "number of steps": self.total,
            "batch_size": self.options.batch_size,  # -b overrides the setting
            "precision": self.options.precision.name,
        }
        if self.budget is not None and "plan" in checkpoint.training:
            self.budget.before = checkpoint.training["plan"]["spent"]
            self._take(Plan.load(checkpoint.training["plan"]))
            run["number of steps"] = self.total
        saved = self.exp.from_dict(checkpoint.settings)  # under the names of today
        check_same_run(replace(checkpoint, settings=saved), run)
        check_same_data(checkpoint, self.checkpoints.data)
        self.state.restore(checkpoint)
        logger.info("resumed {} at step {}", checkpoint.path, self.state.step)

    def _wrap(self, model: nn.Module) -> nn.Module:
        """Compile the model and wrap it in DDP, where requested."""
        if self.options.compile:
            # In place, so that weights keep their names; one graph for each multi-scale size.
            model.compile(dynamic=False)
        if dist.world_size() == 1:
            return model
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, gradient_as_bucket_view=True)

    def _build_logger(self) -> MetricLogger:
        resumed = self.state.step if self.options.resume else None
        settings, due = self.exp.as_dict(), self.state.evaluation_due
        run = RunInfo(self.options.output, self.exp.name, settings, resumed, due)
        return MetricLoggers(self.options.log, run)

    def _batches(self) -> Generator[Batch, None, None]:
        return iter(
            build_loader(
                self.train_data,
                self.course.samples,
                self.order,
                workers=loader_workers(self.exp.workers),
                seed=self.exp.seed,
                start_step=self.state.step,
                pin_memory=self.device.type == "cuda",
            )
        )


def _changes(run: tuple[Stage, ...], stage: Stage) -> str:
    """Describe the settings in which a stage differs from the one before."""
    before = run[run.index(stage) - 1].exp.as_dict()
    now = stage.exp.as_dict()
    return ", ".join(f"{k}={v}" for k, v in now.items() if before[k] != v) or "as before"


def _main(decision: T) -> T:
    """Return the main process's decision, which depends on its clock, in every process."""
    return dist.gather_objects(decision)[0]
