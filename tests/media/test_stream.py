"""A stream over http from this machine: the newest frame, an end, and none at all."""

import time
from itertools import pairwise

import numpy as np
import pytest

from otadet.errors import InputError
from otadet.media import LiveStream
from tests.media.videos import frames, serving


def grey(count: int) -> list[np.ndarray]:
    """Frame ``i`` is grey of value ``8 * i``."""
    return [np.full((64, 96, 3), 8 * i, np.uint8) for i in range(count)]


def test_a_stream_that_ends() -> None:
    with serving(grey(12)) as server, LiveStream(f"{server.address}/ends", timeout=5) as stream:
        images = list(stream)
        assert stream.seen == 12
    assert images[0].shape == (64, 96, 3)
    values = [round(float(i.mean()) / 8) for i in images]
    assert values == sorted(set(values)) and values[-1] == 11


def test_a_slow_reader_gets_the_newest_frame_and_none_twice() -> None:
    with (
        serving(frames(5, (64, 96))) as server,
        LiveStream(f"{server.address}/live", timeout=5) as stream,
    ):
        seen = []
        for _ in stream:
            seen.append(stream.seen)
            while stream.seen < seen[-1] + 10:  # the user is busy meanwhile
                time.sleep(0.005)
            if len(seen) == 4:
                break
    # A queue would have given the frames 1, 2, 3 and 4.
    assert all(late - early >= 10 for early, late in pairwise(seen))


def test_what_never_starts_is_one_clear_line() -> None:
    with serving(grey(1)) as server:
        with pytest.raises(InputError, match=r"hang: no video .*0\.5 s"):
            LiveStream(f"{server.address}/hang", timeout=0.5)
        for name in ("empty", "nothing"):
            with pytest.raises(InputError, match=f"{name}: no video"):
                LiveStream(f"{server.address}/{name}", timeout=2)
    with pytest.raises(InputError, match=r"no video \(waited"):
        LiveStream(f"{server.address}/ends", timeout=2)


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(InputError, match="camera 63: no video"):
        LiveStream(63)
