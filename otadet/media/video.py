"""Reader and writer of video files, frame by frame, as RGB."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import numpy.typing as npt
from loguru import logger

from otadet.atomic import Replace, atomic_path
from otadet.errors import InputError, RunError
from otadet.geometry import Size

Image = npt.NDArray[np.uint8]

VIDEO_ENDINGS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")

DEFAULT_RATE = 25.0
"""Frames a second where a file states none."""

_MOST_DAMAGED = 100
"""Frames in a row that cannot be decoded; so many are the end."""


class VideoReader:
    """Frames of a video file in their order, upright.

    Frames that cannot be decoded are left out. At the end a warning says how many those were, and
    where there were fewer frames than the header states.

    Args:
        path: a file of any format that OpenCV's FFmpeg reads.

    Attributes:
        path: the file.
        size: height and width of a frame, pixels.
        rate: frames a second, :data:`DEFAULT_RATE` where the file states none.
        count: number of frames by the file's header, ``None`` where it states none.

    Raises:
        InputError: the file is missing or not a video.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InputError(f"{path}: no such video file")
        self.path = path
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        self._frames = read_frames(self._capture)
        first = next(self._frames, None)
        if first is None:
            self._capture.release()
            raise InputError(f"{path}: not a video, or of a format that OpenCV does not read")
        self._first = first
        self.size: Size = (first[1].shape[0], first[1].shape[1])
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate = rate if math.isfinite(rate) and 0 < rate <= 1000 else DEFAULT_RATE
        self.count = stated_count(self._capture)

    def __iter__(self) -> Iterator[Image]:
        """Yield frames ``[H, W, 3]`` uint8 RGB, each in its own memory; once only."""
        return (frame for _, frame in self.numbered())

    def numbered(self) -> Iterator[tuple[int, Image]]:
        """Yield the number of each frame, from 0, and the frame; those left out count."""
        count = read = 0
        for number, frame in chain([self._first], self._frames):
            yield number, frame
            count, read = number + 1, read + 1
        self._capture.release()
        lost = lost_frames(read, count, self.count)
        if lost:
            logger.warning(f"{self.path}: {read} frames{lost}")

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class VideoWriter:
    """Writes frames as an MP4 file (MPEG-4 part 2, which every build of OpenCV can write).

    Use it as a context manager: the file gets its name when it is complete; after an error, or
    without a frame, there is none. Sound is not kept.

    Args:
        path: the file, ending in ``.mp4``; its folder must exist.
        size: height and width of the frames, pixels. The format has even sides only: a side that
            is odd gets one more row or column, a copy of the last.
        rate: frames a second.
        through: how the file gets its name.

    Raises:
        InputError: the file cannot be opened for writing.
        RunError: at the end, where frames are missing in the file, as on a full disk.
    """

    def __init__(self, path: Path, size: Size, rate: float, through: Replace = atomic_path) -> None:
        self.path = path
        self.count = 0
        self._size = size
        self._odd = (size[0] % 2, size[1] % 2)
        self._atomic = through(path, f".part{path.suffix}", True)
        self._part = self._atomic.__enter__()
        shape = (size[1] + self._odd[1], size[0] + self._odd[0])
        code = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(str(self._part), cv2.CAP_FFMPEG, code, rate, shape)
        if not self._writer.isOpened():
            self._part.unlink(missing_ok=True)
            raise InputError(
                f"{path}: a video of {size[1]} x {size[0]} (width x height), {rate:g} frames a "
                f"second, cannot be written there"
            )

    def write(self, frame: Image) -> None:
        """Append a frame ``[H, W, 3]`` uint8 RGB of the video's size.

        Raises:
            ValueError: the frame has another size.
        """
        if frame.shape[:2] != self._size:
            raise ValueError(f"{self.path}: expected a frame of {self._size}, got {frame.shape}")
        if any(self._odd):
            frame = np.pad(frame, ((0, self._odd[0]), (0, self._odd[1]), (0, 0)), mode="edge")
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        self.count += 1

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.release()
        fault: BaseException | None = error
        if not self.count:
            self._part.unlink(missing_ok=True)
        elif error is None and _frames_in(self._part) < self.count:  # OpenCV reports no full disk
            fault = RunError(f"{self.path}: not all frames could be written: free disk space")
        self._atomic.__exit__(None if fault is None else type(fault), fault, trace)
        if fault is not None and fault is not error:
            raise fault


def _frames_in(path: Path) -> int:
    """Number of frames that a video file states; 0 where it cannot be opened."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    count = stated_count(capture) if capture.isOpened() else None
    capture.release()
    return count or 0


def silence_opencv() -> None:
    """Silence OpenCV's and FFmpeg's own messages about bad videos, which this package reports.

    For commands, before the first video is opened.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


def read_frames(
    capture: cv2.VideoCapture, patience: float = math.inf
) -> Iterator[tuple[int, Image]]:
    """Yield the number of each frame that can be decoded, from 0, and the frame.

    :data:`_MOST_DAMAGED` frames in a row that cannot are the end, or those of ``patience`` seconds.
    """
    number, failed, last = 0, 0, time.monotonic()
    while failed < _MOST_DAMAGED and time.monotonic() - last < patience:
        frame = _read_frame(capture)
        if frame is None:
            failed += 1
        else:
            yield number, frame
            failed, last = 0, time.monotonic()
        number += 1


def stated_count(capture: cv2.VideoCapture) -> int | None:
    """Return the number of frames by the header, ``None`` where it states none."""
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    return count if 0 < count < 2**31 else None


def lost_frames(read: int, count: int, stated: int | None) -> str:
    """Say which of a video's frames were not read, empty for none.

    Args:
        read: frames that were decoded.
        count: those and the damaged ones between them.
        stated: by the header.
    """
    damaged = f", {count - read} damaged left out" if count > read else ""
    return damaged + (f", its header says {stated}" if stated and count < stated else "")


def _read_frame(capture: cv2.VideoCapture) -> Image | None:
    """Read the next frame ``[H, W, 3]`` uint8 RGB; ``None`` where it cannot be decoded."""
    done, frame = capture.read()
    if not done or frame is None:
        return None
    if frame.ndim == 2:
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB), np.uint8)
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
