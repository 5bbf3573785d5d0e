"""Download a file over HTTP: resumed after an interruption, verified, renamed into place last."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request

from loguru import logger
from tqdm import tqdm

from otadet.atomic import file_lock
from otadet.errors import InputError
from otadet.web import Client

ATTEMPTS = 4
"""Attempts before an interrupted download fails."""

_CHUNK = 1 << 17


class _Unfinished(Exception):
    """The transfer ended early; the bytes received are kept."""


def fetch(
    url: str,
    target: Path,
    sha256: str | None = None,
    *,
    md5: str | None = None,
    option: str | None = "-c",
    timeout: float = 30.0,
    pause: float = 1.0,
) -> Path:
    """Download ``url`` to ``target`` unless it exists, verify it, and return its path.

    Received bytes are kept in ``<target>.part``: a later call requests only the rest (HTTP Range)
    and starts again where the server does not support that. The size is compared with the one
    that the server announced. Of several processes one downloads and the others wait.

    Args:
        url: the address; http, https or file.
        target: path of the file.
        sha256: hexadecimal digest or its beginning. Without it the digest of the first fetch is
            written to ``<target>.sha256``, logged, and compared from then on.
        md5: the same where only that digest was published; it shows damage, not intent.
        option: the command's option that names another file, for messages, if any.
        timeout: seconds until the answer begins, and later for each 128 KB, after which the
            connection counts as lost.
        pause: seconds before the first retry; longer before later ones.

    Raises:
        InputError: it cannot be downloaded, or its digest differs.
    """
    want = ("MD5", md5) if sha256 is None and md5 is not None else ("SHA-256", sha256)
    if not target.exists():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with file_lock(target):
                if not target.exists():  # another process may have been first
                    return _fetched(url, target, want, option, timeout, pause)
        except InputError:  # is a ValueError, and says all
            raise
        # ValueError: not a URL
        except (OSError, HTTPException, ValueError, _Unfinished) as error:
            raise InputError(
                f"could not fetch {url} ({_reason(error)}); try again, or fetch it elsewhere and "
                f"put it at {target}" + _or(option, "name another file with {} FILE")
            ) from error
    expected = want[1] or _recorded(target)
    if expected is not None and not (digest := _digest(target, want[0])).startswith(expected):
        raise InputError(
            f"{target}: expected a file with the {want[0]} {expected}, got {digest}; delete it to "
            "fetch it again" + _or(option, "name it with {} to use it as it is")
        )
    return target


def _fetched(
    url: str,
    target: Path,
    want: tuple[str, str | None],
    option: str | None,
    timeout: float,
    pause: float,
) -> Path:
    kind, expected = want
    part = target.with_name(target.name + ".part")
    _download(url, part, timeout, pause)
    digest = _digest(part, kind)
    if expected is None:
        _record(target).unlink(missing_ok=True)  # it may be a link
        _record(target).write_text(f"{digest}  {target.name}\n", encoding="utf-8")
        logger.info("no digest of {} is known; its SHA-256 is {}, kept in {}",
                    target.name, digest, _record(target))  # fmt: skip
    elif not digest.startswith(expected):
        part.unlink()
        raise InputError(
            f"{url}: what came has the {kind} {digest}, expected {expected}; it was deleted; try "
            "again" + _or(option, "name a file that you trust with {} FILE")
        )
    return part.replace(target)


def _or(option: str | None, text: str) -> str:
    return "" if option is None else f", or {text.format(option)}"


def _download(url: str, part: Path, timeout: float, pause: float) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _transfer(url, part, timeout)
            return
        except URLError:  # no answer, or an error: a retry would not help
            raise
        except (OSError, HTTPException, _Unfinished) as cut:
            if attempt == ATTEMPTS:
                raise
            logger.warning("{}: {}; going on", url, _reason(cut))
        time.sleep(pause * attempt)


def _transfer(url: str, part: Path, timeout: float) -> None:
    """Send one request and append the response to ``part``."""
    have, client = _size(part), Client(timeout)
    headers = {"User-Agent": "otadet", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        response = client.within(lambda: client.open(Request(url, headers=headers)))
    except HTTPError as error:
        if error.code != 416 or not have:
            raise
        size = re.search(r"\*/(\d+)", error.headers.get("Content-Range", ""))
        if size is None or int(size[1]) != have:  # of another file
            part.unlink()
            raise _Unfinished(f"the server has no more than {have} bytes; starting again") from None
        return
    with response:
        begin, total = _extent(response)
        if begin not in (0, have):
            part.unlink()
            raise _Unfinished(f"the server went on at byte {begin} instead of {have}")
        _receive(lambda: client.within(lambda: response.read(_CHUNK)), part, begin, total)
    came = part.stat().st_size
    if total is not None and came != total:
        if came > total:
            part.unlink()
        raise _Unfinished(f"{came} of {total} bytes came")


def _size(part: Path) -> int:
    """Bytes that an interrupted transfer left; nothing but a file of its own is appended to.

    Raises:
        InputError: it is a link, also a hard one, or no file.
    """
    try:
        status = part.lstat()
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise InputError(
            f"{part}: expected what an interrupted download left, got a link or no file; remove it"
        )
    return status.st_size


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _extent(response: HTTPResponse) -> tuple[int, int | None]:
    """Return the response's first byte and the size of the whole file, if announced."""
    if response.headers.get_content_type() == "text/html":
        raise InputError(
            f"{response.url}: a web page came instead of a file; a proxy or a login may stand in "
            "between; fetch the file elsewhere and put it where it is expected"
        )
    span = re.match(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status == 206 and span:
        return int(span[1]), None if span[2] == "*" else int(span[2])
    length = response.headers.get("Content-Length")
    return 0, None if length is None else int(length)


def _receive(read: Callable[[], bytes], part: Path, begin: int, total: int | None) -> None:
    bar = tqdm(
        desc=part.name.removesuffix(".part"),
        initial=begin,
        total=total,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        mininterval=0.5 if sys.stderr.isatty() else 30,  # a log file is no terminal
    )
    with open(part, "ab" if begin else "wb", opener=_without_links) as file, bar:
        while block := read():
            file.write(block)
            bar.update(len(block))
        file.flush()
        os.fsync(file.fileno())


def _record(target: Path) -> Path:
    return target.with_name(target.name + ".sha256")


def _recorded(target: Path) -> str | None:
    words = _record(target).read_text(encoding="utf-8").split() if _record(target).is_file() else []
    return words[0] if words else None


def _digest(path: Path, kind: str = "SHA-256") -> str:
    digest = hashlib.md5(usedforsecurity=False) if kind == "MD5" else hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _reason(error: BaseException) -> str:
    if isinstance(error, HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, URLError):
        return str(error.reason)
    return str(error) or type(error).__name__
