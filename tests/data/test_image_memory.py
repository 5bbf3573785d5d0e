"""Image files that are small and state, or hide, a size that would fill the memory."""

import io
import json
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from otadet.data.image_file import MAX_PIXELS, read_image, read_size
from tests.limits import limited

VAST = 30_000
"""Pixels of a side: 900 million in all, 2.7 GB once decoded."""


def _saved(kind: str, side: int, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), (9, 9, 9)).save(out, kind, **options)
    return out.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    )  # fmt: skip


def _png(side: int, depth: int = 8, more: bytes = b"", rows: int = 64) -> bytes:
    """A black image whose end is missing, unless it has as many ``rows`` as it states."""
    row = bytes(1 + side * 3 * depth // 8)
    packed = zlib.compressobj(1)
    pixels = b"".join(packed.compress(row) for _ in range(rows)) + packed.flush()
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, 2, 0, 0, 0))
    parts = header + more + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


Entry = tuple[int, int, int]
"""Tag, type and value of a TIFF's directory."""
_WIDTH, _HEIGHT, _DEPTH = 256, 257, 258
_SHORT, _LONG, _SIGNED, _LONG8 = 3, 4, 9, 16


def _tiff(*changed: Entry, order: str = "<", big: bool = False) -> bytes:
    """A grey TIFF of 64 x 64 in one strip, with some entries of its directory replaced."""
    plain: list[Entry] = [
        (_WIDTH, _LONG, 64), (_HEIGHT, _LONG, 64), (_DEPTH, _SHORT, 8), (259, _SHORT, 1),
        (262, _SHORT, 1), (273, _LONG, 400), (277, _SHORT, 1), (278, _LONG, 64), (279, _LONG, 4096),
    ]  # fmt: skip
    tags = {tag for tag, *_ in changed}
    rows = sorted([*changed, *(entry for entry in plain if entry[0] not in tags)])
    place, number = ("Q", "Q") if big else ("I", "H")
    body = struct.pack(order + number, len(rows))
    for tag, kind, value in rows:
        letter = {_SHORT: "H", _LONG8: "Q"}.get(kind, "I")
        packed = struct.pack(order + letter, value).ljust(struct.calcsize(place), b"\0")
        body += struct.pack(f"{order}HH{place}", tag, kind, 1) + packed
    head = struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    return (b"II" if order == "<" else b"MM") + head + body + bytes(5000)


def _sides(kind: int, side: int = VAST) -> tuple[Entry, Entry]:
    return (_WIDTH, kind, side), (_HEIGHT, kind, side)


def _bmp(width: int, height: int) -> bytes:
    rows = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 300, 0, 0, 54) + rows + bytes(300)


def _old_bmp(side: int) -> bytes:
    return (
        b"BM" + struct.pack("<IHHI", 300, 0, 0, 26) + struct.pack("<IHHHH", 12, side, side, 1, 24)
    )


def _jp2(side: int) -> bytes:
    data = bytearray(_saved("JPEG2000", 64))
    struct.pack_into(">II", data, data.index(b"\xff\x4f\xff\x51") + 8, side, side)
    return bytes(data)


def _avif(side: int) -> bytes:
    data = bytearray(_saved("AVIF", 64))
    struct.pack_into(">II", data, data.index(b"ispe") + 8, side, side)
    return bytes(data)


def _gif(side: int, frame: int) -> bytes:
    data = bytearray(_saved("GIF", 16))
    struct.pack_into("<HH", data, 6, side, side)
    struct.pack_into("<HH", data, data.index(b"\x2c\0\0\0\0") + 5, frame, frame)
    return bytes(data)


