"""Video files in and out."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from otadet.errors import InputError
from otadet.media import VideoReader, VideoWriter
from tests.media.videos import (
    damage_frames,
    frames,
    logged,
    video_facts,
    write_jpeg_video,
    write_video,
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    images = frames(6, (96, 128))
    with VideoWriter(tmp_path / "a.mp4", (96, 128), 29.97) as writer:
        for image in images:
            writer.write(image)
        assert not (tmp_path / "a.mp4").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    reader = VideoReader(tmp_path / "a.mp4")
    assert (reader.size, reader.count) == ((96, 128), 6)
    assert reader.rate == pytest.approx(29.97, abs=1e-3)
    read = list(reader)
    assert len(read) == 6
    for a, b in zip(images, read):  # lossy, but the colours are where they were
        assert np.abs(a.astype(float) - b).mean() < 12
        assert np.abs(a.astype(float) - b[..., ::-1]).mean() > np.abs(a.astype(float) - b).mean()


@pytest.mark.parametrize("size", [(33, 47), (64, 51), (1, 1)])
def test_odd_sizes_keep_every_pixel(tmp_path: Path, size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    with VideoWriter(tmp_path / "a.mp4", size, 10) as writer:
        writer.write(image)
    count, shape, _ = video_facts(tmp_path / "a.mp4")
    assert count == 1 and shape == (size[0] + size[0] % 2, size[1] + size[1] % 2)


def test_no_file_after_an_error_or_without_a_frame(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="in between"),
        VideoWriter(tmp_path / "a.mp4", (32, 32), 10) as writer,
    ):
        writer.write(np.zeros((32, 32, 3), np.uint8))
        raise RuntimeError("in between")
    with VideoWriter(tmp_path / "b.mp4", (32, 32), 10):
        pass
    assert list(tmp_path.iterdir()) == []
    with (
        pytest.raises(ValueError, match=r"expected a frame of \(32, 32\)"),
        VideoWriter(tmp_path / "c.mp4", (32, 32), 10) as writer,
    ):
        writer.write(np.zeros((16, 32, 3), np.uint8))


def test_what_is_no_video_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello", encoding="utf-8")
    (tmp_path / "empty.mp4").touch()
    for name in ("text.mp4", "empty.mp4"):
        with pytest.raises(InputError, match=f"{name}: not a video"):
            VideoReader(tmp_path / name)
    with pytest.raises(InputError, match="no such video"):
        VideoReader(tmp_path / "nothing.mp4")
    with pytest.raises(InputError, match="cannot be written there"):
        VideoWriter(tmp_path / "no/a.mp4", (32, 32), 10)


def test_a_video_cut_short_gives_the_frames_it_has(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", frames=8, size=(64, 64), rate=10)
    data = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    with logged() as lines:
        count = len(list(VideoReader(tmp_path / "cut.avi")))
    assert 0 < count < 8
    assert lines == [f"WARNING {tmp_path}/cut.avi: {count} frames, its header says 8"]


@pytest.mark.parametrize("which", [[4], [3, 4, 5], [0], [9], [0, 1, 4, 9]])
def test_damaged_frames_are_left_out(tmp_path: Path, which: list[int]) -> None:
    """Each is a JPEG of its own, so that no other depends on it."""
    path = tmp_path / "a.mov"
    grey = [np.full((64, 96, 3), 20 * i, np.uint8) for i in range(10)]
    write_jpeg_video(path, grey)
    with logged() as lines:
        assert [round(frame.mean() / 20) for frame in VideoReader(path)] == list(range(10))
    assert lines == []
    damage_frames(path, which)
    kept = [i for i in range(10) if i not in which]
    with logged() as lines:
        read = list(VideoReader(path).numbered())
    assert [round(frame.mean() / 20) for _, frame in read] == kept
    assert [number for number, _ in read] == kept
    inner = [i for i in which if i < kept[-1]]
    facts = f", {len(inner)} damaged left out" if inner else ""
    facts += ", its header says 10" if kept[-1] < 9 else ""
    assert lines == [f"WARNING {path}: {len(kept)} frames{facts}"]


def test_nothing_is_said_of_a_video_that_is_not_read_to_its_end(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", frames=8, size=(64, 64), rate=10)
    with logged() as lines:
        reader = VideoReader(tmp_path / "a.mp4")
        assert len(list(islice(reader, 3))) == 3
        reader.close()
    assert lines == []


def test_a_video_of_damaged_frames_alone_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    write_jpeg_video(path, [np.full((64, 96, 3), 90, np.uint8)] * 5)
    damage_frames(path, range(5))
    with pytest.raises(InputError, match=r"a\.mov: not a video"):
        VideoReader(path)
