"""Time and memory of a run, by phase."""

from __future__ import annotations

from dataclasses import dataclass

from otadet.run_report.metric_lines import MetricLines


@dataclass(frozen=True)
class Timing:
    """Seconds and memory, summed over all starts of a run.

    Attributes:
        data: seconds waiting for a batch.
        steps: seconds in forward, assignment, backward and update.
        evaluation: seconds in evaluations.
        memory_mib: peak; of the GPU, on a CPU of the main process.
    """

    data: float
    steps: float
    evaluation: float
    memory_mib: float | None

    @property
    def total(self) -> float:
        """Seconds of all phases."""
        return self.data + self.steps + self.evaluation

    @property
    def phases(self) -> list[tuple[str, float, float]]:
        """Name, seconds and share of each phase."""
        named = {
            "waiting for data": self.data,
            "training steps": self.steps,
            "evaluation": self.evaluation,
        }
        return [(name, each, each / max(self.total, 1e-9)) for name, each in named.items()]


def measure_time(lines: MetricLines) -> Timing | None:
    """Sum up what was logged; ``None`` for runs of versions that logged no seconds."""
    training = lines.total("train", "seconds")
    if training is None:
        return None
    data = sum(line.get("seconds", 0.0) * line.get("data_wait", 0.0) for line in lines.train)
    memory = [line["peak_memory_mib"] for line in lines.train if "peak_memory_mib" in line]
    return Timing(
        data, training - data, lines.total("val", "eval_seconds") or 0.0, max(memory, default=None)
    )


def duration(seconds: float) -> str:
    """Format seconds as 1:02:03, or as seconds where they are few."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
