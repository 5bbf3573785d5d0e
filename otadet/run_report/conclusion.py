"""What a run comes to: AP and how sure it is, score threshold, what limits it, what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from otadet.evaluation.resampling import RESAMPLES, ap_interval
from otadet.run_report.metric_lines import Line
from otadet.run_report.scores import Scores
from otadet.texts import one_line

NOTABLE = 0.01
"""Difference of AP between two evaluations that is worth a word; less is noise of a run."""

_IMAGES = 500_000  # resamples times images, so that large sets take no minutes


@dataclass(frozen=True)
class Conclusion:
    """What a run comes to.

    Attributes:
        ap: of the best weights on the validation set.
        interval: of 95 % of the resamples of its images.
        score: threshold of the largest F1.
        f1: that F1.
        limit: what costs most.
        outlook: what more time would bring.
    """

    ap: float
    interval: tuple[float, float]
    score: float
    f1: float
    limit: str
    outlook: str

    def lines(self) -> list[str]:
        """Write a line each."""
        low, high = self.interval
        return [
            f"AP {self.ap:.3f}; {low:.3f} to {high:.3f} in 95 % of the draws of its validation "
            "images (other images of the kind, the same weights)",
            f"best score threshold {self.score:.3f}: F1 {self.f1:.3f}",
            f"limited by: {self.limit}",
            f"more time: {self.outlook}",
        ]


def conclude(scores: Scores, evaluations: Sequence[Line]) -> Conclusion | None:
    """Conclude from the scores of the best weights and the run's evaluations.

    ``None`` where AP is not defined, without objects.
    """
    flat, ap = scores.matches.flat, scores.metrics["AP"]
    if ap < 0:
        return None
    times = int(np.clip(_IMAGES // max(flat.num_images, 1), 100, RESAMPLES))
    points = [(line["step"], line["AP"]) for line in evaluations if "AP" in line]
    return Conclusion(
        ap, ap_interval(flat, times), scores.score, scores.f1, _limit(scores), outlook(points)
    )


def _limit(scores: Scores) -> str:
    """Say which kind of error costs most, and in which class AP is lowest."""
    worst = max(scores.errors, key=lambda kind: kind.lost)
    if worst.lost <= 0:
        return "no errors at an IoU of 0.5" if scores.f1 else "no object is found yet"
    text = f"{worst.name} ({worst.meaning}): AP50 would be {worst.lost:.3f} higher without"
    classes = [c for c in scores.classes if c.AP >= 0]
    if len(classes) > 1:
        low = min(classes, key=lambda c: c.AP)
        text += f"; lowest class: {one_line(low.name)}, AP {low.AP:.3f}"
    return text


def outlook(points: Sequence[tuple[float, float]]) -> str:
    """Say what the curve of AP over the steps lets expect of more time.

    What the second half of the steps brought is the most that doubling them can be expected to:
    part of it comes from the falling learning rate, which a longer run has only once too.

    Args:
        points: step and AP of every evaluation.
    """
    points = sorted(points)
    if len(points) < 2 or points[0][0] > points[-1][0] / 2:
        return "not known: no evaluation in the first half of the run"
    steps, values = zip(*points)
    last, best = values[-1], max(values)
    if best - last > NOTABLE:
        at = steps[values.index(best)]
        return (
            f"would not help by itself: AP was {best:.3f} at step {at:,.0f} and is {last:.3f} at "
            "the end"
        )
    gain = last - float(np.interp(steps[-1] / 2, steps, values))
    if gain < NOTABLE:
        return f"brings little: AP is flat, {gain:+.3f} in the second half of the steps"
    return (
        f"still rising: {gain:+.3f} in the second half of the steps; twice the time may bring as "
        "much, at most"
    )
