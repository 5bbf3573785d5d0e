"""Silence of OpenCV and FFmpeg, as in the commands."""

import pytest

from otadet.media import quiet_opencv


@pytest.fixture(autouse=True)
def _quiet() -> None:
    quiet_opencv()
