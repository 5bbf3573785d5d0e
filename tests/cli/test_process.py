"""Commands as real processes: help without torch, and standard streams that nobody reads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from otadet.cli.app import COMMANDS
from tests.export.networks import checkpoint

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.name for path in (ROOT / "tools").glob("*.py"))
WAYS = [["-m", "otadet", name] for name in COMMANDS] + [[f"tools/{name}"] for name in SCRIPTS]

HEAVY = ("torch", "torchvision", "numpy", "cv2", "onnx", "pycocotools")
WATCH = f"""
import runpy, sys
sys.argv = sys.argv[1:]
try:
    if sys.argv[0] == "-m":
        sys.argv = sys.argv[1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    code = end.code
sys.exit("imported " + ", ".join(found) if (found := set({HEAVY}) & set(sys.modules)) else code)
"""


def named(way: list[str]) -> str:
    return " ".join(way)


def start(words: list[str], redirection: str = "", code: str | None = None) -> list[str]:
    """A shell that becomes Python, so that a stream can be closed (``>&-``)."""
    python = [sys.executable, *(["-c", code] if code else []), *words]
    return ["sh", "-c", f'exec "$@" {redirection}', "sh", *python]


def ended(words: list[str], redirection: str = "", code: str | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        start(words, redirection, code), cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout, done.stderr


def reader_gone(words: list[str]) -> tuple[int, str]:
    """Exit code and stderr where nobody reads the output, as at the end of ``| true``."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            start(words), cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=300
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr


@pytest.mark.parametrize("way", WAYS, ids=named)
def test_help_imports_nothing_heavy(way: list[str]) -> None:
    code, out, err = ended([*way, "--help"], code=WATCH)
    assert (code, err) == (0, "")
    name = f"otadet {way[-1]}" if way[0] == "-m" else Path(way[0]).name
    assert out.startswith(f"usage: {name} [-h]")


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_that_nobody_reads_ends_quietly(name: str) -> None:
    words = ["-m", "otadet", *([name] if name else []), "--help"]
    assert reader_gone(words) == (141, "")
    assert ended(words, ">&-") == (0, "", "")
    code, out, err = ended(words, "2>&-")
    assert (code, err) == (0, "") and "usage: otadet" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_option_without_stderr_has_its_exit_code(name: str) -> None:
    assert ended(["-m", "otadet", name, "--no-such-option"], "2>&-") == (2, "", "")


def test_a_command_works_with_closed_streams(tmp_path: Path) -> None:
    words = ["convert", "-c", str(checkpoint(tmp_path)), "-o"]
    for number, redirection in enumerate((">&-", "<&- >&- 2>&-")):
        target = tmp_path / f"{number}.pth"
        code, out, err = ended(["-m", "otadet", *words, str(target)], redirection)
        assert (code, out) == (0, "") and "Traceback" not in err
        assert ("wrote" in err) == (redirection == ">&-")
        assert target.stat().st_size > 1000


def test_what_the_log_says_to_nobody_stops_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    target = tmp_path / "weights.pth"
    words = ["-m", "otadet", "convert", "-c", str(checkpoint(tmp_path)), "-o", str(target)]
    done = subprocess.run(start(words), cwd=ROOT, stdout=writing, stderr=writing, timeout=300)
    os.close(writing)
    assert done.returncode == 0 and target.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_on_a_full_disk_is_one_line() -> None:
    code, _, err = ended(["-m", "otadet", "train", "--help"], ">/dev/full")
    assert code == 1 and err.count("\n") == 1 and "No space left" in err


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_option_is_one_line(name: str) -> None:
    code, out, err = ended(["-m", "otadet", name, "--no-such-option"])
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert err.startswith(f"otadet {name}: error: ") and err.endswith("--help lists the options)\n")
