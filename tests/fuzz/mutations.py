"""Valid files, changed a little: values of JSON, words of a text, bytes, or the file itself."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

SECRET = "outside"
"""Folder beside the data set that nothing in it may lead to."""

_RAW = {
    "@digits": "9" * 5000, "@deep": "[" * 100_000,
    "@deep-object": '{"a":' * 2000 + "1" + "}" * 2000,
    "@nan": "NaN", "@infinity": "-Infinity", "@huge": "1e999", "@surrogate": '"\\ud800x"',
    "@twice": '{"a": 1, "a": 2}', "@nothing": "", "@nul": '"a\\u0000b"',
}  # fmt: skip

NUMBERS: list[Any] = [
    0, -1, 1, 2, 3, 0.5, -0.0, 1e-320, 1e308, -1e308, 1e15, 2**31, 2**31 - 1, 2**32, 2**53 + 1,
    2**63, 2**63 - 1, -(2**63), 2**64, 10**30, True, False, "@digits", "@nan", "@infinity", "@huge",
]  # fmt: skip
TEXTS: list[Any] = [
    "", " ", ".", "..", "/", "a", "0", "1", "-1", "1.0", "1e5", "nan", "\u0661", "\uff11", "a\0b",
    "\ud800x", "\udce9", "x" * 300, "x" * 100_000, "a/" * 3000, f"../{SECRET}/secret.jpg",
    f"../../{SECRET}/secret.jpg", "/etc/passwd", "file:///etc/passwd", "C:\\a.jpg", "a\nb",
    "\x1b[2J", "\u202ea", "=1+1", "<b>", "{0}", "%s", "@surrogate", "@nul", "train", "val",
    "background",
]  # fmt: skip
OTHERS: list[Any] = [
    None, [], {}, [[]], [None], {"a": 1}, [1, 2], [1, 2, 3, 4], ["a"], "@deep", "@deep-object",
    "@twice", "@nothing", [[1, 2], [3, 4]], {"counts": [1, 2], "size": [1, 2]}, list(range(2000)),
]  # fmt: skip

values = st.one_of(
    st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.sampled_from(OTHERS),
    st.integers(-(2**65), 2**65), st.floats(), st.text(max_size=20),
)  # fmt: skip


@st.composite
def changed_value(draw: DrawFn, document: Any) -> Any:
    """A JSON document with some values replaced, dropped, doubled, exchanged or put elsewhere."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 4))):
        places = _places(document)
        if not places:
            break
        of, key = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(["replace", "replace", "drop", "double", "exchange", "rename"]))
        if kind == "replace":
            of[key] = copy.deepcopy(draw(values))  # which later changes may touch
        elif kind == "drop":
            del of[key]
        elif kind == "exchange":
            other, place = draw(st.sampled_from(places))
            if key in (of if isinstance(of, dict) else range(len(of))):
                other[place] = copy.deepcopy(of[key])
        elif isinstance(of, list):
            of.insert(key, copy.deepcopy(of[key]))
        else:
            name = draw(st.sampled_from([t for t in TEXTS if t[:1] != "@"] + list(of)))
            of[name] = of[key] if kind == "double" else of.pop(key)
    return document


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Every value's container and key, those of long lists at both ends alone."""
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting and len(found) < 2000:
        of = waiting.pop()
        keys = (
            list(of) if isinstance(of, dict) else [*range(min(len(of), 4)), *range(4, len(of))][:40]
        )
        found += [(of, key) for key in keys]
        waiting += [of[key] for key in keys if isinstance(of[key], dict | list)]
    return found


def as_json(document: Any) -> str:
    """The document as text; values that Python's writer does not write are put in by hand."""
    text = json.dumps(document)
    return re.sub(r'"(@[a-z-]+)"', lambda m: _RAW.get(m[1], m[0]), text)


_LONG = 1 << 18
_WORD = re.compile(r"\w+|\s+|[^\w\s]")


@st.composite
def changed_text(draw: DrawFn, text: str) -> str:
    """A text with some words, blanks or marks replaced, dropped or doubled."""
    words = _WORD.findall(text)
    for _ in range(draw(st.integers(1, 4))):
        if not words:
            break
        first = draw(st.integers(0, len(words) - 1))
        last = min(len(words), first + draw(st.sampled_from([1, 1, 1, 2, 5, 50])))
        kind = draw(st.sampled_from(["replace", "replace", "drop", "double", "many"]))
        if kind == "replace":
            value = draw(values)
            words[first:last] = [value if isinstance(value, str) else as_json(value)]
        elif kind == "drop":
            del words[first:last]
        elif sum(map(len, words)) < _LONG:
            words[first:last] = words[first:last] * (2 if kind == "double" else 300)
    return re.sub("@[a-z-]+", lambda m: _RAW.get(m[0], m[0]), "".join(words))


@st.composite
def changed_bytes(draw: DrawFn, data: bytes) -> bytes:
    """Bytes with some flipped, replaced, cut out, repeated or left out at the end."""
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        count = draw(st.sampled_from([1, 1, 2, 4, 8, 100]))
        kind = draw(st.sampled_from(["flip", "replace", "insert", "cut", "repeat", "end"]))
        if kind == "flip" and data:
            flipped = data[at] ^ (1 << draw(st.integers(0, 7)))
            data = data[:at] + bytes([flipped]) + data[at + 1 :]
        elif kind == "replace":
            data = data[:at] + draw(_PIECES) + data[at + count :]
        elif kind == "insert":
            data = data[:at] + draw(_PIECES) + data[at:]
        elif kind == "cut":
            data = data[:at] + data[at + count :]
        elif kind == "repeat":
            data = data[:at] + data[at : at + count] * 200 + data[at + count :]
        else:
            data = data[:at]
    return data


_PIECES = st.one_of(
    st.sampled_from([b"\0", b"\xff", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0" * 8,
                     b"\xef\xbb\xbf", b"\xff\xfe", b"\r\n", b"\xed\xa0\x80"]),
    st.binary(max_size=8),
)  # fmt: skip


@st.composite
def changed_content(draw: DrawFn, name: str, data: bytes) -> bytes:
    """The content of a file by its kind, rarely that of an unknown one."""
    kinds = ["bytes"] if name.endswith(".jpg") else ["kind"] * 8 + ["bytes"]
    if draw(st.sampled_from(kinds)) == "bytes":
        return draw(changed_bytes(data))
    text = data.decode("utf-8", "surrogateescape")
    if name.endswith((".json", ".odgt")) and draw(st.integers(0, 5)) != 5:
        lines = text.splitlines() if name.endswith(".odgt") else [text]
        number = draw(st.integers(0, len(lines) - 1)) if lines else 0
        try:
            lines[number] = as_json(draw(changed_value([json.loads(lines[number])]))[0])
        except (ValueError, IndexError, KeyError):  # the whole document was dropped
            return draw(changed_bytes(data))
        return "\n".join(lines).encode("utf-8", "surrogateescape")
    return draw(changed_text(text)).encode("utf-8", "surrogatepass")


def _nothing(path: Path) -> None:
    """The file is missing."""


SUBSTITUTES: dict[str, Callable[[Path], object]] = {
    "missing": _nothing, "empty": Path.touch, "folder": Path.mkdir, "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "loop": lambda path: path.symlink_to(path.name),
    "unreadable": lambda path: path.touch(0),
}  # fmt: skip
"""What may lie where a file is expected."""
