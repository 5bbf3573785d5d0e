"""From the outcomes of runs to the result of a comparison."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

import otadet
from otadet.compare.equality import differing_settings, equalities, machines
from otadet.compare.metrics_file import Line
from otadet.compare.outcomes import KINDS, Outcome, crowded_objects
from otadet.compare.plan import relative
from otadet.compare.result import Comparison, Curve, MethodResult, Pair, Spread
from otadet.compare.statistics import Difference, difference, holm, seed_variance
from otadet.errors import RunError
from otadet.evaluation.flat import Floats
from otadet.texts import one_line

COMPARED = ("AP", "AP crowded")
"""Metrics whose differences have intervals; each is corrected for its own pairs."""

SIGNIFICANT = 0.05

LEAST_SEEDS = 3
"""With two, the variance over the seeds is too uncertain: it is often by chance near zero."""

_CURVES = (("AP", "val"), ("loss", "train"), ("positives_per_object", "train"))
_FEW = 30  # images
_FEW_SEEDS = {
    1: "with one seed the intervals are over images alone: how much another seed changes is not "
    "known, so that no method is called better",
    2: "two seeds say too little about how much another one changes: no method is called better",
}


def analyse(
    outcomes: Sequence[Outcome],
    *,
    resamples: int,
    minutes: float | None,
    failed: Mapping[str, str],
    folder: Path,
) -> Comparison:
    """Compare the methods of finished runs.

    Args:
        outcomes: of the runs.
        resamples: number of resamples that they hold.
        minutes: budget of a run where it is a time.
        failed: reason by name of the other runs.
        folder: of the comparison.

    Raises:
        RunError: fewer than two methods have a finished run.
    """
    by_label: dict[str, list[Outcome]] = {}
    for each in outcomes:
        by_label.setdefault(each.run.label, []).append(each)
    if len(by_label) < 2:
        raise RunError(f"nothing to compare: {len(by_label)} methods have a finished run")
    differing = differing_settings(outcomes)
    methods = [_method(label, found, differing, folder) for label, found in by_label.items()]
    methods.sort(key=lambda method: -method.metrics["AP"].mean)
    pairs = [pair for metric in COMPARED for pair in _pairs(metric, by_label, methods)]
    equal = equalities(outcomes, minutes)
    first = outcomes[0].evaluation
    return Comparison(
        data=one_line(Path(outcomes[0].run.settings.get("data_dir") or "generated shapes").name),
        images=len(first.gts),
        objects=sum(len(gt) for gt in first.gts),
        crowded=crowded_objects(first),
        budget=equal[0].text,
        methods=methods,
        pairs=pairs,
        equalities=equal,
        notes=_notes(outcomes, methods),
        failed=failed,
        resamples=resamples,
        environment=_environment(outcomes),
    )


def _environment(outcomes: Sequence[Outcome]) -> dict[str, str]:
    ran = ", ".join(sorted(machines(outcomes))) or "not recorded"
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return {"otadet": otadet.__version__, "runs": ran, "date": date}


def _method(
    label: str, found: Sequence[Outcome], differing: Sequence[str], folder: Path
) -> MethodResult:
    names = dict.fromkeys([*KINDS, *(name for each in found for name in each.metrics)])
    values = [{**each.metrics, **each.ap} for each in found]
    costs = dict.fromkeys(name for each in found for name in each.cost)
    return MethodResult(
        label=label,
        seeds=tuple(each.run.seed for each in found),
        steps=found[0].run.steps,
        settings={name: found[0].run.settings.get(name) for name in differing},
        metrics=_spreads(names, values),
        cost=_spreads(costs, [each.cost for each in found]),
        curves={
            name: curve
            for name, kind in _CURVES
            if (curve := _curve([each.lines for each in found], kind, name)).steps
        },
        folders=tuple(str(relative(each.run.folder, folder)) for each in found),
    )


def _spreads(names: Mapping[str, None], values: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Spreads of the numbers that are defined for every seed."""
    rows = {name: [each.get(name, math.nan) for each in values] for name in names}
    return {
        name: Spread(tuple(row))
        for name, row in rows.items()
        if all(math.isfinite(value) and value >= 0 for value in row)
    }


def _curve(runs: Sequence[Sequence[Line]], kind: str, name: str) -> Curve:
    """Mean and range over the seeds, at the steps that all of them have logged."""
    found = [
        {int(line["step"]): float(line[name]) for line in lines
         if line["kind"] == kind and name in line} for lines in runs
    ]  # fmt: skip
    steps = sorted(set.intersection(*(set(each) for each in found)))
    table = np.array([[each[step] for step in steps] for each in found]).reshape(len(found), -1)
    return Curve(
        steps, table.mean(axis=0).tolist(), table.min(axis=0).tolist(), table.max(axis=0).tolist()
    )


def _pairs(
    metric: str, by_label: Mapping[str, Sequence[Outcome]], methods: Sequence[MethodResult]
) -> list[Pair]:
    """All pairs of one metric, the better method first."""
    paired = {
        (one, other): found
        for one, other in itertools.combinations([method.label for method in methods], 2)
        if (found := _paired(by_label[one], by_label[other]))
        and all(math.isfinite(a.ap[metric] - b.ap[metric]) for a, b in found)
    }
    variances = [seed_variance(_by_seed(metric, found)) for found in paired.values()]
    pooled = statistics.fmean(variances) if len(variances) > 1 else None
    gaps = [_difference(metric, found, pooled) for found in paired.values()]
    seeds = [tuple(a.run.seed for a, _ in found) for found in paired.values()]
    return [
        Pair(metric, *labels, seen, *gap, p_holm, _ahead(*labels, seen, gap, p_holm))
        for labels, seen, gap, p_holm in zip(paired, seeds, gaps, holm([gap.p for gap in gaps]))
    ]


def _paired(one: Sequence[Outcome], other: Sequence[Outcome]) -> list[tuple[Outcome, Outcome]]:
    by_seed = {each.run.seed: each for each in other}
    return [(each, by_seed[each.run.seed]) for each in one if each.run.seed in by_seed]


def _by_seed(metric: str, paired: Sequence[tuple[Outcome, Outcome]]) -> Floats:
    return np.array([a.ap[metric] - b.ap[metric] for a, b in paired])


def _difference(
    metric: str, paired: Sequence[tuple[Outcome, Outcome]], pooled: float | None
) -> Difference:
    resampled = np.stack([a.resampled[metric] - b.resampled[metric] for a, b in paired])
    images = len(paired[0][0].evaluation.gts)
    return difference(_by_seed(metric, paired), resampled, images, pooled)


def _ahead(
    one: str, other: str, seeds: Sequence[int], found: Difference, p_holm: float
) -> str | None:
    """The better method, where a difference is shown; never with one or two seeds."""
    if len(seeds) < LEAST_SEEDS or p_holm >= SIGNIFICANT:
        return None
    return one if found.mean > 0 else other


def _notes(outcomes: Sequence[Outcome], methods: Sequence[MethodResult]) -> list[str]:
    notes = []
    if few := _FEW_SEEDS.get(min(len(method.seeds) for method in methods)):
        notes.append(few)
    if len({method.seeds for method in methods}) > 1:
        notes.append("methods have different seeds: a pair is compared over those that both have")
    images = len(outcomes[0].evaluation.gts)
    if images < _FEW:
        notes.append(f"{images} images are few: the intervals are rough")
    return notes
