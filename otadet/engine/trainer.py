"""The training loop. The order of this file is the order of events."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from loguru import logger
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from otadet import dist
from otadet.data import BatchOrder, build_loader
from otadet.engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from otadet.engine.devices import loader_workers, memory_layout
from otadet.engine.ema import Ema, longest_memory
from otadet.engine.evaluate import evaluate
from otadet.engine.precision import Precision
from otadet.engine.state import TrainState, check_same_run
from otadet.engine.window import ADVICE, Window
from otadet.engine.writers import MetricWriter, write_metrics
from otadet.errors import InputError
from otadet.evaluation import format_table
from otadet.exp import Exp
from otadet.geometry import padded
from otadet.models import profile_model
from otadet.rng import seed_all
from otadet.types import Batch, LossReport

LOG_INTERVAL = 10
"""Steps between lines of ``metrics.jsonl``; only there the loop waits for the device's numbers."""

PATIENCE = 2.0
"""Seconds in which a second signal is the same one: a terminal's Ctrl-C comes twice to processes
that a launcher started."""


@dataclass(frozen=True)
class TrainOptions:
    """What a run is told besides its experiment.

    Attributes:
        output: folder of the run.
        batch_size: pictures a step over all devices.
        precision: of the forward pass.
        resume: go on from ``output/last.pth``.
    """

    output: Path
    batch_size: int
    precision: Precision
    resume: bool = False


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
        self.train_data = exp.build_train_data()
        self.class_names = self.train_data.class_names
        self.val_data = exp.build_val_data(self.class_names)
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

        model = exp.build_model(len(self.class_names))
        if not options.resume:
            exp.load_pretrained(model)
        self.layout = memory_layout(device)
        model = model.to(device=device, memory_format=self.layout)  # type: ignore[call-overload]
        self.network = self._distributed(model)
        self.criterion = exp.build_criterion()
        self.schedule = exp.build_schedule(self.total, options.batch_size)
        decay = longest_memory(exp.ema_decay, self.total)
        self.state = TrainState(
            model,
            exp.build_optimizer(model),
            options.precision.scaler(),
            Ema(model, decay, min(2000.0, self.total / 10)) if decay > 0 else None,
        )
        self.stop_signal: int | None = None
        self.stop_time = 0.0
        self.seconds = 0.0
        if options.resume:
            self._resume(load_checkpoint(options.output / "last.pth"))

    def run(self) -> int:
        """Train to the end. Returns 0, or 128 + N when signal N ended the run (after a save)."""
        self._announce()
        started = time.perf_counter()
        before = {n: signal.signal(n, self._on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
        resumed = self.state.step if self.options.resume else None
        writer = MetricWriter(self.options.output, resumed) if dist.is_main() else None
        try:
            return self._loop(writer)
        finally:
            self.seconds = time.perf_counter() - started
            if writer:
                writer.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _loop(self, writer: MetricWriter | None) -> int:
        state, window = self.state, Window()
        batches = iter(
            build_loader(
                self.train_data,
                self.exp.build_train_transform(),
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
                waited = time.perf_counter()
                batch = next(batches)
                window.wait += time.perf_counter() - waited
                window.add(self._train_step(batch.to(self.device)), len(batch))
                bar.update()
                last = state.step == self.total
                if state.step % LOG_INTERVAL == 0 or last:
                    numbers = window.flush(state.step, self.schedule(state.step - 1))
                    bar.set_postfix_str(f"loss {numbers['loss']:.3f}")
                    if writer:
                        writer.write(state.step, "train", numbers)
                if state.step % self.epoch_steps == 0 or last:
                    paused = time.perf_counter()
                    if last or state.step // self.epoch_steps % self.exp.eval_interval == 0:
                        self._evaluate(writer)
                    self._save_last()
                    window.start += time.perf_counter() - paused
                # After the evaluation: one that is due is not lost by a stop at an epoch's end.
                if not last and self._stopping():
                    self._save_last()
                    logger.warning("stopped by a signal at step {}; --resume goes on", state.step)
                    return 128 + (self.stop_signal or signal.SIGTERM)
        return 0

    def _train_step(self, batch: Batch) -> LossReport:
        state = self.state
        for group in state.optimizer.param_groups:
            group["lr"] = self.schedule(state.step)
        images = batch.images.contiguous(memory_format=self.layout)
        with self.options.precision.autocast():
            predictions = self.network(images)
        try:
            report = self.criterion(predictions, batch.targets)
        except ValueError as error:
            raise FloatingPointError(f"step {state.step + 1}: {error}; {ADVICE}") from error
        state.optimizer.zero_grad(set_to_none=True)
        state.scaler.scale(report.total).backward()  # type: ignore[no-untyped-call]
        if self.exp.clip_grad > 0:
            state.scaler.unscale_(state.optimizer)
            nn.utils.clip_grad_norm_(state.model.parameters(), self.exp.clip_grad, foreach=True)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.step += 1
        if state.ema is not None:
            state.ema.update(state.step)
        return report

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
        better = state.metrics["AP"] > state.best
        state.best = max(state.best, state.metrics["AP"])
        if not dist.is_main():
            return
        logger.info(
            "step {}/{}: AP {:.3f}  AP50 {:.3f}",
            state.step, self.total, state.metrics["AP"], state.metrics["AP50"],
        )  # fmt: skip
        for note in evaluation.notes:
            logger.warning(note)
        if writer:
            writer.write(state.step, "val", state.metrics)
        write_metrics(self.options.output, state.metrics)
        if better or not (self.options.output / "best.pth").exists():
            self._save("best.pth", training=None)
        if state.step == self.total:
            logger.info("\n{}", format_table(evaluation))

    def _save_last(self) -> None:
        if dist.is_main():
            run = {"steps": self.total, "batch_size": self.options.batch_size}
            self._save("last.pth", {**self.state.training(), **run})

    def _save(self, name: str, training: dict[str, object] | None) -> None:
        save_checkpoint(
            self.options.output / name,
            experiment=self.exp.name,
            settings=self.exp.as_dict(),
            class_names=self.class_names,
            weights=self.state.eval_model.state_dict(),
            step=self.state.step,
            metrics=self.state.metrics,
            training=training,
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

    def _distributed(self, model: nn.Module) -> nn.Module:
        if dist.world_size() == 1:
            return model
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids, gradient_as_bucket_view=True)

    def _announce(self) -> None:
        if not dist.is_main():
            return
        batch, world = self.options.batch_size, dist.world_size()
        logger.info("{}", profile_model(self.state.model, padded(self.exp.test_size, 32)))
        kind = {"cpu": "CPU", "cuda": "GPU", "mps": "MPS"}[self.device.type]
        logger.info(
            "{}: {} pictures, {} classes; batch {} in all = {} x {}; lr {:g}; {} {}; "
            "{} steps = {:.1f} epochs of {}",
            self.exp.name, len(self.train_data), len(self.class_names), batch, world,
            batch // world, self.schedule.base_lr, kind, self.options.precision.name,
            self.total, self.total / self.epoch_steps, self.epoch_steps,
        )  # fmt: skip

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stop_signal is not None and time.monotonic() - self.stop_time > PATIENCE:
            raise KeyboardInterrupt  # asked again: do not wait for the step
        if self.stop_signal is None:
            self.stop_signal, self.stop_time = number, time.monotonic()

    def _stopping(self) -> bool:
        if dist.world_size() == 1:
            return self.stop_signal is not None
        # A signal may reach one process only; all of them have to stop at the same step. Asking
        # is a message between them, cheap beside a step on a processor.
        if self.device.type != "cpu" and self.state.step % LOG_INTERVAL:
            return False
        return any(s is not None for s in dist.gather_objects(self.stop_signal))
