"""A stream over http from this machine: the newest frame, an end, and none at all."""

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from otadet.errors import InputError
from otadet.media import LiveStream
from tests.media.videos import damage_frames, frames, logged, serving, write_jpeg_video


def grey(count: int) -> list[np.ndarray]:
    """Frame ``i`` is grey of value ``8 * i``."""
    return [np.full((64, 96, 3), 8 * i, np.uint8) for i in range(count)]


def test_a_stream_that_ends() -> None:
    with (
        logged() as lines,
        serving(grey(12)) as server,
        LiveStream(f"{server.address}/ends", timeout=5) as stream,
    ):
        images = list(stream)
        assert stream.seen == 12
    assert lines == [f"INFO {server.address}/ends: ended after 12 frames"]
    assert images[0].shape == (64, 96, 3)
    values = [round(float(i.mean()) / 8) for i in images]
    assert values == sorted(set(values)) and values[-1] == 11


def test_a_damaged_frame_does_not_end_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    write_jpeg_video(path, grey(12))
    damage_frames(path, [5, 6, 11])
    with (
        logged() as lines,
        serving([], {"a.mov": path.read_bytes()}) as server,
        LiveStream(f"{server.address}/a.mov", timeout=5) as stream,
    ):
        images = list(stream)
        assert stream.seen == 9
    assert round(float(images[-1].mean()) / 8) == 10
    facts = "9 frames, 2 damaged left out, its header says 12"
    assert lines == [f"WARNING {server.address}/a.mov: ended after {facts}"]


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
