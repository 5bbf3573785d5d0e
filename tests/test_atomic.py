"""Files appear whole or not at all; one process at a time makes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otadet.atomic import atomic_path, atomic_write, file_lock


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic_write(path, "old \N{HIRAGANA LETTER A}")
    with atomic_path(path, ".part.json") as part:
        part.write_text("new", encoding="utf-8")
        assert part.parent == tmp_path and part.name.endswith(".part.json")
        assert path.read_bytes() == "old \N{HIRAGANA LETTER A}".encode()
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_there_is_nothing_new(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for error in (OSError, KeyboardInterrupt):
        with pytest.raises(error), atomic_path(path) as part:
            part.write_text("half", encoding="utf-8")
            raise error
        assert not list(tmp_path.iterdir())
    atomic_write(path, "old")
    with atomic_path(path) as part:
        pass  # a block that leaves no temporary file
    assert path.read_text(encoding="utf-8") == "old"


def test_a_lock_is_free_again_once_its_process_is_killed(tmp_path: Path) -> None:
    code = "import sys, time; from otadet.atomic import file_lock; from pathlib import Path\n"
    code += "with file_lock(Path(sys.argv[1])): print('locked', flush=True); time.sleep(60)"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a")], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"locked\n"
        lock = file_lock(tmp_path / "a")
        with pytest.raises(TimeoutError):
            lock.acquire(timeout=0)
        holder.kill()
        with lock:
            assert holder.wait() == -9
