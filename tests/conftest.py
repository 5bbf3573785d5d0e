"""What every test starts from, however the test runner was started."""

import signal
import threading
from collections.abc import Iterator

import pytest

from tests.browser import Page, browser_page

# A shell leaves SIGINT ignored for a command in the background, and processes inherit that.
if (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page in headless Chromium, for tests that are marked ``pages`` and ``needs_browser``."""
    with browser_page(tmp_path_factory.mktemp("chromium")) as page:
        yield page
