"""Unpack zip and tar archives: regular files alone, inside one folder, within limits."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from tqdm import tqdm

from otadet.data.free_space import check_disk
from otadet.errors import InputError
from otadet.regular_file import open_regular
from otadet.schema import shown

_DEEPEST = 32
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_MAX_RATIO = 100  # bytes of content for each byte of the archive
_MAX_BYTES = 1 << 40
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, EOFError, struct.error, zlib.error, lzma.LZMAError,
    UnicodeError, OverflowError, RecursionError,
)  # fmt: skip


class _Member(NamedTuple):
    name: str
    size: int
    is_folder: bool
    is_file: bool
    open: Callable[[], IO[bytes] | None]


def unpack(
    archive: Path,
    folder: Path,
    *,
    max_files: int = 1_000_000,
    max_bytes: int = 200 * 10**9,
) -> int:
    """Unpack an archive into a new folder; every member is checked before the first is written.

    One check for both formats, stricter than tarfile's ``data`` filter: no link and no absolute
    name passes, not even one that stays inside.

    Args:
        archive: a ``.zip`` or uncompressed ``.tar`` file.
        folder: made with its parents; must not exist, and is removed again after an error.
        max_files: members that are accepted, folders included.
        max_bytes: total size of the content that is accepted.

    Returns:
        Number of files.

    Raises:
        InputError: not an archive, damaged, a member outside the folder or not a regular file,
            too many files or bytes, too little disk space.
    """
    try:
        with _open(archive) as file:
            members = _members(file)
            _check(archive, members, max_files, max_bytes)
            folder.mkdir(parents=True)
            try:
                return _write_all(archive, [m for m in members if m.is_file], folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    except _DAMAGED as error:
        raise InputError(f"{archive}: damaged archive ({error})") from error
    except RuntimeError as error:  # encrypted, or an unknown compression
        raise InputError(f"{archive}: cannot be unpacked ({error})") from error


def _open(archive: Path) -> zipfile.ZipFile | tarfile.TarFile:
    with open_regular(archive, "archive", _MAX_BYTES):  # no pipe, for which it would wait
        pass
    try:
        if zipfile.is_zipfile(archive):
            return zipfile.ZipFile(archive)
        return tarfile.open(archive, "r:")
    except tarfile.ReadError as error:
        raise InputError(f"{archive}: expected a zip or tar file ({error})") from error


def _members(file: zipfile.ZipFile | tarfile.TarFile) -> list[_Member]:
    if isinstance(file, tarfile.TarFile):
        return [
            _Member(m.name, m.size, m.isdir(), m.isreg() and not m.issparse(),
                    partial(file.extractfile, m))
            for m in file
        ]  # fmt: skip
    return [
        _Member(i.filename, i.file_size, i.is_dir(),
                not i.is_dir() and stat.S_IFMT(i.external_attr >> 16) in (0, stat.S_IFREG),
                partial(file.open, i))
        for i in file.infolist()
    ]  # fmt: skip


def _check(archive: Path, members: list[_Member], max_files: int, max_bytes: int) -> None:
    if len(members) > max_files:
        raise InputError(f"{archive}: expected at most {max_files} members, got {len(members)}")
    total = sum(member.size for member in members)
    room = min(max_bytes, _MAX_RATIO * archive.stat().st_size)
    if total > room:
        raise InputError(f"{archive}: expected at most {room} bytes of content, got {total}")
    for name, _, is_folder, is_file, _ in members:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name.split("/")[0]:
            raise InputError(f"{archive}: member {shown(name)} would lie outside the folder")
        if not _is_plain(name) or (is_file and not path.parts):
            raise InputError(
                f"{archive}: member {shown(name)}: expected a name without control characters, of "
                f"parts of at most 255 bytes, {_DEEPEST} of them and 1024 bytes in all"
            )
        if not is_folder and not is_file:
            raise InputError(f"{archive}: member {shown(name)} is a link or a device, not a file")
    if not any(member.is_file for member in members):
        raise InputError(f"{archive}: holds no file")


def _is_plain(name: str) -> bool:
    sizes = [len(os.fsencode(part)) for part in PurePosixPath(name).parts]
    short = len(sizes) <= _DEEPEST and sum(sizes) <= 1024 and max(sizes, default=0) <= 255
    return short and not _CONTROL.search(name)


def _write_all(archive: Path, files: list[_Member], folder: Path) -> int:
    check_disk(sum(file.size for file in files), folder, f"unpacking {archive.name}")
    for member in tqdm(files, f"unpack {archive.name}", unit="file", disable=None):
        path = folder / member.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                content = member.open()
                assert content is not None  # tarfile gives None for what is not a regular file
                with content:
                    shutil.copyfileobj(content, file, 1 << 20)
        except (FileExistsError, NotADirectoryError):
            raise InputError(
                f"{archive}: member {shown(member.name)} is a duplicate, or a file and a folder"
            ) from None
        if path.stat().st_size != member.size:  # zipfile and tarfile never read more
            raise InputError(f"{archive}: member {shown(member.name)} is shorter than it declares")
    return len(files)
