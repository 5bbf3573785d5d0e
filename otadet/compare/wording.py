"""Sentences and tables of a comparison, for Markdown and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from otadet.compare.outcomes import CROWDED
from otadet.compare.result import Comparison, MethodResult, Pair, Spread

_MAIN = ("AP", "AP50", "AP75")
_PARTS = {"APs": "small", "APm": "medium", "APl": "large", "AP alone": "alone",
          "AP crowded": "crowded"}  # fmt: skip
_KNOWN = (*_MAIN, *_PARTS)
DIFFERENCES = "Differences in "
"""Begin of the titles of tables of pairs."""

_FEW = {
    1: "one seed each, which shows nothing of others (images alone",
    2: "two seeds each, which are too few to show a difference (images and seeds",
}
_ANSWER = {True: "yes", False: "no", None: "not known"}

HOW = (
    "AP is that of the final weights. A difference is the mean over the seeds that both methods "
    "have; its 95 % interval covers images and seeds: {resamples:,} times, the images are drawn "
    "anew with replacement, the same for both methods and all seeds, and AP is computed of them; "
    "the variance over the seeds, as a sample's (s²/n; of three or more methods the mean over all "
    "pairs, where it is larger), is added, and the interval is Student's with Welch and "
    "Satterthwaite's degrees of freedom. A method is called ahead where p, "
    "corrected for the {pairs} pairs after Holm, is below 0.05; it may not be where one interval "
    "alone leaves out 0."
)


class Table(NamedTuple):
    """A table: a title, headers and cells, the first column text."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def percent(value: float, sign: bool = False) -> str:
    """Format a share as AP is written: in percent with one decimal."""
    text = f"{100 * value:{'+' if sign else ''}.1f}"
    return "0.0" if float(text) == 0 else text


def spread(value: Spread | None) -> str:
    """Format a mean in percent with its standard deviation; ``-`` where it is undefined."""
    if value is None:
        return "-"
    sd = value.deviation
    return percent(value.mean) if sd is None else f"{percent(value.mean)} ± {percent(sd)}"


def headline(result: Comparison) -> str:
    """Say which method is ahead of which, in a sentence."""
    best, *others = [method.label for method in result.methods]
    ahead = _behind(result, best)
    rest = _listed([label for label in others if label not in ahead], "or")
    parts = [f"no difference to {rest} is shown"] if ahead and rest else []
    parts += [f"{one} is ahead of {_listed(found)}" for one in others
              if (found := _behind(result, one))]  # fmt: skip
    first = (
        f"{best} is ahead of {_listed(ahead)} in AP" if ahead
        else f"No difference in AP is shown between {best}, the highest, and {rest}"
    )  # fmt: skip
    return "; ".join([first, *parts]) + "."


def _behind(result: Comparison, label: str) -> list[str]:
    """The methods that one is ahead of in AP."""
    return [p.other if p.one == label else p.one for p in result.pairs_of("AP") if p.ahead == label]


def verdict(pair: Pair) -> str:
    """Say what is shown of a pair; a difference within noise is none."""
    low, high, metric = percent(pair.low), percent(pair.high), pair.metric
    if few := _FEW.get(len(pair.seeds)):
        return f"{pair.one} and {pair.other}: {few}, 95 %: {low} to {high} {metric})"
    if pair.ahead == pair.one:
        gap = percent(pair.mean)
        return f"{pair.one} is ahead of {pair.other} by {gap} {metric} (95 %: {low} to {high})"
    if pair.ahead == pair.other:
        gap, low, high = (percent(-v) for v in (pair.mean, pair.high, pair.low))
        return f"{pair.other} is ahead of {pair.one} by {gap} {metric} (95 %: {low} to {high})"
    return f"no difference shown between {pair.one} and {pair.other}: {low} to {high} {metric}"


def how(result: Comparison) -> str:
    """Describe the statistics."""
    return HOW.format(resamples=result.resamples, pairs=len(result.pairs_of("AP")))


def tables(result: Comparison) -> list[Table]:
    """Return all tables."""
    crowding = (
        f"crowded: IoU above {CROWDED} with another object of the class, {result.crowded:,} of "
        f"{result.objects:,} objects; alone: all others. Detections that no object matches count "
        "as false for both. Small, medium and large are COCO's, by area."
    )
    return [
        _metrics("AP, mean and standard deviation over the seeds", result.methods, _MAIN),
        _differences(result, "AP"),
        _parts(result, crowding),
        _differences(result, "AP crowded"),
        _cost(result.methods),
        _equal(result),
        _settings(result.methods),
        _others(result.methods),
    ]


def _metrics(title: str, methods: Sequence[MethodResult], names: Sequence[str]) -> Table:
    shown = [name for name in names if any(name in method.metrics for method in methods)]
    rows = [(m.label, *(spread(m.metrics.get(name)) for name in shown), str(len(m.seeds)))
            for m in methods]  # fmt: skip
    return Table(title, ("method", *shown, "seeds"), tuple(rows))


def _parts(result: Comparison, note: str) -> Table:
    shown = [name for name in _PARTS if any(name in m.metrics for m in result.methods)]
    rows = [(m.label, *(spread(m.metrics.get(name)) for name in shown)) for m in result.methods]
    headers = ("method", *(_PARTS[name] for name in shown))
    return Table("AP by size and crowding", headers, tuple(rows), note)


def _differences(result: Comparison, metric: str) -> Table:
    rows = [
        (verdict(pair), percent(pair.mean, sign=True),
         f"{percent(pair.low)} to {percent(pair.high)}", f"{pair.p_holm:.2g}")
        for pair in result.pairs_of(metric)
    ]  # fmt: skip
    headers = ("what is shown", "difference", "95 %", "p, corrected")
    return Table(f"{DIFFERENCES}{metric}", headers, tuple(rows))


def _cost(methods: Sequence[MethodResult]) -> Table:
    names = dict.fromkeys(name for method in methods for name in method.cost)
    rows = [(m.label, *(_plain(m.cost.get(name)) for name in names), f"{m.steps:,}")
            for m in methods]  # fmt: skip
    note = "Median over a run's log lines; the time of a step includes waiting for data."
    return Table("Cost", ("method", *names, "steps"), tuple(rows), note)


def _equal(result: Comparison) -> Table:
    rows = [(each.what, _ANSWER[each.equal], each.text) for each in result.equalities]
    return Table(
        "What is equal", ("what", "equal", "how it is known, or what differs"), tuple(rows)
    )


def _settings(methods: Sequence[MethodResult]) -> Table:
    names = dict.fromkeys(name for method in methods for name in method.settings)
    if list(names) == ["method"]:  # the labels say it
        return Table("", (), ())
    rows = [(name, *(str(m.settings.get(name)) for m in methods)) for name in names]
    headers = ("setting", *(m.label for m in methods))
    return Table("Settings in which methods differ", headers, tuple(rows))


def _others(methods: Sequence[MethodResult]) -> Table:
    names = dict.fromkeys(n for m in methods for n in m.metrics if n not in _KNOWN)
    rows = [(name, *(spread(m.metrics.get(name)) for m in methods)) for name in names]
    return Table("Other metrics", ("metric", *(m.label for m in methods)), tuple(rows))


def _plain(value: Spread | None) -> str:
    if value is None:
        return "-"
    sd = value.deviation
    return f"{value.mean:.3g}" if sd is None else f"{value.mean:.3g} ± {sd:.2g}"


def _listed(labels: Sequence[str], word: str = "and") -> str:
    return f" {word} ".join([", ".join(labels[:-1]), labels[-1]] if labels[1:] else labels)
