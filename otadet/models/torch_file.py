"""Read files of ``torch.save`` from anywhere: nothing runs, and nothing takes more than its bytes.

``weights_only=True`` runs no code, and it unpacks what is compressed and makes what it is told to
make: a file of 3 MB may take gigabytes. So the file is looked through before torch gets it.
"""

from __future__ import annotations

import codecs
import io
import pickletools
import re
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from otadet.errors import InputError
from otadet.regular_file import open_regular
from otadet.schema import shown

MAX_BYTES = 1 << 40
"""Largest file that is read."""
MAX_PICKLE = 1 << 22
"""Largest part of a file that is no tensor's numbers: names, settings, shapes."""

_TOO_MUCH = f"expected at most {MAX_PICKLE:,} bytes beside the tensors"
_ARCHIVE = b"PK\3\4"  # by which torch tells the format
_NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")
_SLOW = ("punycode", "idna")
"""Encodings that take quadratic time, of those that a pickle may name."""


def read_file(path: Path, what: str) -> Any:
    """Read a file of ``torch.save`` onto the CPU; nothing in the file is executed.

    Args:
        path: the file.
        what: name of the file in the message.

    Raises:
        InputError: the file is missing or cannot be read, or would take more memory than its size.
    """
    try:
        with open_regular(path, "file", MAX_BYTES) as (file, size):
            _check_pickles(file, size)
        with torch.serialization.safe_globals(_known()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle that is refused right after
            return torch.load(path, map_location=_within(size), weights_only=True)
    except InputError as error:
        reason = str(error).removeprefix(f"{path}: ")
    except Exception as error:  # bytes of any kind raise nearly anything in an unpickler
        reason = f"not a checkpoint that can be read: {_reason(path, error)}"
    raise InputError(f"{what} {path}: {reason}")


def _within(size: int) -> Callable[[Any, str], Any]:
    """Leave tensors on the CPU; an error where they are told to be larger than their file."""
    left = size

    def place(storage: torch.UntypedStorage, _: str) -> torch.UntypedStorage:
        nonlocal left
        left -= storage.nbytes()
        if left < 0:
            raise InputError(f"expected tensors of less than the file's {size:,} bytes, got more")
        return storage

    return place


def _check_pickles(file: IO[bytes], size: int) -> None:
    """Look through what is unpickled: ``data.pkl`` of an archive, or the beginning of a file."""
    start = file.read(MAX_PICKLE)
    if not start.startswith(_ARCHIVE):
        _check_pickle(start, pickles=5, whole=len(start) == size)
        return
    with zipfile.ZipFile(file) as archive:
        if _directory(file) != archive.start_dir:
            raise InputError("not a checkpoint that can be read: an archive with something added")
        for record in archive.infolist():
            if record.compress_type != zipfile.ZIP_STORED or record.file_size > size:
                raise InputError(
                    f"its record {shown(record.filename)} is compressed; expected a file as "
                    "torch.save writes it"
                )
            if record.filename.lower().endswith("data.pkl"):  # torch finds it in any case
                if record.file_size > MAX_PICKLE:
                    raise InputError(f"{_TOO_MUCH}, got {record.file_size:,}")
                _check_pickle(archive.read(record), pickles=1)


def _directory(file: IO[bytes]) -> int:
    """Where an archive says that its directory begins; zipfile goes by where it ends.

    Returns:
        The place, or -1 where the archive does not end as torch and zipfile write it.
    """
    file.seek(-98, io.SEEK_END)  # with torch's records for large files
    large, locator, end = file.read(56), file.read(20), file.read(22)
    if not end.startswith(b"PK\5\6"):
        return -1
    if locator.startswith(b"PK\6\7"):
        at_end = int.from_bytes(locator[8:16], "little") == file.tell() - 98
        return int.from_bytes(large[48:], "little") if at_end else -1
    return int.from_bytes(end[16:20], "little")


def _check_pickle(data: bytes, pickles: int, whole: bool = True) -> None:
    """Refuse what makes more than it is: an array of any length, a text's slow encoding."""
    suspicious = b"bytearray" in data or b"_codecs" in data  # else it is quick
    if whole and not suspicious:
        return
    source, calls, longest = io.BytesIO(data), 0, 0
    try:
        for _ in range(pickles):
            for operation, value, _ in pickletools.genops(source):
                calls += operation.name == "REDUCE"
                if isinstance(value, str):
                    longest = max(longest, len(value))
                    _check_text(operation.name, value)
    except InputError:
        raise
    except ValueError as error:  # no pickle, or cut
        if suspicious or source.tell() == len(data):
            raise InputError(_TOO_MUCH if not whole else f"no pickle ({error})") from None
    if suspicious and calls * longest > MAX_PICKLE:
        raise InputError(f"{_TOO_MUCH}; it makes {calls:,} objects of up to {longest:,} characters")


def _check_text(operation: str, value: str) -> None:
    if operation == "GLOBAL" and value.endswith(" bytearray"):
        raise InputError("it holds a bytearray, not only tensors and plain values")
    if len(value) < 30 and _is_slow(value):
        raise InputError(f"it names the encoding {value!r}")


def _is_slow(text: str) -> bool:
    with suppress(LookupError, ValueError):
        return codecs.lookup(text).name in _SLOW
    return False


def _known() -> list[Any]:
    """What a file may name besides: numpy's numbers, which YOLOX's trainer leaves in its files."""
    return [
        (_number, "numpy.core.multiarray.scalar"),
        (_number, "numpy._core.multiarray.scalar"),
        (_number_type, "numpy.dtype"),
        *{type(np.dtype(kind)) for kind in _NUMBERS},
    ]


def _number(kind: np.dtype[Any], data: bytes) -> Any:
    return np.frombuffer(data, kind, count=1)[0]


def _number_type(kind: str, *_: object) -> np.dtype[Any]:
    if kind not in _NUMBERS:
        raise ValueError(f"expected the type of a number, got {kind[:20]!r}")
    return np.dtype(kind)


def _reason(path: Path, error: Exception) -> str:
    """Return one line on what is wrong with a file; torch's own message advises to run it."""
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page; the address it came from gave no file"
    if not start:
        return "it is empty"
    text = str(error).strip() or type(error).__name__
    if "Weights only load failed" not in text:
        return text.splitlines()[0][:160]
    if foreign := re.search(r"GLOBAL (\w[\w.]*)", text):
        return f"it holds {foreign[1]}, not only tensors and plain values; nothing in it was run"
    detail = re.search(r"WeightsUnpickler error:\s*([^\n]+)", text)
    return f"torch.save did not write it ({detail[1][:100] if detail else 'unknown bytes'})"
