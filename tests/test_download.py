"""Fetching from a real server that can be cut off, know no Range, or send something else."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from otadet.download import fetch
from otadet.errors import InputError
from otadet.media.images import fetch as fetch_image
from otadet.models import MIRROR, PUBLISHED

BODY = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(BODY).hexdigest()


@dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    body: bytes = BODY
    ranges: bool = True
    status: int = 200
    kind: str = "application/octet-stream"
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next answers end, one a request; then whole answers."""
    asked: list[str | None] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    behaviour: Behaviour

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Quiet: a client that hangs up is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        how = self.server.behaviour
        wanted = self.headers.get("Range")
        how.asked.append(wanted)
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and how.ranges else 0
        if begin >= len(how.body) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(how.body)}")
            self.end_headers()
            return
        rest = how.body[begin:]
        self.send_response(206 if begin else how.status)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(how.body) - 1}/{len(how.body)}")
        self.send_header("Content-Type", how.kind)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: how.cuts.pop(0)] if how.cuts else rest)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.behaviour = Behaviour()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def left(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir() if p.suffix != ".lock"}


def test_whole_and_once(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "cache" / "w.pth"
    for _ in range(2):
        assert fetch(f"{server.url}/w.pth", target, DIGEST) == target
    assert target.read_bytes() == BODY and left(target.parent) == {"w.pth"}
    assert server.behaviour.asked == [None]


def test_cut_off_and_resumed_by_itself(server: Server, tmp_path: Path) -> None:
    server.behaviour.cuts = [300_000, 1]
    fetch(f"{server.url}/w.pth", tmp_path / "w.pth", DIGEST, pause=0)
    assert (tmp_path / "w.pth").read_bytes() == BODY
    assert server.behaviour.asked == [None, "bytes=300000-", "bytes=300001-"]


def test_cut_off_for_good_then_resumed_by_a_later_call(server: Server, tmp_path: Path) -> None:
    server.behaviour.cuts = [1000, 0, 0, 0]
    message = rf"could not fetch .*1000 of {len(BODY)} bytes came.*put it at .*w\.pth.*-c FILE"
    with pytest.raises(InputError, match=message):
        fetch(f"{server.url}/w.pth", tmp_path / "w.pth", DIGEST, pause=0)
    assert left(tmp_path) == {"w.pth.part"}
    fetch(f"{server.url}/w.pth", tmp_path / "w.pth", DIGEST)
    assert server.behaviour.asked[-1] == "bytes=1000-"
    assert (tmp_path / "w.pth").read_bytes() == BODY and left(tmp_path) == {"w.pth"}


def test_a_server_without_range_sends_it_all_again(server: Server, tmp_path: Path) -> None:
    server.behaviour.ranges = False
    (tmp_path / "w.pth.part").write_bytes(b"something older")
    fetch(f"{server.url}/w.pth", tmp_path / "w.pth", DIGEST)
    assert server.behaviour.asked == ["bytes=15-"]
    assert (tmp_path / "w.pth").read_bytes() == BODY


@pytest.mark.parametrize("extra", [b"", b"longer than the file"])
def test_a_part_that_was_complete_or_too_long(server: Server, tmp_path: Path, extra: bytes) -> None:
    (tmp_path / "w.pth.part").write_bytes(BODY + extra)
    fetch(f"{server.url}/w.pth", tmp_path / "w.pth", DIGEST, pause=0)
    assert (tmp_path / "w.pth").read_bytes() == BODY
    assert len(server.behaviour.asked) == (2 if extra else 1)


def test_a_wrong_digest_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.behaviour.body = BODY[:-1] + b"x"
    with pytest.raises(InputError, match=rf"has the SHA-256 .*, expected {DIGEST}; it was deleted"):
        fetch(f"{server.url}/w.pth", tmp_path / "w.pth", DIGEST)
    assert left(tmp_path) == set()


def test_an_unknown_digest_is_kept_and_compared(server: Server, tmp_path: Path) -> None:
    target = fetch(f"{server.url}/w.pth", tmp_path / "w.pth")
    assert (tmp_path / "w.pth.sha256").read_text(encoding="utf-8") == f"{DIGEST}  w.pth\n"
    target.write_bytes(b"changed")
    with pytest.raises(InputError, match=rf"expected a file with the SHA-256 {DIGEST}, got"):
        fetch(f"{server.url}/w.pth", target)
    assert len(server.behaviour.asked) == 1


def test_errors_say_what_to_do_and_leave_nothing(server: Server, tmp_path: Path) -> None:
    server.behaviour.status = 404
    with pytest.raises(InputError, match=r"answers 404 Not Found\); try again, or fetch it"):
        fetch(f"{server.url}/w.pth", tmp_path / "w.pth", DIGEST)
    assert len(server.behaviour.asked) == 1  # asking again would not help
    server.behaviour.status, server.behaviour.kind = 200, "text/html; charset=utf-8"
    with pytest.raises(InputError, match="a web page came instead of a file"):
        fetch(f"{server.url}/w.pth", tmp_path / "w.pth", DIGEST)
    assert left(tmp_path) == set()


def test_nobody_answers(server: Server, tmp_path: Path) -> None:
    other = Server(("127.0.0.1", 0), Handler)
    url = other.url
    other.server_close()  # a port that was free a moment ago
    with pytest.raises(InputError, match=r"could not fetch .*[Cc]onnection refused.*-c FILE"):
        fetch(f"{url}/w.pth", tmp_path / "w.pth", DIGEST)


def test_what_is_no_address_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"could not fetch weights.example/w.pth \(unknown url"):
        fetch("weights.example/w.pth", tmp_path / "w.pth", DIGEST)


