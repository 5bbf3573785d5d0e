"""Small videos, made and measured, and a server that plays one as a stream."""

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
from loguru import logger

from otadet.data import ShapesDataset


def frames(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    data = ShapesDataset(count, seed=0, size=size, object_size=(10.0, 30.0))
    return [data.load(i).image for i in range(count)]


def write_video(path: Path, frames: int, size: tuple[int, int], rate: float) -> None:
    """``size`` is height and width, both even."""
    code = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, rate, size[::-1])
    for image in globals()["frames"](frames, size):
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()


def write_jpeg_video(path: Path, images: list[np.ndarray]) -> None:
    """Every frame a JPEG, in a MOV file."""
    code = cv2.VideoWriter.fourcc(*"jpeg")
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, 10, (width, height))
    assert writer.isOpened()
    for image in images:
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()


def damage_frames(path: Path, which: Iterable[int]) -> None:
    """Overwrite frames of a video whose frames are JPEGs."""
    data = bytearray(path.read_bytes())
    starts = [m.start() for m in re.finditer(rb"\xff\xd8\xff", bytes(data))]
    for index in which:
        end = data.index(b"\xff\xd9", starts[index]) + 2
        data[starts[index] : end] = bytes(end - starts[index])
    path.write_bytes(data)


@contextmanager
def logged() -> Iterator[list[str]]:
    """Level and text of what is logged meanwhile."""
    lines: list[str] = []
    sink = logger.add(lines.append, format="{level} {message}", level="INFO")
    try:
        yield lines
    finally:
        logger.remove(sink)
        lines[:] = [line.rstrip() for line in lines]


def video_facts(path: Path) -> tuple[int, tuple[int, int], float]:
    """Number of frames that can be read, height and width, frames a second."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    rate, count, shape = capture.get(cv2.CAP_PROP_FPS), 0, (0, 0)
    while True:
        there, frame = capture.read()
        if not there:
            capture.release()
            return count, shape, rate
        count, shape = count + 1, frame.shape[:2]


class Server:
    """A web server on this machine.

    Attributes:
        address: of its root.
        release: until it is set, ``/hang`` says nothing and ``/live`` plays on.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.release = threading.Event()


@contextmanager
def serving(images: list[np.ndarray], files: dict[str, bytes] | None = None) -> Iterator[Server]:
    """``/ends`` plays the images once as MJPEG, ``/live`` for ever, ``/hang`` never answers,
    ``/empty`` is a stream without a frame; ``files`` are given by path."""
    parts = [cv2.imencode(".jpg", cv2.cvtColor(i, cv2.COLOR_RGB2BGR))[1].tobytes() for i in images]

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            kind = self.path.lstrip("/")
            if files and kind in files:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(files[kind])
            elif kind == "hang":
                server.release.wait(20)
            elif kind in ("ends", "live", "empty"):
                self.play(kind)
            else:
                self.send_error(404)

        def play(self, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            try:
                while kind != "empty":
                    for part in parts:
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}"
                        self.wfile.write(head.encode() + b"\r\n\r\n" + part + b"\r\n")
                        if kind == "live" and server.release.wait(0.005):
                            return
                    if kind == "ends":
                        return
            except OSError:  # the reader has gone
                return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = Server(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        http.shutdown()
        thread.join()
        http.server_close()
