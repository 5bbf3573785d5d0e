"""One run of ``benchmarks/minutes.py``: the process of a method, its time and its AP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from coco_ap import average_precision, rows_of_evaluation
from finetune import BCCD, NUCLEI
from measure import Row

ROOT = Path(__file__).parents[1]
LOAD = "while True: sum(range(10**6))"
OURS = ("auto", "finetune_nano")
RIVALS = {"pixeltable-yolox": "pixeltable_minutes.py", "libreyolo": "libreyolo_minutes.py"}
METHODS = (*OURS, *RIVALS)

CAP = {"nuclei": 400}
"""Detections of an image and class that AP counts; 100 elsewhere."""
BY_HAND = {"bccd": BCCD, "nuclei": NUCLEI}
SIZE = {"bccd": (256, 320), "nuclei": (320, 320)}
"""Input of the rivals, height and width: that of ``finetune_nano``."""
RIVAL_SETTINGS: dict[str, list[str]] = {
    "pixeltable-yolox": [],
    "libreyolo": ["mosaic_prob=0.5", "mosaic_scale=(0.5, 1.5)", "mixup_prob=0.0"],
}
"""YOLOX's own augmentation of the nano, with which LibreYOLO learns more in few steps than with its
default, that of the large networks; pixeltable-yolox has it by itself."""
SHARE = 0.15
"""Of the rivals' epochs, at the end, that are plain and at the lowest learning rate. The default of
15 is a twentieth of YOLOX's 300; of what fits eight minutes it would be half or more."""


class FailedError(Exception):
    """A process of a run failed; the message is its last line."""


@dataclass(frozen=True)
class Run:
    """What is measured once."""

    data: str
    method: str
    minutes: float
    seed: int
    shared: bool = False

    @classmethod
    def parse(cls, word: str) -> Run:
        """Read SET/METHOD[:key=value ...]/MINUTES/SEED[/shared].

        Raises:
            ValueError: it is not of that form.
        """
        methods = rf"(?:{'|'.join(OURS)})(?::[^/]+)?|{'|'.join(RIVALS)}"
        form = rf"([^/]+)/({methods})/(\d+\.?\d*)/(\d+)(/shared)?"
        match = re.fullmatch(form, word)
        if match is None or float(match[3]) == 0:
            raise ValueError(
                f"{word}: expected SET/METHOD/MINUTES/SEED, or .../shared, with a METHOD of "
                f"{', '.join(METHODS)}, and :key=value behind one of the first two"
            )
        return cls(match[1], match[2], float(match[3]), int(match[4]), match[5] is not None)

    def __str__(self) -> str:
        words = (self.data, self.method, f"{self.minutes:g}", str(self.seed))
        return "/".join([*words, "shared"] if self.shared else words)

    def row(self) -> Row:
        """Its part of a row."""
        return asdict(self)

    def is_of(self, row: Row) -> bool:
        """Whether a row is of this run."""
        return all(row.get(key) == value for key, value in self.row().items())


