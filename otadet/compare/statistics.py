"""Differences of two methods over seeds and images: intervals, p-values, Holm's correction.

A difference varies with the images and with the seeds. Both methods saw the same of either, so
the difference is taken seed by seed and on the same resampled images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from otadet.evaluation.flat import Floats

CONFIDENCE = 0.95
_NORMAL = 1e4  # degrees of freedom that make Student's distribution the normal one
_ANGLES = np.linspace(0, np.pi / 2, 20_001)


class Difference(NamedTuple):
    """A mean difference with its interval.

    Attributes:
        mean: over the seeds.
        low, high: ends of the 95 % interval.
        p: probability of a mean at least as far from 0, if there were no difference.
    """

    mean: float
    low: float
    high: float
    p: float


def difference(
    by_seed: Floats, resampled: Floats, images: int, pooled: float | None = None
) -> Difference:
    """Estimate a mean difference over images and seeds.

    Its variance has two parts: that of the mean over resampled images (bootstrap), and that over
    the seeds, ``s^2 / S`` with the sample variance, since a bootstrap of three seeds would be
    too narrow. The interval is Student's, with Welch and Satterthwaite's degrees of freedom.
    A single seed says nothing about others: then only the images count.

    Three seeds are often alike by chance. Among the pairs of several methods some are so, and
    would be called different: 17 of 100 comparisons of four methods that are equal. With the
    larger of a pair's variance and that of all pairs it is at most 5.

    Args:
        by_seed: ``[S]`` difference on all images.
        resampled: ``[S, B]`` difference on resampled images, the same for all seeds.
        images: number of images.
        pooled: mean over all pairs of the variance over the seeds; ``None`` for a single pair.
    """
    seeds = len(by_seed)
    mean = float(by_seed.mean())
    over_images = float(np.nanvar(resampled.mean(axis=0), ddof=1))
    over_seeds = max(seed_variance(by_seed), pooled or 0.0) / seeds
    seed_freedom = max(seeds - 1, 1) * (1 if pooled is None else 2)
    variance = over_images + over_seeds
    if variance <= 0:
        return Difference(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    shares = over_images**2 / max(images - 1, 1) + over_seeds**2 / seed_freedom
    freedom = min(variance**2 / shares, _NORMAL)
    error = variance**0.5
    half = student_quantile(CONFIDENCE, freedom) * error
    return Difference(mean, mean - half, mean + half, student_p(abs(mean) / error, freedom))


def seed_variance(by_seed: Floats) -> float:
    """Return the sample variance of a difference over the seeds; 0 of a single one."""
    return float(by_seed.var(ddof=1)) if len(by_seed) > 1 else 0.0


def student_p(t: float, freedom: float) -> float:
    """Return the probability that Student's t is further from 0 than ``t``."""
    return 1 - float(np.interp(np.arctan(t / freedom**0.5), _ANGLES, _within(freedom)))


def student_quantile(confidence: float, freedom: float) -> float:
    """Return the ``t`` that Student's distribution stays within with this probability."""
    angle = float(np.interp(confidence, _within(freedom), _ANGLES))
    return float(np.tan(angle) * np.sqrt(freedom))


def _within(freedom: float) -> Floats:
    """Probability that ``|t|`` is at most ``sqrt(freedom) tan(angle)``, by angle."""
    density = np.cos(_ANGLES) ** (freedom - 1)
    total = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    inside: Floats = total / total[-1]
    return inside


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979): each at its rank, never below a smaller one's.

    A corrected value below 0.05 keeps the chance of any false claim among all of them below 5 %.
    """
    corrected = [1.0] * len(p_values)
    before = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        before = max(before, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = before
    return corrected
