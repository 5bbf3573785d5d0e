"""Intervals of differences: against tables, formulas, and the truth of simulated methods."""

from itertools import combinations

import numpy as np
import pytest

from otadet.compare.analysis import _ahead
from otadet.compare.statistics import (
    Difference,
    difference,
    holm,
    seed_variance,
    student_p,
    student_quantile,
)
from otadet.evaluation import DetectionColumns
from otadet.evaluation.flat import Flat, Floats
from otadet.evaluation.resampling import RankedMatches, resample_images
from otadet.types import GroundTruth


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.70620), (2, 4.302653), (3, 3.182446), (10, 2.228139), (120, 1.979930), (1e4, 1.960201)],
)
def test_students_distribution_is_that_of_the_tables(freedom: float, quantile: float) -> None:
    assert student_quantile(0.95, freedom) == pytest.approx(quantile, rel=2e-5)
    assert student_p(quantile, freedom) == pytest.approx(0.05, rel=1e-3)
    assert student_p(0.0, freedom) == 1.0


def test_holms_correction_by_hand() -> None:
    # 4 x 0.005, 3 x 0.01, 2 x 0.03, and 0.04 is no smaller than the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


def means(values: Floats, weights: np.ndarray) -> Floats:
    """``[S, B]`` mean over resampled images of ``values [S, N]``."""
    return values @ weights.T / values.shape[1]


def test_of_a_mean_the_interval_is_the_t_test() -> None:
    """One seed: the bootstrap's variance is the sample's over n; t with n - 1 degrees of freedom
    (7.262 to 15.738 by hand of these eight numbers, but for the factor (n - 1) / n)."""
    values = np.array([[2.0, 7.0, 9.0, 11.0, 12.0, 14.0, 18.0, 19.0]])
    found = difference(values.mean(axis=1), means(values, resample_images(8, 40_000)), 8)
    error = values.std(ddof=1) / 8**0.5 * (7 / 8) ** 0.5
    assert found.mean == 11.5
    assert found.high - found.mean == pytest.approx(2.364624 * error, rel=0.02)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_seeds_count_as_in_the_t_test() -> None:
    """All images alike: what is left is Student's interval of three numbers."""
    by_seed = np.array([0.010, 0.014, 0.018])
    found = difference(by_seed, np.repeat(by_seed[:, None], 50, axis=1), 100)
    assert found.high - found.mean == pytest.approx(4.302653 * 0.004 / 3**0.5, rel=1e-5)


def test_equal_runs_have_no_difference() -> None:
    found = difference(np.zeros(3), np.zeros((3, 10)), 5)
    assert found == (0.0, 0.0, 0.0, 1.0)


def test_two_seeds_claim_nothing() -> None:
    """However large the difference; three do."""
    gap = Difference(0.2, 0.19, 0.21, 1e-9)
    assert _ahead("a", "b", (0, 1), gap, 1e-9) is None
    assert _ahead("a", "b", (0, 1, 2), gap, 1e-9) == "a"
    assert _ahead("a", "b", (0, 1, 2), gap._replace(mean=-0.2), 0.049) == "b"
    assert _ahead("a", "b", (0, 1, 2), gap, 0.051) is None


@pytest.mark.parametrize(("images", "seeds"), [(0.3, 0.0), (0.02, 0.01), (0.1, 0.02)])
def test_the_interval_covers_the_truth(images: float, seeds: float) -> None:
    """Three seeds and 60 images, drawn anew 400 times; ``images`` and ``seeds`` are deviations."""
    rng = np.random.default_rng(0)
    weights, hits, truth = resample_images(60, 200), 0, 0.013
    for _ in range(400):
        of_image, of_seed = rng.normal(0, images, 60), rng.normal(0, seeds, (3, 1))
        values = truth + of_image + of_seed + rng.normal(0, 0.02, (3, 60))
        found = difference(values.mean(axis=1), means(values, weights), 60)
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / 400 <= 0.99


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.2])
def test_of_four_equal_methods_none_is_ahead(noise: float) -> None:
    """In any of six pairs; three seeds, whose deviation is ``noise``, and 60 images."""
    rng = np.random.default_rng(3)
    weights, claims = resample_images(60, 60), 0
    for _ in range(150):
        methods = rng.normal(0, 0.1, (4, 1, 60)) + rng.normal(0, noise, (4, 3, 1))
        gaps = [one - other for one, other in combinations(methods, 2)]
        pooled = float(np.mean([seed_variance(gap.mean(axis=1)) for gap in gaps]))
        found = [difference(g.mean(axis=1), means(g, weights), 60, pooled).p for g in gaps]
        claims += min(holm(found)) < 0.05
    assert claims <= 13  # 7 expected of 150 at 5 %; 26 with the pairs' own variances


def detector(rng: np.random.Generator, gts: list[GroundTruth], noise: float) -> tuple[Flat, Flat]:
    """Detections of two methods on the same images; of the second, boxes are ``noise`` more off."""
    flats = []
    for sigma in (2.0, 2.0 + noise):
        sigma *= np.exp(rng.normal(0, 0.05))  # of the seed
        rows = [gt.boxes + rng.normal(0, sigma, gt.boxes.shape).astype(np.float32) for gt in gts]
        counts = np.array([len(row) for row in rows])
        scores = rng.uniform(0.1, 1, counts.sum()).astype(np.float32)
        found = DetectionColumns(
            np.arange(len(gts)), counts, np.concatenate(rows), scores,
            np.zeros(counts.sum(), np.int64),
        )  # fmt: skip
        flats.append(Flat.of(gts, 1, found))
    return flats[0], flats[1]


def scenes(rng: np.random.Generator, images: int) -> list[GroundTruth]:
    gts = []
    for number in range(images):
        count = int(rng.integers(2, 8))
        corner = np.stack([np.arange(count) * 60.0, np.zeros(count)], axis=1)
        rows = np.concatenate([corner, corner + rng.uniform(20, 45, (count, 2))], axis=1)
        gts.append(
            GroundTruth(number, "", (100, 500), rows.astype(np.float32), np.zeros(count, np.int64),
                        np.zeros((0, 4), np.float32), np.full(count, 900.0))
        )  # fmt: skip
    return gts


@pytest.mark.parametrize("noise", [0.0, 0.6])
def test_intervals_of_ap_cover_the_true_difference(noise: float) -> None:
    """Simulated detectors on 40 images, three seeds; the truth is that of 120 seeds on others."""
    rng = np.random.default_rng(1)
    many = scenes(rng, 60)
    once = np.ones((1, 60), np.int64)
    pairs = [detector(rng, many, noise) for _ in range(120)]
    truth = np.mean(
        [RankedMatches.of(a).ap(once)[0] - RankedMatches.of(b).ap(once)[0] for a, b in pairs]
    )
    weights = np.concatenate([np.ones((1, 40), np.int64), resample_images(40, 60)])
    covered = claimed = 0
    for _ in range(40):
        gts = scenes(rng, 40)
        aps = np.array(
            [[RankedMatches.of(flat).ap(weights) for flat in detector(rng, gts, noise)]
             for _ in range(3)]
        )  # fmt: skip
        gaps = aps[:, 0] - aps[:, 1]
        found = difference(gaps[:, 0], gaps[:, 1:], 40)
        covered += found.low <= truth <= found.high
        claimed += found.p < 0.05
    assert covered >= 34  # 38 expected of 40
    assert claimed <= 5 if noise == 0 else claimed > 26