@dataclass(frozen=True)
class Conditions:
    """What all runs share.

    Attributes:
        data: folder of the sets.
        weights: that every run starts from.
        rivals: folder of their packages.
        keep: folder of the runs' folders, if they stay.
    """

    data: Path
    weights: Path
    rivals: Path | None
    keep: Path | None

    def folder(self, run: Run) -> Path | None:
        """Where a run's files stay."""
        if self.keep is None:
            return None
        folder = self.keep / str(run).replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def measured(run: Run, where: Conditions, folder: Path) -> Row:
    """Time and AP of a run.

    Raises:
        FailedError: one of its processes failed.
    """
    annotations = where.data / run.data / "annotations/val.json"
    before = os.getloadavg()[0]
    if run.method not in RIVALS:
        row, found = _ours(run, where, folder, annotations)
    else:
        row, found = _rival(run, where, folder)
    scores = average_precision(annotations, found, CAP.get(run.data, 100))
    return {
        **row,
        "kept": round(row["seconds"] / (60 * run.minutes) - 1, 4),
        **{name: round(value, 4) for name, value in scores.items()},
        "load_before": round(before, 1), "load_after": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def _ours(run: Run, where: Conditions, folder: Path, annotations: Path) -> tuple[Row, list[Row]]:
    data = where.data / run.data
    method, _, given = run.method.partition(":")
    words = [str(data)]
    if method == "finetune_nano":
        by_hand = [word for word in BY_HAND.get(run.data, []) if not word.startswith("max_epochs")]
        words = ["-n", method, f"data_dir={data}", "workers=0", *by_hand]
    out = folder / "run"
    seconds = _timed(
        run, folder, {},
        [str(ROOT / "tools/train.py"), *words, "-c", str(where.weights), "-d", "cpu",
         "-o", str(out), "--minutes", str(run.minutes), f"seed={run.seed}", *given.split()],
    )  # fmt: skip
    command = [str(ROOT / "tools/eval.py"), "-c", str(out / "last.pth"), "-d", "cpu",
               "-o", str(folder / "eval"), "--save-detections"]  # fmt: skip
    _process(folder, {}, command)
    lines = (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    values = [line for line in map(json.loads, lines) if line["kind"] == "val"]
    row = {"seconds": seconds, "steps": values[-1]["step"],
           "AP_best": round(max(line["AP"] for line in values), 4)}  # fmt: skip
    return row, rows_of_evaluation(folder / "eval/detections.npz", annotations)


def _rival(run: Run, where: Conditions, folder: Path) -> tuple[Row, list[Row]]:
    variables = {"PYTHONPATH": os.pathsep.join([str(where.rivals), str(ROOT)])}
    height, width = SIZE.get(run.data, (320, 320))
    command = [str(ROOT / "benchmarks/rivals" / RIVALS[run.method]),
               "--data", str(where.data / run.data), "--weights", str(where.weights),
               "--size", str(height), str(width), "--seed", str(run.seed),
               "--cap", str(CAP.get(run.data, 100))]  # fmt: skip
    settings = RIVAL_SETTINGS[run.method]
    timed, out = folder / "timed", folder / "run"
    for each in (timed, out):
        each.mkdir(exist_ok=True)
    with company(run.shared):
        _process(folder, variables, [*command, "--output", str(timed), *settings])
    seconds = _timed(
        run, folder, variables,
        [*command, "--output", str(out), "--minutes", str(run.minutes),
         "--timed", str(timed / "times.json"), "--share", str(SHARE), *settings],
    )  # fmt: skip
    times = json.loads((out / "times.json").read_text(encoding="utf-8"))
    row = {"seconds": seconds, "steps": times["steps"], "epochs": len(times["ends"])}
    return row, json.loads((out / "detections.json").read_text(encoding="utf-8"))


def _timed(run: Run, folder: Path, variables: dict[str, str], command: Sequence[str]) -> float:
    """Seconds of a process from its start to its end."""
    with company(run.shared):
        start = time.perf_counter()
        _process(folder, variables, command)
        return round(time.perf_counter() - start, 1)


@contextmanager
def company(wanted: bool) -> Iterator[None]:
    """Another process that computes on the same core all the time, where it is wanted."""
    if not wanted:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", LOAD]) as other:
        try:
            yield
        finally:
            other.terminate()


def _process(folder: Path, variables: dict[str, str], command: Sequence[str]) -> None:
    """Run a Python script with one thread; its output goes to ``log.txt``."""
    log = folder / "log.txt"
    with log.open("ab") as file:
        done = subprocess.run(
            [sys.executable, *command], stdout=file, stderr=subprocess.STDOUT, cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **variables}, check=False,
        )  # fmt: skip
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1] if lines else "nothing"
        raise FailedError(f"{Path(command[0]).name}: exit code {done.returncode}: {last}")
