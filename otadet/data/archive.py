"""Unpack archives from elsewhere: inside one folder, plain files alone, within stated limits.

Zip and uncompressed tar. Everything is looked at before the first byte is written: an archive that
would leave the folder, holds links or devices, or declares more than the limits is refused whole.
"""

from __future__ import annotations

import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from tqdm import tqdm

from otadet.errors import InputError

_CHUNK = 1 << 20
_UNIX_KIND, _UNIX_FILE, _UNIX_FOLDER = 0o170000, 0o100000, 0o040000
_ENTRY = 46  # bytes of the shortest entry of a zip file's directory
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)


@dataclass(frozen=True)
class Limits:
    """What an archive may hold.

    Attributes:
        files: members, folders included.
        total: bytes of all files.
        ratio: bytes of all files for each byte of the archive.
    """

    files: int = 1_000_000
    total: int = 200 * 10**9
    ratio: float = 100.0


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    folder: bool
    plain: bool


class _Archive(Protocol):
    def members(self, most: int) -> list[_Member]: ...

    def open(self, index: int) -> IO[bytes]: ...


def unpack(
    archive: Path,
    folder: Path,
    *,
    below: str = "",
    limits: Limits | None = None,
    progress: bool = True,
) -> int:
    """Write an archive's files into a folder, which is made where missing.

    Args:
        archive: a ``.zip`` or ``.tar`` file.
        folder: where to.
        below: the archive's own folder that becomes ``folder``; others are left out.
        limits: see :class:`Limits`.
        progress: show a bar.

    Returns:
        Number of files.

    Raises:
        InputError: it is no archive or damaged, a member would lie outside or is no plain file,
            a limit or the free space of the disk does not suffice, or a file is there already.
    """
    limits = limits or Limits()
    try:
        with _opened(archive) as source:
            members = source.members(limits.files)
            targets = _targets(archive, members, PurePosixPath(below), limits)
            _check_disk(archive, folder, sum(members[i].size for i in targets))
            return _write(archive, source, members, targets, folder, progress)
    except _DAMAGED as error:
        raise InputError(f"{archive}: damaged archive ({error})") from error
    except NotImplementedError as error:
        raise InputError(f"{archive}: cannot be unpacked ({error})") from error


def _targets(
    archive: Path, members: list[_Member], below: PurePosixPath, limits: Limits
) -> dict[int, PurePosixPath]:
    """The place of each file to be written; every member is checked, used or not."""
    total = sum(member.size for member in members)
    room = min(limits.total, int(limits.ratio * archive.stat().st_size))
    if total > room:
        raise InputError(
            f"{archive}: declares {total} bytes of content, more than the {room} that are allowed"
        )
    found: dict[int, PurePosixPath] = {}
    for index, member in enumerate(members):
        path = PurePosixPath(member.name)
        odd = "\\" in member.name or "\0" in member.name or ":" in member.name.split("/")[0]
        if path.is_absolute() or ".." in path.parts or odd:
            raise InputError(f"{archive}: member {member.name!r} would lie outside the folder")
        if not member.plain:
            raise InputError(
                f"{archive}: member {member.name!r} is no plain file (a link or a device)"
            )
        if not member.folder and path.is_relative_to(below):
            found[index] = path.relative_to(below)
    files = set(found.values())
    for path in files:
        if path == PurePosixPath() or not files.isdisjoint(path.parents):
            raise InputError(f"{archive}: member {str(path)!r} is a file and a folder")
    if len(files) < len(found):
        raise InputError(f"{archive}: holds two members of the same name")
    if not found:
        raise InputError(f"{archive}: holds no file below {str(below)!r}")
    return found


def _check_disk(archive: Path, folder: Path, needed: int) -> None:
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise InputError(
            f"{folder}: unpacking {archive.name} needs {needed / 1e9:.1f} GB of disk, "
            f"{free / 1e9:.1f} GB are free"
        )


def _write(
    archive: Path,
    source: _Archive,
    members: list[_Member],
    targets: dict[int, PurePosixPath],
    folder: Path,
    progress: bool,
) -> int:
    bar = tqdm(
        desc=f"unpack {archive.name}",
        total=sum(members[i].size for i in targets),
        unit="B",
        unit_scale=True,
        disable=None if progress else True,  # None: only on a terminal
    )
    with bar:
        for index, place in targets.items():
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            left = members[index].size
            try:
                file = path.open("xb")
            except FileExistsError:
                raise InputError(f"{path}: is there already (from {archive})") from None
            with file, source.open(index) as content:
                while block := content.read(_CHUNK):
                    left -= len(block)
                    if left < 0:
                        break
                    file.write(block)
                    bar.update(len(block))
            if left:
                raise InputError(
                    f"{archive}: member {members[index].name!r} is not as long as it declares"
                )
    return len(targets)


@contextmanager
def _opened(archive: Path) -> Iterator[_Archive]:
    try:
        if zipfile.is_zipfile(archive):
            _check_directory(archive)
            with zipfile.ZipFile(archive) as file:
                yield _Zip(archive, file)
            return
        with tarfile.open(archive, "r:") as tar:
            yield _Tar(archive, tar)
    except FileNotFoundError:
        raise InputError(f"{archive}: archive not found") from None
    except tarfile.ReadError as error:
        raise InputError(f"{archive}: expected a zip or tar file ({error})") from error


def _check_directory(archive: Path) -> None:
    """Refuse a zip file that states more entries than its directory could hold; Python reads the
    directory as a whole."""
    size = archive.stat().st_size
    with archive.open("rb") as file:
        file.seek(max(0, size - (1 << 16) - 22))
        tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    count, length = struct.unpack("<HI", tail[place + 10 : place + 16])
    if count < 0xFFFF and length < 0xFFFFFFFF and count * _ENTRY > length:
        raise InputError(
            f"{archive}: damaged archive ({count} entries in a directory of {length} bytes)"
        )


@dataclass(frozen=True)
class _Zip:
    archive: Path
    file: zipfile.ZipFile

    def members(self, most: int) -> list[_Member]:
        infos = self.file.infolist()
        if len(infos) > most:
            raise _too_many(self.archive, len(infos), most)
        found = []
        for info in infos:
            if info.flag_bits & 1:
                raise InputError(f"{self.archive}: member {info.filename!r} is encrypted")
            kind = (info.external_attr >> 16) & _UNIX_KIND
            plain = kind in (0, _UNIX_FOLDER if info.is_dir() else _UNIX_FILE)
            found.append(_Member(info.filename, info.file_size, info.is_dir(), plain))
        return found

    def open(self, index: int) -> IO[bytes]:
        return self.file.open(self.file.infolist()[index])


@dataclass(frozen=True)
class _Tar:
    archive: Path
    file: tarfile.TarFile

    def members(self, most: int) -> list[_Member]:
        found: list[_Member] = []
        for info in self.file:
            if len(found) == most:
                raise _too_many(self.archive, most + 1, most)
            plain = info.isdir() or (info.isreg() and not info.issparse())
            found.append(_Member(info.name, info.size, info.isdir(), plain))
        return found

    def open(self, index: int) -> IO[bytes]:
        content = self.file.extractfile(self.file.getmembers()[index])
        if content is None:
            raise InputError(f"{self.archive}: member {index} is no plain file")
        return content


def _too_many(archive: Path, count: int, most: int) -> InputError:
    return InputError(f"{archive}: holds {count} members or more, {most} are allowed")
