"""``tools/train.py``: train an experiment."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from loguru import logger

from otadet import dist
from otadet.choices import HANG_TIMEOUT, HANG_TIMEOUT_DISTRIBUTED
from otadet.cli.auto import derived_settings, take_data
from otadet.cli.common import experiment_of, output_folder, select_experiment
from otadet.cli.doctor import check_data
from otadet.cli.parsers.train import parser
from otadet.data.coco_classes import COCO_CLASSES
from otadet.doctor.config import reads_files
from otadet.engine.checkpoint import Checkpoint
from otadet.engine.checkpoint_writer import should_auto_resume
from otadet.engine.devices import Devices, parse_devices, use_threads
from otadet.engine.launch import GROUP_TIMEOUT, Rendezvous, launch, launched_externally
from otadet.engine.loggers import parse_loggers
from otadet.engine.options import TrainOptions
from otadet.engine.precision import Precision, choose_precision
from otadet.engine.report import announce, has_report, write_report
from otadet.engine.run_directory import (
    buffered_log,
    check_run_directory,
    lock_run_directory,
    prepare_run_directory,
    setup_logging,
)
from otadet.engine.slurm import join_srun
from otadet.engine.state import has_last, load_last
from otadet.engine.time_budget import process_start
from otadet.engine.trainer import Trainer
from otadet.engine.weights import find_file, open_weights
from otadet.errors import InputError
from otadet.exp import BaseExp, load_class
from otadet.models import layer_table
from otadet.run_report import rehearse_report, report_after_training

T = TypeVar("T")

_MOST_IMAGES = 1_000_000
"""Most images a step."""


@dataclass(frozen=True)
class _Run:
    """What a process needs to make its trainer; picklable, unlike a class from a user's file."""

    exp_file: str
    settings: dict[str, object]
    options: TrainOptions
    check_data: bool
    """Whether the processes check the data: those of another launcher have not done so."""
    early_log: tuple[str, ...] = ()
    """Log lines from before the processes were started."""


def _together(check: Callable[[], T]) -> T | None:
    """Check in the first process; what it refuses ends all of them.

    One that ended alone would leave the others waiting for it.
    """
    said, found = "", None
    if dist.is_main():
        try:
            found = check()
        except InputError as error:
            said = str(error)
    said = dist.gather_objects(said)[0]
    if said:
        raise InputError(said)
    return found


def _work(device: torch.device, run: _Run) -> int:
    cls = load_class(run.exp_file)
    exp = cls(run.settings)
    options, main = run.options, dist.is_main()
    folder = options.output
    setup_logging(main=main)
    if len(set(dist.gather_objects(options.resume))) > 1:
        raise InputError(
            f"--resume: {folder}/last.pth is there for some processes alone; they have to share "
            "the folder"
        )
    with buffered_log() as early:
        if run.check_data:
            _together(lambda: check_data(exp))
        if not options.resume and dist.gather_objects(should_auto_resume(folder))[0]:
            logger.warning("restarted after a failure; resuming from {}", folder / "last.pth")
            options = replace(options, resume=True)
        trainer = Trainer(exp, options, device)
    if trainer.finished and dist.gather_objects(has_report(folder))[0]:  # the main machine's folder
        logger.info("{}: already finished: step {} of {}", folder, trainer.total, trainer.total)
        return 0
    with _together(lambda: lock_run_directory(folder)) or nullcontext() as trainer.checkpoints.lock:
        if main:
            prepare_run_directory(folder, options.resume)
        with trainer.stop.handling():  # in all processes before one of them takes a step
            dist.barrier()  # the folder is there
            setup_logging(folder, main=main, early=[*run.early_log, *early])
            announce(trainer)
            if main:
                trainer.rehearse = lambda: rehearse_report(trainer)
            code = trainer.run()
        if code == 0 and main:
            report_after_training(trainer)
            write_report(trainer)
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Check the input, then start the processes."""
    join_srun()
    with buffered_log() as early:
        prepared = _prepared(args)
    if prepared is None:
        return 0
    job, devices, rendezvous = prepared
    return launch(_work, replace(job, early_log=tuple(early)), devices, rendezvous)


def _prepared(args: argparse.Namespace) -> tuple[_Run, Devices, Rendezvous] | None:
    """What is to run, and where; ``None`` after a question that needs no run is answered."""
    take_data(args)
    if args.seed is not None:
        args.overrides.append(f"seed={args.seed}")
    if args.minutes is not None:
        args.overrides.append(f"minutes={args.minutes}")
    before = _unfinished(args) if args.resume else None
    weights = _start(args, before)
    exp = select_experiment(args, before)
    if exp is None:
        return None
    if args.list_layers:
        print(_layers(exp))  # noqa: T201 - its output
        return None
    exp.require_data()
    devices = parse_devices(args.devices)
    if exp.automatic and before is None:
        derived = derived_settings(args, exp, devices, weights)
        exp, weights, args.precision = derived.exp, derived.weights, derived.precision
    batch = exp.batch_size if before is None else before.training.get("batch_size", exp.batch_size)
    batch = batch if args.batch_size is None else args.batch_size
    if not 1 <= batch <= _MOST_IMAGES:
        raise InputError(f"-b {batch}: expected 1 to {_MOST_IMAGES:,} images per step")
    folder = output_folder(args.output, exp.name)
    if not args.resume:
        check_run_directory(folder)
    several = launched_externally() or len(devices) > 1 or args.num_machines > 1
    hang = _hang_timeout(args, several)
    precision = chosen_precision(args, devices.kind, exp, before)
    use_threads(exp.threads, devices.kind)  # here for the log; in every process for its work
    if _logs_for_all():
        logger.info("device: {}; precision: {}", devices, precision.name)
        if exp.sync_norm and devices.kind != "cuda":
            logger.warning(
                "sync_norm is for GPUs; on {} every process has its own BatchNorm", devices
            )
    options = TrainOptions(
        Path(folder), batch, precision, resume=args.resume, weights=weights,
        compile=args.compile,
        deterministic=args.deterministic, log=parse_loggers(args.log), profile=args.profile,
        keep_checkpoints=_kept(args), hang_timeout=hang, began=process_start(),
    )  # fmt: skip
    rendezvous = Rendezvous(
        args.num_machines, args.machine_rank, args.dist_url, args.max_restarts,
        # Later than the watchdog, which says more than the exchange that does not come about.
        timeout=1.5 * hang if hang else GROUP_TIMEOUT,
    )  # fmt: skip
    check = exp.check_data and exp.data_dir is not None and reads_files(exp) and not args.resume
    if check and not launched_externally():
        check_data(exp)
    job = _Run(exp.file, exp.as_dict(), options, check_data=check and launched_externally())
    return job, devices, rendezvous


def _start(args: argparse.Namespace, before: Checkpoint | None) -> Path | None:
    """Return the file of ``-c`` where a run begins.

    Of what it holds besides weights only the experiment's name is taken, where neither ``-f`` nor
    ``-n`` gives one.
    """
    if not args.checkpoint:
        return None
    if before is not None:
        if _logs_for_all():
            logger.info(
                "--resume: {} (step {}); -c {} is ignored",
                before.path, before.step, args.checkpoint,
            )  # fmt: skip
        return None
    path = find_file(args.checkpoint)
    if args.exp_file is None and args.name is None:
        args.exp_file = experiment_of(open_weights(path)).file
    return path


def _logs_for_all() -> bool:
    """Whether this process logs for all: the only one, or a launcher's first."""
    return not launched_externally() or os.environ["RANK"] == "0"


