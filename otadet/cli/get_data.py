"""``tools/get_data.py``: download a public data set, verify it and unpack it."""

from __future__ import annotations

import argparse
import filecmp
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from loguru import logger

from otadet.atomic import file_lock
from otadet.cli.parsers.get_data import parser
from otadet.data.archive import unpack
from otadet.data.free_space import check_disk
from otadet.download import fetch
from otadet.errors import InputError
from otadet.public_data import SOURCES, Archive, Source

_DONE = ".unpacked"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these words, by default those of the command line."""
    return run(parser().parse(argv))


def run(args: argparse.Namespace) -> int:
    """Download and unpack what is missing."""
    get(SOURCES[args.name], Path(args.output), args.keep)
    return 0


def get(source: Source, datasets: Path, keep: bool = False) -> Path:
    """Complete a data set's folder.

    Each archive is unpacked to a temporary folder and moved; a finished one is not downloaded
    again.

    Args:
        source: its archives and files.
        datasets: the folder of data sets.
        keep: do not delete the archives.

    Returns:
        The data set's folder.

    Raises:
        InputError: a file cannot be downloaded, has a wrong digest, or must be downloaded by hand.
    """
    folder = datasets / source.folder
    folder.mkdir(parents=True, exist_ok=True)
    with file_lock(folder / "get_data"):
        missing = [each for each in source.archives if not _mark(folder, each).exists()]
        _check_by_hand(source, missing, folder)
        check_disk(_needed(missing), folder, f"fetching {source.folder}")
        logger.info("{}: {}", source.folder, source.terms)
        for each in missing:
            path = folder / each.name
            if each.url:
                fetch(each.url, path, md5=each.md5, option=None)
            _unpack(path, each, folder)
            _mark(folder, each).parent.mkdir(exist_ok=True)
            _mark(folder, each).touch()
            if not keep and each.url:  # those that were put there by hand stay
                for left in (path, Path(f"{path}.sha256"), Path(f"{path}.lock")):
                    left.unlink(missing_ok=True)
    logger.info("{} is complete; train with: {}", folder, source.settings)
    return folder


def _mark(folder: Path, archive: Archive) -> Path:
    return folder / _DONE / archive.name


def _check_by_hand(source: Source, missing: Sequence[Archive], folder: Path) -> None:
    wanted = [each.name for each in missing if not each.url] + list(source.files)
    absent = [name for name in wanted if not (folder / name).is_file()]
    if absent:
        address = source.terms.rpartition(" ")[2]
        raise InputError(
            f"{source.folder}: its files need a login; download {', '.join(absent)} from "
            f"{address}, put them into {folder}, and repeat this command"
        )


def _needed(missing: Sequence[Archive]) -> int:
    """Estimate the bytes of the archives and of the largest one's content, no larger unpacked."""
    known = [each.size or 0 for each in missing]
    return sum(known) + max(known, default=0)


def _unpack(path: Path, archive: Archive, folder: Path) -> None:
    """Unpack to a temporary folder, then move each file; a repeated call completes the rest."""
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as part:
        unpack(path, Path(part) / "content")
        source = Path(part) / "content" / archive.below
        if not source.is_dir():
            raise InputError(f"{path}: expected a folder {archive.below} in it, got none")
        files = [Path(above) / name for above, _, names in os.walk(source) for name in names]
        for file in files:
            old = folder / file.relative_to(source)
            if os.path.lexists(old) and not _same(old, file):
                raise InputError(f"{old}: exists, and is not as in {path.name}; move it away")
        for above, _, names in os.walk(source):
            target = folder / Path(above).relative_to(source)
            target.mkdir(parents=True, exist_ok=True)
            for name in names:
                (Path(above) / name).replace(target / name)


def _same(old: Path, new: Path) -> bool:
    """Whether a call before has put this very file there."""
    return old.is_file() and not old.is_symlink() and filecmp.cmp(old, new, shallow=False)
