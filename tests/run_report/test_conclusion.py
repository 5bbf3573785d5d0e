"""What a run comes to, from curves and errors whose answer is known."""

from pathlib import Path

import pytest

from otadet.evaluation import load_evaluation
from otadet.evaluation.resampling import ap_interval
from otadet.run_report.conclusion import conclude, outlook
from otadet.run_report.metric_lines import MetricLines
from otadet.run_report.scores import compute_scores


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(10, 0.2), (20, 0.3), (40, 0.5)], "still rising: +0.200 in the second half"),
        (
            [(10, 0.2), (30, 0.4), (40, 0.5)],
            "still rising: +0.200 in the second half",
        ),  # at 20: 0.3
        ([(40, 0.504), (20, 0.5), (10, 0.2)], "brings little: AP is flat, +0.004"),
        ([(10, 0.2), (20, 0.5), (40, 0.495)], "brings little: AP is flat, -0.005"),
        ([(20, 0.5), (30, 0.52), (40, 0.4)], "AP was 0.520 at step 30 and is 0.400 at the end"),
        ([(30, 0.5), (40, 0.6)], "not known: no evaluation in the first half"),
        ([(40, 0.6)], "not known"),
        ([], "not known"),
    ],
)
def test_what_more_time_would_bring(points: list[tuple[float, float]], expected: str) -> None:
    assert expected in outlook(points)


def test_a_run_ends_with_it(finished: Path) -> None:
    """In log and page, from the detections of the best weights."""
    run = finished / "run"
    found = load_evaluation(run / "best_detections.npz")
    scores = compute_scores(found, 100, None)
    result = conclude(scores, MetricLines.read(run).val)
    assert result is not None
    low, high = result.interval
    assert (low, high) == ap_interval(scores.matches.flat) and low <= result.ap <= high
    assert result.f1 == scores.f1 and result.score == scores.score
    worst = max(scores.errors, key=lambda kind: kind.lost)
    assert result.limit.startswith(f"{worst.name} ({worst.meaning})")
    log = (run / "log.txt").read_text(encoding="utf-8")
    page = (run / "report.html").read_text(encoding="utf-8")
    for line in result.lines():
        assert line in log
    assert f"AP {result.ap:.3f}; {low:.3f} to {high:.3f} in" in page and "more time:" in page
