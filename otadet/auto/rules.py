"""The rules: each gives values to settings, and the reason for it.

A rule reads facts and the settings that the rules before it gave. None depends on chance, and what
was measured somewhere says where.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from otadet.auto.facts import DataFacts, Machine
from otadet.auto.networks import NETWORKS, SETTINGS, Network
from otadet.exp import BaseExp
from otadet.tile_choice import NetworkInput
from otadet.tiling import SHRUNK

STRIDE = 8
"""Pixels of the input between the points of YOLOX's finest level."""

SMALL = 16.0
"""Pixels of the input that nine of ten objects should be wide and high: two points each way."""

CPU_SIDE, CPU_SIDE_SHORT, GPU_SIDE, LEAST_SIDE = 416, 320, 640, 320
"""Limits of the input's longer side, pixels. 416 and 640: what the networks were published at."""

LOST = 0.25
"""Share of the objects that may be narrower than a stride before images are cut into tiles, which
take several times as long."""

SHORT_MINUTES = 5.0
"""A run on a CPU up to this long takes the smaller limit."""

PASSES = 50
"""Times that each image should be seen before a larger network is worth it."""

VIEWS, FEWEST_EPOCHS, MOST_EPOCHS = 7000, 12, 300
"""Images that a run without a time limit sees: 24 epochs of BCCD, 13 of nuclei
(docs/finetuning.md)."""

BATCH, STEPS = 16, 8
"""Images a step of docs/finetuning.md; an epoch should have so many steps at least."""

FLAT = 0.5
"""Share of a run by time at the full rate, as in RTMDet (Lyu et al. 2022)."""

DECODING = 0.01
"""Seconds of a core to decode an image of a megapixel, about."""

SEEN, MOSAIC, MOSAIC_LONG = 50, 0.5, 0.8
"""Share of the samples that are mosaics in runs that see each image up to SEEN times, and in longer
ones, which learn the images by heart otherwise (docs/auto.md)."""

REPEAT_RARE = 0.05
"""Share of the images below which a class is repeated, where the doctor finds one rare."""


class Choice(NamedTuple):
    """Values of settings and why; where the first of them is given, the others are not taken."""

    values: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, eq=False)
class Facts:
    """All that a rule may look at besides the settings.

    Attributes:
        data: facts of the data set.
        machine: facts of the machine.
        minutes: time limit of the run.
        pretrained: whether the run starts from trained weights.
    """

    data: DataFacts
    machine: Machine
    minutes: float | None
    pretrained: bool


Rule = Callable[[Facts, Any], Choice]
"""A rule: from the facts and the experiment with the settings so far."""


def choose_network(machine: Machine, images: int, minutes: float | None) -> tuple[Network, str]:
    """Choose the size of the network by device and time."""
    if machine.kind != "cpu":
        return NETWORKS[-1], "a GPU: the largest of nano, tiny and s"
    if minutes is None:
        return NETWORKS[0], "a CPU: the smallest network"
    for network in reversed(NETWORKS[1:]):
        passes = 60 * minutes * machine.cores / (network.seconds * images)
        if passes >= PASSES:
            return network, f"a CPU: enough time to see each image {PASSES} times"
    return NETWORKS[0], f"a CPU: a larger one would not see each image {PASSES} times"


def input_size(facts: Facts, exp: BaseExp) -> Choice:
    """Choose the input's size: objects wide enough, in the shape of the images."""
    height, width = facts.data.size
    longest = max(height, width)
    small = float(np.quantile(facts.data.sides, 0.1))
    most, why = _largest_side(facts)
    side = min(max(SMALL * longest / max(small, 1e-6), LEAST_SIDE), most)
    zoom = min(side, most) / longest
    upright = float((facts.data.sizes[:, 0] > facts.data.sizes[:, 1]).mean())
    mixed = 0.2 < upright < 0.8 and height != width
    shape = (longest, longest) if mixed else (height, width)
    size = tuple(32 * max(1, round(zoom * each / 32)) for each in shape)
    form = "upright and lying images" if mixed else f"images are {width} x {height} px"
    return Choice(
        {"input_size": size, "test_size": size},
        f"{form}; nine of ten objects are wider than {small * zoom:.0f} px then; at most {most} px "
        f"{why}",
    )


