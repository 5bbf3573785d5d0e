"""Reader and writer of video files, frame by frame, as RGB."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import numpy.typing as npt

from otadet.atomic import atomic_path
from otadet.errors import InputError
from otadet.geometry import Size

Image = npt.NDArray[np.uint8]

VIDEO_ENDINGS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts")

DEFAULT_RATE = 25.0
"""Frames a second where a file states none."""


class VideoReader:
    """Frames of a video file in their order, upright.

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
        first = read_frame(self._capture) if self._capture.isOpened() else None
        if first is None:
            self._capture.release()
            raise InputError(f"{path}: not a video, or of a format that OpenCV does not read")
        self._first: Image | None = first
        self.size: Size = (first.shape[0], first.shape[1])
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate = rate if math.isfinite(rate) and 0 < rate <= 1000 else DEFAULT_RATE
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.count = count if 0 < count < 2**31 else None

    def __iter__(self) -> Iterator[Image]:
        """Yield frames ``[H, W, 3]`` uint8 RGB, each in its own memory; once only."""
        frame, self._first = self._first, None
        while frame is not None:
            yield frame
            frame = read_frame(self._capture)
        self._capture.release()

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

    Raises:
        InputError: the file cannot be opened for writing.
    """

    def __init__(self, path: Path, size: Size, rate: float) -> None:
        self.path = path
        self.count = 0
        self._size = size
        self._odd = (size[0] % 2, size[1] % 2)
        self._atomic = atomic_path(path, f".part{path.suffix}")
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
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.release()
        if not self.count:
            self._part.unlink(missing_ok=True)
        self._atomic.__exit__(kind, error, trace)


def silence_opencv() -> None:
    """Silence OpenCV's and FFmpeg's own messages about bad videos, which this package reports.

    For commands, before the first video is opened.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


def read_frame(capture: cv2.VideoCapture) -> Image | None:
    """Read the next frame ``[H, W, 3]`` uint8 RGB; ``None`` at the end."""
    done, frame = capture.read()
    if not done or frame is None:
        return None
    if frame.ndim == 2:
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB), np.uint8)
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
