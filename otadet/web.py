"""Requests over HTTP that end within a stated time, however slowly the other side sends."""

from __future__ import annotations

import queue
import socket
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any, TypeVar
from urllib.request import HTTPHandler, HTTPSHandler, Request, build_opener

T = TypeVar("T")


class Client:
    """A client of one request.

    Time-outs of sockets begin anew with every byte, and looking up a name has none. So what waits
    for the other side is done in a thread; when the time is over, its connections are shut down.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over = False
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def open(self, request: Request) -> HTTPResponse:
        """Open an address, redirections included; to be called in :meth:`within`."""
        sockets = self._sockets

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                sockets.add(self.sock)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                sockets.add(self.sock)

        class PlainHandler(HTTPHandler):
            def http_open(self, req: Request) -> HTTPResponse:
                return self.do_open(Plain, req)

        class SecureHandler(HTTPSHandler):
            def https_open(self, req: Request) -> HTTPResponse:
                return self.do_open(Secure, req)

        opener = build_opener(PlainHandler, SecureHandler)
        answer: HTTPResponse = opener.open(request, timeout=self._seconds)
        if self._over:  # what looks like an answer is where it was shut down
            answer.close()
        return answer

    def within(self, work: Callable[[], T]) -> T:
        """Do ``work``, and end the connections where it takes longer than the client's seconds.

        Raises:
            TimeoutError: it took longer.
            Exception: whatever ``work`` raises.
        """
        done: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                done.put((work(), None))
            except Exception as error:  # raised below, in the caller's thread
                done.put((None, error))

        threading.Thread(target=run, name="request", daemon=True).start()
        try:
            value, error = done.get(timeout=self._seconds)
        except queue.Empty:
            self._over = True
            for each in list(self._sockets):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            raise TimeoutError("timed out") from None
        try:
            if error is not None:
                raise error
        finally:
            del error  # else its traceback and this frame keep each other, and what is open
        result: T = value
        return result
