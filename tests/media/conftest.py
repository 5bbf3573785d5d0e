"""Silence of OpenCV and FFmpeg, as in the commands."""

import pytest

from otadet.media import silence_opencv


@pytest.fixture(autouse=True)
def _quiet() -> None:
    silence_opencv()
