"""Camera or network stream that always gives the newest frame."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
from loguru import logger

from otadet.errors import InputError
from otadet.media.video import DEFAULT_RATE, lost_frames, read_frames, stated_count

Image = npt.NDArray[np.uint8]


class LiveStream:
    """Newest frames of a stream: a thread reads all frames and keeps the last.

    Frames that cannot be decoded are left out; at the end a line says how many frames there were.
    Use it as a context manager; leaving it stops the thread.

    Args:
        source: number of a camera, or the address of a stream (http, rtsp, rtmp, udp, ...).
        timeout: seconds to wait for the connection, and for each frame.

    Attributes:
        rate: frames a second that the source states, or :data:`DEFAULT_RATE`.
        seen: number of frames received, used or not.

    Raises:
        InputError: no answer, or the source is no video.
    """

    def __init__(self, source: int | str, timeout: float = 10.0) -> None:
        self.source = source
        self.timeout = timeout
        self.seen = 0
        self._capture = _open(source, timeout)
        if not self._capture.isOpened():
            kind = f"camera {source}" if isinstance(source, int) else source
            raise InputError(f"{kind}: no video (waited up to {timeout:g} s)")
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate = rate if math.isfinite(rate) and 0 < rate <= 240 else DEFAULT_RATE
        self._frame: Image | None = None
        self._over = False
        self._stop = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="otadet-stream", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Image]:
        """Yield the newest frame ``[H, W, 3]`` uint8 RGB not yielded yet, until the end.

        Raises:
            InputError: there was no frame at all, or none for ``timeout`` seconds.
        """
        while True:
            with self._change:
                came = self._change.wait_for(
                    lambda: self._frame is not None or self._over, self.timeout
                )
                frame, self._frame = self._frame, None
                if frame is None and self._over and self.seen:
                    return
            if frame is None:
                spent = f"for {self.timeout:g} s" if not came else "before its end"
                raise InputError(f"{self.source}: no frame came {spent}")
            yield frame

    def __enter__(self) -> LiveStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        # A read that hangs ends by its own timeout; the thread does not block the program.
        self._thread.join(timeout=2.0)
        if not self._thread.is_alive():
            self._capture.release()

    def _read(self) -> None:
        count = 0
        for number, frame in read_frames(self._capture, self.timeout):
            count = number + 1
            with self._change:
                self._frame = frame
                self.seen += 1
                self._change.notify()
            if self._stop:
                return
        lost = lost_frames(self.seen, count, stated_count(self._capture))
        if self.seen:
            level = "WARNING" if lost else "INFO"
            logger.log(level, f"{self.source}: ended after {self.seen} frames{lost}")
        with self._change:
            self._over = True
            self._change.notify()


def _open(source: int | str, timeout: float) -> cv2.VideoCapture:
    if isinstance(source, int):
        return cv2.VideoCapture(source)
    limit = max(1, round(timeout * 1000))
    options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit]
    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, options)