def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    silent = Server(("127.0.0.1", 0), Handler)  # listens, never answers
    with silent, pytest.raises(InputError, match="timed out"):
        fetch(f"{silent.url}/w.pth", tmp_path / "w.pth", DIGEST, timeout=0.05, pause=0)


class Dripping(BaseHTTPRequestHandler):
    """A byte every 20 ms: in the header, in the body, in the size of the body's next piece."""

    BEFORE: ClassVar[dict[str, bytes]] = {
        "/header": b"HTTP/1.1 200 OK\r\nX-",
        "/body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        "/pieces": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    }

    def do_GET(self) -> None:
        self.wfile.write(self.BEFORE[self.path])
        with suppress(OSError):  # until the client hangs up
            while True:
                self.wfile.write(b"0")
                time.sleep(0.02)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.parametrize("where", Dripping.BEFORE)
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(tmp_path: Path, where: str) -> None:
    with Server(("127.0.0.1", 0), Dripping) as slow:
        threading.Thread(target=slow.serve_forever, args=(0.01,), daemon=True).start()
        started = time.monotonic()
        with pytest.raises(InputError, match="timed out"):
            fetch(f"{slow.url}{where}", tmp_path / "w.pth", DIGEST, timeout=0.1, pause=0)
        with pytest.raises(InputError, match=r"not complete after 0\.1 seconds"):
            fetch_image(f"{slow.url}{where}", timeout=0.1)
        assert time.monotonic() - started < 2
        slow.shutdown()


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_what_is_no_part_of_a_download_is_not_written_to(
    server: Server, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    link(tmp_path / "mine.txt", tmp_path / "w.pth.part")
    message = r"w\.pth\.part: expected what an interrupted download left, got a link or no file"
    with pytest.raises(InputError, match=message):
        fetch(f"{server.url}/w.pth", tmp_path / "w.pth", DIGEST)
    (tmp_path / "w.pth.part").unlink()
    link(tmp_path / "mine.txt", tmp_path / "w.pth.sha256")
    fetch(f"{server.url}/w.pth", tmp_path / "w.pth")
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "w.pth.sha256").read_text(encoding="utf-8").startswith(DIGEST)


def test_published_weights_come_from_a_mirror_into_the_hubs_folder(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR, f"{server.url}/mirror/")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = PUBLISHED["yolov3"].fetch()
    assert path == tmp_path / "checkpoints" / "yolox_darknet.pth" and path.read_bytes() == BODY
    with pytest.raises(InputError, match=f"has the SHA-256 {DIGEST}, expected f55ded71"):
        PUBLISHED["yolox_s"].fetch()


def test_official_addresses() -> None:
    base = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/"
    assert PUBLISHED["yolox_nano"].url == f"{base}yolox_nano.pth"
    assert PUBLISHED["yolov3"].url == f"{base}yolox_darknet.pth"
    fcos = PUBLISHED["fcos_r50_torchvision"]
    assert fcos.url.startswith("https://download.pytorch.org/models/fcos_resnet50_fpn_coco-")
    assert fcos.sha256 == "99b0c9b7"
