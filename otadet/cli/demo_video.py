"""Demo on videos: a video file to an annotated file, and live sources."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from loguru import logger
from tqdm import tqdm

from otadet.data import Classes, WindowedImage, as_windowed, overview
from otadet.engine.predictor import Predictor, group_images
from otadet.errors import InputError
from otadet.media import (
    LiveStream,
    ResultsWriter,
    Sink,
    VideoReader,
    VideoWriter,
    prefetch,
)
from otadet.media.results import Kind
from otadet.outputs import Inputs, OutputFolder, check_different
from otadet.texts import one_line
from otadet.types import Detections
from otadet.visualize import draw_boxes

Image = npt.NDArray[np.uint8]

_WINDOW = "otadet (q ends)"


@dataclass(eq=False)
class Job:
    """What the demo is asked for.

    Attributes:
        args: the options.
        folder: for what is drawn; made by :meth:`start`.
        reads: the files of the options, which no result replaces.
        classes: names, and ids for COCO.
        batch: images in one forward pass.
        score: lowest that is drawn.
        make: makes the predictor.
        stack: closes what was opened, when the job ends or fails.
        results: tables to write, open after :meth:`start`.
        outputs: what is drawn goes through it.
    """

    args: argparse.Namespace
    folder: Path
    reads: Sequence[Path]
    classes: Classes
    batch: int
    score: float
    make: Callable[[], Predictor]
    stack: ExitStack
    results: list[ResultsWriter] = field(default_factory=list)
    outputs: OutputFolder = field(init=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.classes.names

    def start(self, names: Sequence[str], inputs: Iterable[Path] = ()) -> Predictor:
        """Make the network, then the folder and the tables: once the input is known to be good.

        Args:
            names: of the files to draw.
            inputs: files to detect in.

        Raises:
            InputError: where nothing can be written there, or something else would be replaced.
        """
        known = Inputs([*inputs, *self.reads])
        for path in (self.folder, *self.folder.parents):
            if path.exists() and not path.is_dir():
                raise InputError(f"output folder {self.folder}: {path} is a file")
        kinds: tuple[Kind, ...] = ("json", "csv")
        named = zip((self.args.save_json, self.args.save_csv), kinds)
        tables = [(Path(text), kind) for text, kind in named if text is not None]
        check_different([*(self.folder / name for name in names), *(path for path, _ in tables)])
        self.outputs = OutputFolder(self.folder, known)
        self.outputs.check(names)
        predictor = self.make()
        if not self.folder.exists():
            self.stack.push(self._forget_folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"output folder {self.folder}: {error.strerror}") from error
        for table, kind in tables:
            writer = ResultsWriter(table, kind, self.classes, known, self.args.csv_guard)
            self.results.append(self.stack.enter_context(writer))
        return predictor

    def _forget_folder(self, kind: type[BaseException] | None, *_: object) -> None:
        """After an error a folder that was made for nothing goes again."""
        if kind is not None:
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def draw(self, image: Image | WindowedImage, found: Detections) -> Image:
        """A copy with boxes, names and scores; a smaller one where memory does not hold it."""
        pixels, shrunk = overview(as_windowed(image))
        return draw_boxes(
            pixels, found.boxes / shrunk, found.labels, self.names, found.scores, self.args.labels,
            self.args.line_width,
        )  # fmt: skip


def run_video(job: Job) -> None:
    """A video file to an annotated one of the same size and frame rate.

    Frames are read and written in threads of their own, with short queues between.
    """
    source = Path(job.args.path[0])
    reader = VideoReader(source)
    job.stack.callback(reader.close)
    target = job.folder / f"{source.stem}.mp4"
    if target.resolve() == source.resolve():
        raise InputError(f"-o {job.folder}: the drawn video would replace {source}")
    predictor = job.start([target.name], [source])
    limit = _limit(job.args, reader.rate)
    total = limit if reader.count is None else min(reader.count, limit or reader.count)
    frames = prefetch(islice(reader.numbered(), limit), 2 * job.batch)
    job.stack.callback(frames.close)  # before the reader's file, which its thread uses
    video = job.stack.enter_context(
        VideoWriter(target, reader.size, reader.rate, job.outputs.atomic)
    )

    def write(item: tuple[Image, Detections]) -> None:
        video.write(job.draw(*item))

    begin = time.perf_counter()
    done = 0
    with (
        Sink(write, 2 * job.batch) as sink,
        tqdm(total=total, desc="demo", unit="frame", disable=None) as bar,
    ):
        for number, image, found in _detected(frames, predictor, job):
            sink.put((image, found))
            for results in job.results:
                results.add(found, number, source.name, frame=number)
            done += 1
            bar.update()
            if job.args.show and not _shown(job.draw(image, found)):
                break
    seconds = time.perf_counter() - begin
    logger.info("{}: {} frames in {:.1f} s, {:.1f} a second -> {}",
                one_line(source), done, seconds, done / seconds, one_line(target))  # fmt: skip


def _limit(args: argparse.Namespace, rate: float) -> int | None:
    """Largest number of frames of a video; ``None`` for all."""
    limits = [args.frames] if args.frames else []
    if args.seconds:
        limits.append(max(1, round(args.seconds * rate)))
    return min(limits) if limits else None


def _detected(
    frames: Iterator[tuple[int, Image]], predictor: Predictor, job: Job
) -> Iterator[tuple[int, Image, Detections]]:
    for group in group_images(frames, job.batch):
        for (number, image), found in zip(group, predictor.batch([image for _, image in group])):
            yield number, image, found.above(job.score)


def run_live(job: Job) -> None:
    """A camera or a network stream, until it ends, a limit is reached, q or Ctrl-C.

    The newest frame is looked at, others are passed over. What is drawn becomes a video that
    runs as fast as time did, unless it is shown and no ``-o`` asks for a file.
    """
    args = job.args
    source: int | str = args.camera if args.mode == "webcam" else args.path[0]
    stream = job.stack.enter_context(LiveStream(source, args.timeout))
    keep = args.output is not None or not args.show
    target = job.folder / f"{args.mode}.mp4"
    predictor = job.start([target.name] if keep else [])
    film = _Film(target, stream.rate, job) if keep else None
    begin = time.monotonic()
    done = 0
    try:
        for image in stream:
            found = predictor(image).above(job.score)
            for results in job.results:
                results.add(found, done, str(source), frame=done)
            drawn = job.draw(image, found)
            if film is not None:
                film.add(drawn, time.monotonic())
            done += 1
            over = args.seconds and time.monotonic() - begin >= args.seconds
            if over or done == args.frames or (args.show and not _shown(drawn)):
                break
    except KeyboardInterrupt:
        logger.info("stopped")
    seconds = time.monotonic() - begin
    logger.info(
        "{}: looked at {} of {} frames in {:.1f} s, {:.1f} a second{}",
        source, done, stream.seen, seconds, done / seconds, f" -> {film.path}" if film else "",
    )  # fmt: skip


class _Film:
    """A video whose time is that of the clock: a frame stays until the next one comes."""

    def __init__(self, path: Path, rate: float, job: Job) -> None:
        self.path = path
        self.rate = rate
        self._job = job
        self._video: VideoWriter | None = None
        self._size: tuple[int, int] = (0, 0)
        self._begin = 0.0

    def add(self, image: Image, now: float) -> None:
        """A frame that came at ``now``, seconds."""
        if self._video is None:
            self._size, self._begin = (image.shape[0], image.shape[1]), now
            video = VideoWriter(self.path, self._size, self.rate, self._job.outputs.atomic)
            self._video = self._job.stack.enter_context(video)
        if image.shape[:2] != self._size:  # a camera may change its mode
            image = np.asarray(cv2.resize(image, self._size[::-1]), np.uint8)
        due = int((now - self._begin) * self.rate) + 1
        for _ in range(due - self._video.count):
            self._video.write(image)


def check_window() -> None:
    """Raise where OpenCV cannot show windows.

    Raises:
        InputError: with what to install.
    """
    try:
        cv2.namedWindow(_WINDOW, cv2.WINDOW_NORMAL)
    except (cv2.error, AttributeError):
        raise InputError(
            "--show: this build of OpenCV has no windows; pip uninstall opencv-python-headless and "
            "pip install opencv-python, or leave --show out and look at the file"
        ) from None


def _shown(image: Image) -> bool:
    """Show a frame; false after q or Esc."""
    window: Any = cv2
    window.imshow(_WINDOW, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return window.waitKey(1) & 0xFF not in (ord("q"), 27)