def _webp(side: int) -> bytes:
    """A canvas of another size than its picture."""
    picture = _saved("WEBP", 64, lossless=True)[12:]
    sides = (side - 1).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<II", 10, 0) + sides + picture
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _scans() -> bytes:
    data = _saved("JPEG", 64, progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + 200 * last + data[-2:]


_ANIMATION = _chunk(b"acTL", struct.pack(">II", 2, 0))
TOO_MANY = "expected at most .* pixels, got"
NO_IMAGE = "not a readable image, or of a format that is not read"
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "vast.png": (lambda: _png(17_000), TOO_MANY),
    "deep.png": (lambda: _png(12_000, depth=16), f"at most {MAX_PIXELS // 2:,} pixels"),
    "animation.png": (lambda: _png(12_000, more=_ANIMATION), f"at most {MAX_PIXELS // 2:,} pixels"),
    "vast.tif": (lambda: _tiff(*_sides(_LONG)), TOO_MANY),
    "other_order.tif": (lambda: _tiff(*_sides(_SHORT), order=">"), TOO_MANY),
    "eight_bytes.tif": (lambda: _tiff(*_sides(_LONG), big=True), TOO_MANY),
    "signed.tif": (lambda: _tiff(*_sides(_SIGNED)), NO_IMAGE),
    "long8.tif": (lambda: _tiff(*_sides(_LONG8), big=True), NO_IMAGE),
    "twice.tif": (lambda: _tiff(*_sides(_LONG), *_sides(_LONG, 64)), NO_IMAGE),
    "double.tif": (
        lambda: _tiff(*_sides(_LONG, 16_000), (_DEPTH, _SHORT, 64)), "of 8 or 16 bits, got 64 bits",
    ),
    "deep.tif": (lambda: _tiff(*_sides(_LONG, 12_000), (_DEPTH, _SHORT, 16)), TOO_MANY),
    "vast.bmp": (lambda: _bmp(VAST, VAST), TOO_MANY),
    "downward.bmp": (lambda: _bmp(VAST, -VAST), TOO_MANY),
    "lowest.bmp": (lambda: _bmp(1, -(2**31)), TOO_MANY),
    "negative.bmp": (lambda: _bmp(-VAST, VAST), NO_IMAGE),
    "old.bmp": (lambda: _old_bmp(VAST), TOO_MANY),
    "vast.gif": (lambda: _gif(VAST, 16), TOO_MANY),
    "frame.gif": (lambda: _gif(16, VAST), "not a readable image"),
    "vast.webp": (lambda: _webp(VAST), TOO_MANY),
    "canvas.webp": (lambda: _webp(10), "not a readable image"),
    "vast.avif": (lambda: _avif(VAST), TOO_MANY),
    "vast.jp2": (lambda: _jp2(VAST), TOO_MANY),
    "vast.ppm": (lambda: b"P6\n#1 1\r#\n30000 30000\n255\n" + bytes(300), TOO_MANY),
    "letters.pgm": (lambda: b"P2 30000 30000 65535\n1 2 3", TOO_MANY),
    "bits.pbm": (lambda: b"P4 60000 60000\n" + bytes(300), TOO_MANY),
    "float.pfm": (lambda: b"PF\n20000 20000\n-1.0\n" + bytes(300), NO_IMAGE),
    "light.hdr": (
        lambda: b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 20000 +X 20000\n" + bytes(300), NO_IMAGE,
    ),
    "sun.ras": (
        lambda: struct.pack(">8I", 0x59A66A95, VAST, VAST, 24, 0, 1, 0, 0) + bytes(300), NO_IMAGE,
    ),
    "scans.jpg": (_scans, "a JPEG of at most 100 scans, got 210"),
}  # fmt: skip

READ = """
said = {}
for path in Path(sys.argv[1]).iterdir():
    try:
        said[path.name] = str(read_image(path).shape)
    except ValueError as error:
        said[path.name] = str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a process that may take another gigabyte says to each file."""
    folder = tmp_path_factory.mktemp("vast")
    for name, (make, _) in FILES.items():
        (folder / name).write_bytes(make())
    imports = "import json\nfrom otadet.data.image_file import read_image"
    done = limited(imports, READ, folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_size_is_refused_before_it_takes_memory(said: dict[str, str], name: str) -> None:
    assert re.search(rf"{name}: .*{FILES[name][1]}", said[name]), said[name]
    assert "\n" not in said[name]


def test_headers_of_every_order_and_width(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for order, kind, big in (("<", _SHORT, False), (">", _SHORT, False), (">", _LONG, False),
                             ("<", _LONG, True), ("<", _SHORT, True)):  # fmt: skip
        path.write_bytes(_tiff((_WIDTH, kind, 60), order=order, big=big))
        assert read_size(path) == (64, 60) == read_image(path).shape[:2]


def test_sixteen_bits_take_no_copy_of_themselves(tmp_path: Path) -> None:
    """15 bytes a pixel, of which OpenCV holds 12 for a while; it was 22."""
    (tmp_path / "deep.png").write_bytes(_png(4000, depth=16, rows=4000))
    code = f"""
import resource
from pathlib import Path
from otadet.data.image_file import read_image
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
assert read_image(Path({str(tmp_path / "deep.png")!r})).shape == (4000, 4000, 3)
print((peak() - before) / 4000**2)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 17


def test_bytes_between_the_segments_of_a_jpeg(tmp_path: Path) -> None:
    """libjpeg skips them, and the size behind them is read all the same."""
    data = _saved("JPEG", 64)
    at = data.index(b"\xff\xdb")
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:at] + b"junk\xff\0more" + data[at:])
    assert read_size(path) == (64, 64) == read_image(path).shape[:2]
    assert np.array_equal(read_image(path)[0, 0], [9, 9, 9])
