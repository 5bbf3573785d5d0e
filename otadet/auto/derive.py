"""Apply the rules: from a folder of data to an experiment with all settings, and a table of why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch
from loguru import logger
from tabulate import tabulate

from otadet.auto.facts import DataFacts, Machine
from otadet.auto.memory import SHARE, SIZES, largest_batch
from otadet.auto.networks import NETWORKS, SETTINGS, Network
from otadet.auto.rules import RULES, STEPS, Choice, Facts, choose_network
from otadet.doctor import DoctorConfig, Report, check_dataset
from otadet.engine.devices import Devices
from otadet.engine.precision import Precision, PrecisionName
from otadet.engine.weights import find_file, open_weights
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.exp.values import as_word
from otadet.models import PUBLISHED
from otadet.texts import indented, one_line


@dataclass(frozen=True)
class Derived:
    """What a run takes that was not given.

    Attributes:
        exp: with all settings.
        weights: file that it starts from; ``None`` from scratch.
        precision: of the forward pass.
        choices: what the rules chose, in their order.
    """

    exp: BaseExp
    weights: Path | None
    precision: PrecisionName
    choices: tuple[Choice, ...]


def derive(
    exp: BaseExp,
    given: Collection[str],
    devices: Devices,
    weights: Path | None = None,
    precision: PrecisionName | None = None,
) -> Derived:
    """Derive the settings of an experiment that are not given, and log them with the reasons.

    Args:
        exp: an experiment of YOLOX's family, with the given settings.
        given: names of these; they stay as they are.
        devices: of the run.
        weights: of ``-c``; by default published ones.
        precision: of the command line; ``None`` chooses it.

    Raises:
        InputError: the data cannot be read or hold no objects, or the weights are of a network that
            the rules do not know.
    """
    data = DataFacts.of(_report(exp))
    machine = Machine.here(devices)
    choices: list[Choice] = []

    def take(choice: Choice) -> None:
        nonlocal exp
        choice = left_open(choice, exp, given)
        choices.append(choice)
        exp = exp.changed(**choice.values)

    network, why = _network(weights, machine, data.images, exp.minutes)
    if weights is None:
        network, weights, found = _published(network)
        why = f"{why}; {found}"
    take(Choice(network.settings, f"{network.name}: {why}"))
    facts = Facts(data, machine, exp.minutes, weights is not None)
    for rule in RULES:
        take(rule(facts, exp))
    kind = _precision(devices) if precision is None else precision
    if devices.kind == "cuda" and "batch_size" not in given:
        take(_measured_batch(exp, devices, kind, data.images))
    why = "given" if precision is not None else _WHY_PRECISION[kind]
    logger.info("settings derived from data and machine\n{}", indented(_table(choices, kind, why)))
    return Derived(exp, weights, kind, tuple(choices))


def left_open(choice: Choice, exp: BaseExp, given: Collection[str]) -> Choice:
    """Return a choice without what is given; the first setting of a choice decides over the others.

    An ``input_size`` that is given is the ``test_size`` too.
    """
    leading = next(iter(choice.values), None)
    if leading not in given:
        return Choice({n: v for n, v in choice.values.items() if n not in given}, choice.reason)
    values = {name: getattr(exp, name) for name in choice.values if name in given}
    if leading == "input_size":
        values.setdefault("test_size", exp.input_size)
    return Choice(values, "given")


def _report(exp: BaseExp) -> Report:
    report = check_dataset(DoctorConfig.of(exp), quick=True, crowds=False)
    if "train" not in report.splits:
        raise InputError(next(iter(report.refusals.values())))
    return report


def _network(
    weights: Path | None, machine: Machine, images: int, minutes: float | None
) -> tuple[Network, str]:
    """Choose the network, or recognise that of given weights."""
    if weights is None:
        return choose_network(machine, images, minutes)
    checkpoint = open_weights(weights)
    for network in NETWORKS:
        if all(checkpoint.settings.get(k) == network.settings[k] for k in SETTINGS):
            return network, f"the network of {one_line(str(weights))}"
    raise InputError(
        f"-c {weights}: expected weights of {', '.join(n.name for n in NETWORKS)}, between which "
        f"auto chooses; got {checkpoint.experiment}; name an experiment with -n to train another"
    )


def _published(chosen: Network) -> tuple[Network, Path | None, str]:
    """Find published weights, those of the chosen network first; without any it stays as it is."""
    try:
        return chosen, find_file(chosen.name), "from published weights"
    except InputError as error:
        logger.warning("{}", error)
    for network in reversed(NETWORKS):
        if PUBLISHED[network.name].path.is_file():
            return network, find_file(network.name), "the only published weights that are here"
    return chosen, None, "from scratch: no published weights are here or could be fetched"


def _precision(devices: Devices) -> PrecisionName:
    if devices.kind != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


def _measured_batch(
    exp: BaseExp, devices: Devices, precision: PrecisionName, images: int
) -> Choice:
    one = largest_batch(exp, devices.device(0), Precision(precision, devices.kind))
    size = max(1, min(one, images // (STEPS * len(devices)))) * len(devices)
    return Choice(
        {"batch_size": size},
        f"measured: a step of {one} of the densest images takes at most {SHARE:.0%} of the "
        f"memory (tried {SIZES[0]} to {SIZES[-1]} a GPU); {STEPS} steps an epoch or more",
    )


def _table(choices: list[Choice], precision: str, why: str) -> str:
    rows = [
        ["\n".join(c.values) or "-", "\n".join(as_word(v) for v in c.values.values()), c.reason]
        for c in choices
    ]
    rows.append(["precision", precision, why])
    table = tabulate(
        rows, ("setting", "value", "reason"), maxcolwidths=[None, None, 52], disable_numparse=True
    )
    return str(table)


_WHY_PRECISION = {
    "fp32": "on a CPU separable convolutions are not faster in bf16",
    "bf16": "the GPU computes in it",
    "fp16": "the GPU does not compute in bf16",
}
