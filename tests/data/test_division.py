"""One set for both splits: a stable choice, near copies on one side."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otadet.data.division import division

NOWHERE = Path("/nowhere")


def sides(names: Sequence[str], fraction: float = 0.2, folder: Path = NOWHERE) -> dict[str, bool]:
    return dict(zip(names, division(names, folder, fraction).tolist()))


def photos(count: int) -> list[str]:
    return [f"photo of {index * 7919 % 10_007:x}.jpg" for index in range(count)]


@pytest.mark.parametrize("names", [
    photos(1000), [f"IMG_{i:04d}.jpg" for i in range(1000)], [f"{i:012d}.jpg" for i in range(1000)],
    [f"clip_frame_{i:05d}.png" for i in range(3000)], [f"{i}.jpg" for i in range(1000)],
])  # fmt: skip
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_share(names: list[str], fraction: float) -> None:
    assert abs(division(names, NOWHERE, fraction).mean() - fraction) < 0.05


@pytest.mark.parametrize("make", [
    photos, lambda count: [f"IMG_{i:04d}.jpg" for i in range(count)],
    lambda count: [f"clip_frame_{i:05d}.png" for i in range(count)],
    lambda count: [f"a{i % 50}_jpg.rf.{i:08x}.jpg" for i in range(count)],
])  # fmt: skip
def test_images_that_are_added_change_nothing(make: object) -> None:
    assert callable(make)
    few, many = sides(make(400)), sides(make(2000))
    assert few == {name: many[name] for name in few}


def test_neither_order_nor_process_counts() -> None:
    names = [*photos(50), *(f"IMG_{i:04d}.jpg" for i in range(50))]
    shuffled = random.Random(0).sample(names, len(names))
    assert sides(names) == sides(shuffled)
    code = "import sys; from pathlib import Path; from otadet.data.division import division\n"
    code += "print(division(sys.argv[1:], Path(), 0.2).astype(int).tolist())"
    run = [sys.executable, "-c", code, *names]
    text = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    assert text.strip() == str(list(map(int, sides(names).values())))


def test_letters_with_accents_as_one_code_or_two() -> None:
    one = sides([f"caf\u00e9 {name}" for name in photos(100)])
    two = sides([f"cafe\u0301 {name}" for name in photos(100)])
    assert list(one.values()) == list(two.values())


@given(st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=30, unique=True),
       st.floats(0.01, 0.9))  # fmt: skip
def test_both_sides_have_an_image(names: list[str], fraction: float) -> None:
    chosen = division(names, NOWHERE, fraction)
    if len({name.casefold() for name in names}) > 1 and not any("\0" in name for name in names):
        assert chosen.any() and not chosen.all()


@pytest.mark.parametrize("names", [
    ["a.jpg", "b.jpg"], [f"clip_frame_{i:04d}.jpg" for i in range(6)],
    [f"a_jpg.rf.{i:x}.jpg" for i in range(6)], [f"im{i}.jpg" for i in range(6)],
    [f"{i:06d}.png" for i in range(6)],
])  # fmt: skip
def test_small_sets(names: list[str]) -> None:
    assert 0 < division(names, NOWHERE, 0.2).sum() < len(names)


def test_one_image_trains() -> None:
    assert division(["a.jpg"], NOWHERE, 0.2).shape == (1,)
    assert division([], NOWHERE, 0.2).shape == (0,)


def groups(names: Sequence[str], key: Sequence[str]) -> list[set[bool]]:
    """The sides of each group."""
    found: dict[str, set[bool]] = {}
    for chosen, group in zip(division(names, NOWHERE, 0.2).tolist(), key):
        found.setdefault(group, set()).add(chosen)
    return list(found.values())


@pytest.mark.parametrize("form", [
    "im{g}_jpg.rf.{i:08x}{g:x}.jpg", "clip{g}_frame_{i:04d}.jpg", "v{g}.mp4_{i:06d}.png",
    "cam{g}_{i:06d}.jpg", "seq{g}/{i:05d}.jpg", "v{g}_mp4-{i}_jpg.rf.{i:08x}.jpg",
    "day{g}.frame{i}.jpg",
])  # fmt: skip
@pytest.mark.parametrize("count", [5, 40])
def test_copies_and_frames_stay_together(form: str, count: int) -> None:
    pairs = [(g, i) for g in range(count) for i in range(30)]
    names = [form.format(g=g, i=i) for g, i in pairs]
    found = groups(names, [str(g) for g, _ in pairs])
    assert all(len(each) == 1 for each in found)
    assert {True, False} == set().union(*found)


def test_a_long_video_is_divided_into_blocks() -> None:
    chosen = division([f"clip_frame_{i:05d}.jpg" for i in range(3200)], NOWHERE, 0.2)
    assert (chosen.reshape(100, 32).min(axis=1) == chosen.reshape(100, 32).max(axis=1)).all()
    assert 15 <= chosen[::32].sum() <= 25


def test_classes_in_names_are_on_both_sides() -> None:
    """A whole class must not validate alone, as a whole video may."""
    names = [f"{word}_{i:03d}.jpg" for word in ("cat", "dog", "cow", "emu", "fox", "hen")
             for i in range(100)]  # fmt: skip
    assert all(len(each) == 2 for each in groups(names, [name[:3] for name in names]))


def test_equal_files_stay_together(tmp_path: Path) -> None:
    names = [f"{name}.jpg" for name in "abcdefghijklmnopqrstuvwxyz"]
    rng = np.random.default_rng(0)
    for index, name in enumerate(names):
        data = rng.integers(0, 255, 4000, np.uint8)
        (tmp_path / name).write_bytes(data.tobytes())
        other = data.copy()
        other[0] ^= 1  # the same but for one byte
        (tmp_path / f"x{index}.jpg").write_bytes(data.tobytes())
        (tmp_path / f"y{index}.jpg").write_bytes(other.tobytes())
    copies, others = ([f"{kind}{i}.jpg" for i in range(len(names))] for kind in "xy")
    found = sides([*names, *copies, *others], 0.3, tmp_path)
    assert [found[name] for name in names] == [found[name] for name in copies]
    assert [found[name] for name in names] != [found[name] for name in others]
    # The names alone would put them on two sides.
    apart = sides([*names, *copies], 0.3)
    assert [apart[name] for name in names] != [apart[name] for name in copies]


def test_equal_files_alone(tmp_path: Path) -> None:
    names = [f"{name}.jpg" for name in "abcdef"]
    for name in names:
        (tmp_path / name).write_bytes(b"the same")
    assert 0 < division(names, tmp_path, 0.2).sum() < 6