def _largest_side(facts: Facts) -> tuple[int, str]:
    if facts.machine.kind != "cpu":
        return GPU_SIDE, "on a GPU"
    if facts.minutes is not None and facts.minutes <= SHORT_MINUTES:
        return CPU_SIDE_SHORT, f"on a CPU in {facts.minutes:g} minutes"
    return CPU_SIDE, "on a CPU"


def tiles(facts: Facts, exp: BaseExp) -> Choice:
    """Cut images into tiles where objects would be narrower than a stride otherwise."""
    side = max(exp.input_size)
    lost = float((facts.data.input_sides(exp) < STRIDE).mean())
    few = f"{lost:.0%} of the objects are narrower than {STRIDE} px without tiles"
    if lost <= LOST or max(facts.data.size) <= SHRUNK * side:
        return Choice({"tile": None}, few)
    found = facts.data.tiles(NetworkInput("letterbox", (side, side), STRIDE))
    if found.tiling is None:
        return Choice({"tile": None}, found.reason)
    size = {"input_size": (side, side), "test_size": (side, side)}
    tiling = {"tile": found.tiling.size, "tile_overlap": found.tiling.overlap}
    return Choice({**tiling, **size}, f"{few}; {found.reason}")


def batch(facts: Facts, exp: BaseExp) -> Choice:
    """Choose the images of a step on a CPU; on a GPU memory is measured afterwards."""
    sizes = [b for b in (BATCH, BATCH // 2, BATCH // 4) if facts.data.images >= STEPS * b]
    size = sizes[0] if sizes else BATCH // 4
    return Choice({"batch_size": size}, f"at most {BATCH}, and {STEPS} steps an epoch or more")


def cache(facts: Facts, exp: BaseExp) -> Choice:
    """Keep decoded images where they fit and decoding them all is little of the time."""
    data, machine = facts.data, facts.machine
    longest = 2 * max(exp.input_size)
    shrunk = min(1.0, longest / max(data.size)) if exp.tile is None else 1.0
    needed = data.decoded * shrunk**2
    seconds = DECODING * data.decoded / 3e6 / machine.cores
    size = f"{needed / 1e9:.1f} GB decoded"
    if facts.minutes is not None and seconds > 6 * facts.minutes:
        return Choice({"cache": "none"}, f"decoding all would take {seconds:.0f} s")
    if exp.tile is not None:
        return Choice({"cache": "none"}, "tiles overlap, so that they take more than the images")
    more = {"cache_longest": longest} if shrunk < 1 else {}
    if machine.free_memory is not None and needed * machine.devices <= machine.free_memory / 4:
        return Choice({"cache": "memory", **more}, f"{size}, at most a quarter of what is free")
    if needed <= machine.free_disk / 4:
        return Choice({"cache": "disk", **more}, f"{size}: too much for the memory")
    return Choice({"cache": "none"}, f"{size}: too much for memory and disk")


def workers(facts: Facts, exp: BaseExp) -> Choice:
    """Choose the processes that load images."""
    cores = facts.machine.cores
    if facts.machine.kind == "cpu":
        count = min(4, cores // 2)
        return Choice({"workers": count}, f"half of {cores} cores; the others train")
    count = min(8, max(1, cores // facts.machine.devices))
    return Choice({"workers": count}, f"{cores} cores, at most 8 for a GPU")


def threads(facts: Facts, exp: BaseExp) -> Choice:
    """Compute with fewer threads where others compute too: each step waits for the slowest."""
    machine = facts.machine
    if machine.busy is None:
        why = "OMP_NUM_THREADS is given" if machine.kind == "cpu" else "the GPU computes"
        return Choice({}, f"threads as torch takes them: {why}")
    free = max(1, round((machine.cores - machine.busy) / machine.devices))
    if free * machine.devices >= machine.cores:
        return Choice({"threads": None}, "nobody else computes: as many as torch takes")
    return Choice(
        {"threads": free},
        f"others compute on {machine.busy:.1f} of {machine.cores} cores; a thread without one "
        "would hold up the rest",
    )


def length(facts: Facts, exp: BaseExp) -> Choice:
    """Choose the length of a run: images of which the recipe is known, or the time."""
    if exp.max_iters is not None:
        return Choice({"max_iters": exp.max_iters}, "given")
    if facts.minutes is not None:
        return Choice({"minutes": facts.minutes}, "given")
    wanted = VIEWS if facts.pretrained else 3 * VIEWS
    count = min(max(math.ceil(wanted / facts.data.images), FEWEST_EPOCHS), MOST_EPOCHS)
    start = "" if facts.pretrained else ", three times as many from scratch"
    return Choice(
        {"max_epochs": count},
        f"{VIEWS:,} images as in docs/finetuning.md{start}; {FEWEST_EPOCHS} to {MOST_EPOCHS}",
    )


def rate(facts: Facts, exp: BaseExp) -> Choice:
    """Keep the learning rate up until the time of a step is well known."""
    if facts.minutes is None:
        return Choice({"flat": 0.0}, "a cosine over the run")
    return Choice({"flat": FLAT}, "until then steps are timed, and the rest is planned")


def mosaics(facts: Facts, exp: BaseExp) -> Choice:
    """Make more of the samples mosaics where each image is seen often."""
    seen = _times_seen(facts, exp)
    if seen is None:
        return Choice({}, "how often each image is seen is not known")
    many = seen > SEEN
    return Choice(
        {"mosaic": MOSAIC_LONG if many else MOSAIC},
        f"each image is seen about {seen:.0f} times; from {SEEN} on, more are mosaics",
    )


def _times_seen(facts: Facts, exp: BaseExp) -> float | None:
    if exp.max_iters is not None:
        return exp.max_iters * exp.batch_size / facts.data.images
    if facts.minutes is None:
        return float(exp.max_epochs)
    known = {tuple(n.settings.values()): n for n in NETWORKS}
    network = known.get(tuple(getattr(exp, name) for name in SETTINGS))
    if facts.machine.kind != "cpu" or network is None or exp.tile is not None:
        return None
    height, width = exp.input_size
    seconds = network.seconds * height * width / (256 * 320)
    return 60 * facts.minutes * facts.machine.cores / (seconds * facts.data.images)


def evaluations(facts: Facts, exp: BaseExp) -> Choice:
    """Evaluate ten times in a run; one by time plans it."""
    if facts.minutes is not None:
        return Choice({}, "evaluations take a tenth of the time, at most ten")
    if exp.max_iters is not None:
        return Choice({"eval_interval": 1}, "max_iters is given")
    return Choice({"eval_interval": max(1, exp.max_epochs // 10)}, "ten evaluations in the run")


def patience(facts: Facts, exp: BaseExp) -> Choice:
    """End a run that has not got better in its second half."""
    if facts.minutes is not None:
        return Choice({"patience": None}, "the time ends the run")
    return Choice({"patience": 5}, "ends the run after half of it without a better evaluation")


def detections(facts: Facts, exp: BaseExp) -> Choice:
    """Allow more detections than the densest image has objects."""
    most = facts.data.most_objects
    count = max(100, 50 * math.ceil(1.25 * most / 50))
    return Choice({"max_detections": count}, f"the densest image has {most} objects")


def rare(facts: Facts, exp: BaseExp) -> Choice:
    """Repeat images of rare classes where the doctor finds any."""
    names = facts.data.rare
    if not names:
        return Choice({"repeat_rare": 0.0}, "the doctor finds no rare class")
    return Choice({"repeat_rare": REPEAT_RARE}, f"fewer than ten objects: {', '.join(names[:3])}")


RULES: tuple[Rule, ...] = (
    input_size, tiles, batch, cache, workers, threads, length, rate, mosaics, evaluations, patience,
    detections, rare,
)  # fmt: skip
"""In the order in which they are asked, after network and weights."""
