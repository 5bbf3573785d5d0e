"""``tools/get_data.py``: fetch a public data set, check it and unpack it."""

from __future__ import annotations

import argparse
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
    """Fetch and unpack what is not there yet."""
    get(SOURCES[args.name], Path(args.output), args.keep)
    return 0


def get(source: Source, datasets: Path, keep: bool = False) -> Path:
    """Make a data set's folder whole.

    Each archive is unpacked beside and moved into the folder; one that was is not fetched again.

    Args:
        source: what it is made of.
        datasets: the folder of data sets.
        keep: leave the archives where they were fetched to.

    Returns:
        The data set's folder.

    Raises:
        InputError: a file cannot be fetched, is not what was expected, or has to be fetched by
            hand; the message says how.
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
            if not keep:
                for left in (path, Path(f"{path}.sha256"), Path(f"{path}.lock")):
                    left.unlink(missing_ok=True)
    logger.info("{} is there; train with: {}", folder, source.settings)
    return folder


def _mark(folder: Path, archive: Archive) -> Path:
    return folder / _DONE / archive.name


def _check_by_hand(source: Source, missing: Sequence[Archive], folder: Path) -> None:
    wanted = [each.name for each in missing if not each.url] + list(source.files)
    absent = [name for name in wanted if not (folder / name).is_file()]
    if absent:
        address = source.terms.rpartition(" ")[2]
        raise InputError(
            f"{source.folder}: its files lie behind a form or a page that no program may pass; "
            f"fetch {', '.join(absent)} from {address}, put them into {folder}, and give this "
            "command again"
        )


def _needed(missing: Sequence[Archive]) -> int:
    """Bytes of the archives and of the largest one's content: images hardly shrink in archives."""
    known = [each.size or 0 for each in missing]
    return sum(known) + max(known, default=0)


def _unpack(path: Path, archive: Archive, folder: Path) -> None:
    """Unpack beside, then move file by file: an interrupted call is simply repeated."""
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as part:
        unpack(path, Path(part) / "content")
        source = Path(part) / "content" / archive.below
        if not source.is_dir():
            raise InputError(f"{path}: expected a folder {archive.below} in it, got none")
        for above, _, names in os.walk(source):
            target = folder / Path(above).relative_to(source)
            target.mkdir(parents=True, exist_ok=True)
            for name in names:
                (Path(above) / name).replace(target / name)
