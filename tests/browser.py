"""Headless Chromium, driven over a pipe (the DevTools protocol), for the tests of pages."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (`make test-pages`)")

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--remote-debugging-pipe", "--hide-scrollbars", "--no-first-run", "--window-size=1440,1200",
)  # fmt: skip
_WAIT = 60.0  # seconds


class PageError(AssertionError):
    """The page threw an error, or did not become what was waited for."""


class Page:
    """A page in Chromium.

    Args:
        send: the pipe to the browser.
        receive: the pipe from it.
    """

    def __init__(self, send: Any, receive: Any) -> None:
        self._send, self._receive = send, receive
        self._number, self._session = 0, ""
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        answer = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = answer["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._send.write(json.dumps(message).encode() + b"\0")
        self._send.flush()
        while (answer := self._next()).get("id") != self._number:
            self._note(answer)
        if "error" in answer:
            raise PageError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._receive.read(1)) != b"\0":
            if not byte:
                raise PageError("the browser has ended")
            text += byte
        found: dict[str, Any] = json.loads(text)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        if event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def open(self, path: Path) -> None:
        """Open a file from disk and wait until it is loaded."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    @property
    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        root = "document.documentElement"
        return int(self.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element in the window, into which it is scrolled."""
        left, top, width, height = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); "
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect(); "
            "return [r.left, r.top, r.width, r.height]; })()"
        )
        return left, top, width, height

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited where it is a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise PageError(answer["exceptionDetails"]["exception"].get("description", expression))
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true; an error of the page ends the wait."""
        end = time.monotonic() + _WAIT
        while not self.evaluate(expression):
            if self.errors or time.monotonic() > end:
                raise PageError(f"{expression}: {'; '.join(self.errors) or 'not in time'}")
            time.sleep(0.02)

    def size(self, width: int, height: int, mobile: bool = False) -> None:
        """Set the window's size in CSS pixels; a mobile one has touch and sharp pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if mobile else 1, mobile=mobile,
        )  # fmt: skip
        self.call("Emulation.setTouchEmulationEnabled", enabled=mobile)

    def media(self, kind: str = "", **features: str) -> None:
        """Emulate a medium ("print") and media features (``prefers_color_scheme="dark"``)."""
        listed = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", media=kind, features=listed)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Send a mouse event: Moved, Pressed, Released or Wheel."""
        self.call("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        """Press and release the left button."""
        self.mouse("Moved", x, y)
        self.mouse("Pressed", x, y, button="left", clickCount=1)
        self.mouse("Released", x, y, button="left", clickCount=1)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Send a touch event: Start, Move or End."""
        places = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        self.call("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=places)

    def key(self, key: str) -> None:
        """Press and release a key, as "ArrowLeft" or "n"."""
        text: dict[str, Any] = {"text": key} if len(key) == 1 else {}
        if key == "Escape":  # what closes a dialog goes by the number
            text["windowsVirtualKeyCode"] = 27
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def screenshot(self, path: Path, full: bool = False) -> None:
        """Write a PNG of the window, or of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser_page(profile: Path) -> Iterator[Page]:
    """Start Chromium, which keeps its files in ``profile``, and give a page; ends it afterwards."""
    assert CHROMIUM is not None
    from_us, to_browser = os.pipe()
    from_browser, to_us = os.pipe()
    words = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    # The browser reads descriptor 3 and writes 4.
    script = f'exec "$@" 3<&{from_us} 4>&{to_us}'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *words],
        pass_fds=(from_us, to_us), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(from_us)
    os.close(to_us)
    with os.fdopen(to_browser, "wb") as send, os.fdopen(from_browser, "rb") as receive:
        try:
            yield Page(send, receive)
        finally:
            process.terminate()
            process.wait(timeout=20)


def show(browser: Page, path: Path, width: int = 1440, dark: bool = False) -> None:
    """Open a page in a window of this width; nothing may fail or be asked for elsewhere."""
    browser.errors.clear()
    browser.requests.clear()
    browser.size(width, 900, mobile=width < 600)
    browser.media(prefers_color_scheme="dark" if dark else "light")
    browser.open(path)
    browser.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert browser.errors == []
    assert all(url.startswith(("file:", "data:")) for url in browser.requests)