def chosen_precision(
    args: argparse.Namespace, kind: str, exp: BaseExp, before: Checkpoint | None
) -> Precision:
    """What the flags ask for; without any, a run that goes on keeps its own."""
    if before is not None and args.precision is None and "precision" in before.training:
        return Precision(before.training["precision"], kind)
    return choose_precision(args.precision, kind, auto=exp.data_dir is None)  # quick runs on shapes


def _layers(exp: BaseExp) -> str:
    with torch.device("meta"):  # shapes without memory
        model = exp.build_model(exp.num_classes or len(COCO_CLASSES))
    model.freeze(exp.freeze)
    return layer_table(model)


def _kept(args: argparse.Namespace) -> int:
    if args.keep_checkpoints < 0:
        raise InputError(f"--keep-checkpoints {args.keep_checkpoints}: expected at least 0")
    return int(args.keep_checkpoints)


def _hang_timeout(args: argparse.Namespace, several: bool) -> float:
    """Seconds; the options' ranges are checked here too."""
    if args.max_restarts < 0:
        raise InputError(f"--max-restarts {args.max_restarts}: expected at least 0")
    if args.hang_timeout is None:
        return HANG_TIMEOUT_DISTRIBUTED if several else HANG_TIMEOUT
    if not 0 <= args.hang_timeout < math.inf:
        raise InputError(f"--hang-timeout {args.hang_timeout:g}: expected seconds, at least 0")
    return float(args.hang_timeout)


def _unfinished(args: argparse.Namespace) -> Checkpoint | None:
    """Return the checkpoint that ``--resume`` goes on from; its settings are the run's.

    ``None`` where there is none yet and ``-c`` says what to begin with: scripts that start a run
    again and again give the same words each time.

    Raises:
        InputError: there is none that can be read, or nothing says where it lies.
    """
    if args.exp_file is not None or args.name is not None:
        folder = output_folder(args.output, load_class(args.exp_file, args.name).name)
    elif args.output:
        folder = output_folder(args.output, "")
    elif args.checkpoint:
        folder = output_folder(None, open_weights(args.checkpoint).experiment)
    else:
        raise InputError("--resume: name the run directory with -o, or the experiment with -n")
    if args.checkpoint and not has_last(folder):
        args.resume = False
        if _logs_for_all():
            logger.info("--resume: no checkpoint in {} yet; starting from -c", folder)
        return None
    return load_last(folder)
