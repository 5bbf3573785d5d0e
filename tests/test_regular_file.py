"""Files from elsewhere: regular, of a stated size, and never waited for."""

import os
from pathlib import Path

import pytest

from otadet.errors import InputError
from otadet.regular_file import read_regular


def test_whole_files_and_beginnings(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    (tmp_path / "link").symlink_to(path)
    assert read_regular(path, "file") == read_regular(tmp_path / "link", "file") == b"0123456789"
    assert read_regular(path, "file", first=4) == b"0123"
    with pytest.raises(InputError, match="at most 9 bytes, got 10"):
        read_regular(path, "file", limit=9)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, found in (("pipe", "a pipe"), ("zero", "a device"), (".", "a folder")):
        with pytest.raises(InputError, match=f"image cannot be read .*got {found}"):
            read_regular(tmp_path / name, "image")


@pytest.mark.parametrize("name", ["none", "none/below", "x" * 300, "a\0b"])
def test_what_is_not_there_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="image not found"):
        read_regular(tmp_path / name, "image")
