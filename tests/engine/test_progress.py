"""How far a run is, where no terminal shows a bar."""

import pytest
from loguru import logger

from otadet.engine.progress import SECONDS, Progress


def test_a_log_gets_a_line_a_minute() -> None:
    now = [0.0]
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}")
    try:
        with Progress("run", 1000, 100, 30, shown=True, clock=lambda: now[0]) as progress:
            if not progress.lines:
                pytest.skip("the tests run on a terminal")
            for step in range(110, 210, 10):
                now[0] += SECONDS / 4
                progress.update()
                progress.numbers(step, step / 100, "best AP 0.500", "")
        with Progress("run", 1000, 100, 30, shown=False, clock=lambda: now[0]) as other:
            now[0] += 2 * SECONDS
            other.numbers(110, 1.0)
    finally:
        logger.remove(sink)
    assert lines == [
        "step 140/1000, epoch 5/34: loss 1.400, best AP 0.500, 21:30 left\n",
        "step 180/1000, epoch 6/34: loss 1.800, best AP 0.500, 20:30 left\n",
    ]
