"""``tools/compare.py``: compare methods by equal runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from loguru import logger

from otadet.atomic import atomic_write
from otadet.cli.common import output_folder
from otadet.cli.doctor import check_data
from otadet.cli.parsers.compare import parser
from otadet.compare.analysis import analyse
from otadet.compare.contenders import Contender, of_experiments, of_methods
from otadet.compare.existing import existing_runs
from otadet.compare.markdown import as_markdown
from otadet.compare.outcomes import read_outcomes
from otadet.compare.page import as_page
from otadet.compare.plan import FILE, Plan, Run, check_plan, read_plan, write_plan
from otadet.compare.planning import Conditions, measure_steps, plan_runs
from otadet.compare.processes import Processes, Slot, slots_of
from otadet.compare.progress import ComparisonProgress
from otadet.compare.result import Comparison
from otadet.compare.states import state_of
from otadet.compare.wording import headline, verdict
from otadet.doctor.config import reads_files
from otadet.engine.devices import Devices, parse_devices
from otadet.engine.precision import choose_precision
from otadet.engine.run_directory import lock_run_directory, setup_logging
from otadet.engine.state import has_last
from otadet.engine.weights import find_file
from otadet.errors import InputError
from otadet.evaluation import headline as metrics_line
from otadet.exp import BaseExp, load_class
from otadet.outputs import OutputFolder

DEFAULT = "ota_fcos_r18"
_RESULTS = ("comparison.html", "comparison.md", "comparison.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Carry out the comparison; the exit code is 1 where a run failed."""
    _take_settings(args)
    if args.help_settings:
        print(_base(args)().listing())  # noqa: T201 - its output
        return 0
    _check(args)
    folder = output_folder(args.output, "compare").resolve()
    if has_last(folder):
        raise InputError(f"-o {folder}: is a run directory; expected a folder of its own")
    with lock_run_directory(folder):
        outputs = OutputFolder(folder)
        outputs.check((FILE, *_RESULTS))
        setup_logging(folder)
        devices = _devices(args.devices)
        plan = _plan(args, folder, devices)
        check_plan(folder, plan)
        write_plan(outputs, plan)
        return _carry_out(plan, outputs, devices, args.resamples)


def _take_settings(args: argparse.Namespace) -> None:
    """Move settings of all runs, which stand after the methods, to the overrides."""
    for option in ("methods", "exps"):
        words = getattr(args, option) or []
        args.overrides += [w for w in words if "=" in w and " " not in w]
        setattr(args, option, [w for w in words if "=" not in w or " " in w])
    if args.data is not None:
        args.overrides.append(f"data_dir={args.data}")


def _check(args: argparse.Namespace) -> None:
    given = [f"--{name}" for name in ("methods", "exps", "runs") if getattr(args, name)]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)}: expected one of them")
    if given and given != ["--runs"] and args.budget is None:
        raise InputError(f"{given[0]}: expected --budget with it, as 2000 (steps) or 30min")
    for option in ("seeds", "resamples"):
        if (value := getattr(args, option)) < 1:
            raise InputError(f"--{option} {value}: expected at least 1")


def _base(args: argparse.Namespace) -> type[BaseExp]:
    named = args.exp_file is not None or args.name is not None
    return load_class(args.exp_file, args.name if named else DEFAULT)


def _devices(text: str | None) -> Devices:
    """All GPUs by default."""
    if text is None and torch.cuda.is_available():
        return parse_devices(str(torch.cuda.device_count()))
    return parse_devices(text)


def _plan(args: argparse.Namespace, folder: Path, devices: Devices) -> Plan:
    before = read_plan(folder)
    if args.runs:
        return Plan(existing_runs([*map(Path, args.runs)], folder, args.exp_file, args.unequal))
    if not args.methods and not args.exps:
        if not before.runs:
            raise InputError(
                f"compare: expected --methods, --exps or --runs, or -o with a comparison to go on "
                f"with; {folder} holds none"
            )
        return before
    contenders = of_experiments(args.exps) if args.exps else of_methods(args.methods, _base(args))
    same = _conditions(args, contenders, devices)
    steps, minutes = args.budget
    if minutes is None:
        lengths = {each.label: steps for each in contenders}
    else:
        known = before.steps() if before.minutes == minutes else {}
        new = [each for each in contenders if each.label not in known]
        lengths = known | measure_steps(new, minutes, same, folder, slots_of(devices))
    return Plan(plan_runs(contenders, lengths, same, folder), minutes)


def _conditions(
    args: argparse.Namespace, contenders: Sequence[Contender], devices: Devices
) -> Conditions:
    """Read what all runs share, and check the data once for all of them."""
    exp = contenders[0].build(args.overrides)
    for notice in exp.notices():
        logger.warning(notice)
    exp.require_data()
    if exp.check_data and exp.data_dir is not None and reads_files(exp):
        check_data(exp)
    precision = choose_precision(args.precision, devices.kind, auto=exp.data_dir is None)
    weights = find_file(args.checkpoint) if args.checkpoint else None
    return Conditions(
        tuple(args.overrides), args.seeds, args.batch_size, precision.name,
        str(weights.resolve()) if weights else None,
    )  # fmt: skip


def _carry_out(plan: Plan, outputs: OutputFolder, devices: Devices, resamples: int) -> int:
    failed = _take_all(plan, slots_of(devices))
    finished = [run for run in plan.runs if run.name not in failed]
    logger.info("comparing {} runs: {:,} resamples of the images", len(finished), resamples)
    outcomes = read_outcomes(finished, resamples)
    result = analyse(
        outcomes, resamples=resamples, minutes=plan.minutes, failed=failed, folder=outputs.path
    )
    _write(result, outputs)
    return 1 if failed else 0


def _take_all(plan: Plan, slots: Sequence[Slot]) -> dict[str, str]:
    """Take every run to its end; returns the reasons of those that failed."""
    done = [run for run in plan.runs if state_of(run) == "done"]
    todo = [run for run in plan.runs if run not in done]
    logger.info("{} runs, {} of them done", len(plan.runs), len(done))
    processes, told = Processes(todo, slots), 0
    progress = ComparisonProgress(plan.runs, done)

    def tick() -> None:
        nonlocal told
        for run in processes.ended[told:]:
            told += 1
            _log_end(run, len(done) + told, len(plan.runs), processes.failed)
        progress.update(processes.active, processes.ended)

    try:
        processes.run(tick)
        tick()
    except KeyboardInterrupt:
        logger.warning("the runs have saved their state; the same command goes on")
        raise
    finally:
        progress.close()
    return processes.failed


def _log_end(run: Run, number: int, total: int, failed: Mapping[str, str]) -> None:
    if run.name in failed:
        logger.error("run {} of {} ({}): {}", number, total, run.name, failed[run.name])
    elif run.evaluation is not None:
        metrics = json.loads((run.evaluation / "metrics.json").read_text(encoding="utf-8"))
        logger.info("run {} of {} ({}): {}", number, total, run.name, metrics_line(metrics, "AP"))


def _write(result: Comparison, outputs: OutputFolder) -> None:
    texts = as_page(result), as_markdown(result), json.dumps(result.as_dict(), indent=1) + "\n"
    for name, text in zip(_RESULTS, texts):
        atomic_write(outputs.path / name, text, outputs.atomic)
    logger.info("{}", headline(result))
    for pair in result.pairs_of("AP"):
        logger.info("{}", verdict(pair))
    for note in result.notes:
        logger.warning("{}", note)
    logger.info("wrote {} to {}", ", ".join(_RESULTS), outputs.path)
