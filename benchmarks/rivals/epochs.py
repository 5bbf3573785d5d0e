"""Times of a rival's run, and the number of epochs that fills given minutes.

The rivals' schedules are functions of the number of epochs, which somebody who has some minutes
must choose beforehand. Here it is chosen for them from a run of three epochs, whose time does not
count: a mosaic epoch, a plain one, the start before and the detection after are measured alike.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

TIMED = 3
"""Epochs of the run that is timed; the last one is plain."""
WARMUP = 1
"""Epochs of rising learning rate, as in YOLOX's example of fine-tuning (VOC)."""
LATE = 0.02
"""Share of the time that an end may be late; otadet's own limit."""


@dataclass
class Times:
    """Seconds of a run, since the start of its process.

    Attributes:
        steps: optimizer steps so far.
        start: until the first step.
        ends: at which each epoch ended, its checkpoint written.
        detected: when the detections were written.
    """

    steps: int = 0
    start: float = 0.0
    ends: list[float] = field(default_factory=list)
    detected: float = 0.0

    @property
    def epochs(self) -> list[float]:
        """Seconds of each epoch."""
        return [after - before for before, after in zip([self.start, *self.ends], self.ends)]


def plain_epochs(epochs: int, share: float) -> int:
    """Epochs at the end without mosaic, with L1: one at least."""
    return max(1, round(share * epochs))


def fitting(times: Times, seconds: float, share: float) -> int:
    """Most epochs whose end is at most 2 % late, one at least.

    Args:
        times: of the run that was timed.
        seconds: of the run.
        share: of the epochs that are plain.
    """
    mosaic, plain = times.epochs[0], times.epochs[-1]
    left = seconds * (1 + LATE) - times.start - (times.detected - times.ends[-1])
    count = 1
    while True:
        more = plain_epochs(count + 1, share)
        if (count + 1 - more) * mosaic + more * plain > left:
            return count
        count += 1


def since_start() -> float:
    """Seconds since this process started, the interpreter's own start included."""
    return time.time() - psutil.Process().create_time()


def parser(about: str | None) -> argparse.ArgumentParser:
    """The command line that the rivals share."""
    made = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    made.add_argument("--data", type=Path, required=True, help="folder of the data set")
    made.add_argument("--weights", type=Path, required=True, help="YOLOX-Nano's, of COCO")
    made.add_argument("--output", type=Path, required=True, help="folder of the run")
    made.add_argument("--size", type=int, nargs=2, required=True, metavar=("H", "W"))
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--cap", type=int, default=100, help="detections of an image and class")
    made.add_argument("--minutes", type=float, help="planned from --timed")
    made.add_argument("--timed", type=Path, help="times.json of the timed run; without: be that")
    made.add_argument("--share", type=float, help="of the epochs at the end that are plain")
    made.add_argument("settings", nargs="*", metavar="key=value", help="other than the defaults")
    return made


def planned(args: argparse.Namespace) -> tuple[int, int]:
    """Epochs of the run, and how many of them are plain."""
    if args.timed is None:
        return TIMED, 1
    times = Times(**json.loads(args.timed.read_text(encoding="utf-8")))
    count = fitting(times, 60 * args.minutes, args.share)
    return count, plain_epochs(count, args.share)


def write(output: Path, found: list[dict[str, Any]], times: Times) -> None:
    """Write detections in COCO's result format, and the times."""
    (output / "detections.json").write_text(json.dumps(found), encoding="utf-8")
    times.detected = since_start()
    (output / "times.json").write_text(json.dumps(asdict(times)), encoding="utf-8")
