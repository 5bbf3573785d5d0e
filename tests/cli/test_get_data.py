"""Data sets fetched from a server of this machine, and archives that mean harm."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from otadet.cli import get_data
from otadet.data.archive import unpack
from otadet.errors import InputError
from otadet.public_data import SOURCES, Archive, Source
from tests.test_download import Behaviour, Handler, Server


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[[str, bytes], Archive]]:
    """Serves files; the function adds one and returns where it is."""
    (tmp_path / "www").mkdir()
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "www")))
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def serve(name: str, content: bytes, below: str = "") -> Archive:
        (tmp_path / "www" / name).write_bytes(content)
        url = f"http://127.0.0.1:{http.server_address[1]}/{name}"
        return Archive(url, name, hashlib.md5(content).hexdigest(), len(content), below)

    yield serve
    http.shutdown()
    thread.join()
    http.server_close()


def zipped(**files: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, text in files.items():
            file.writestr(name.replace("__", "/"), text)
    return data.getvalue()


def tarred(*members: tarfile.TarInfo, text: bytes = b"12345") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as file:
        for member in members:
            file.addfile(member, io.BytesIO(text) if member.isreg() else None)
    return data.getvalue()


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, size: int = 5, link: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size if kind == tarfile.REGTYPE else 0, link
    return info


Serve = Callable[..., Archive]


def test_fetched_unpacked_and_once(server: Serve, tmp_path: Path) -> None:
    first = server("a.zip", zipped(train2017__1="one", annotations__a="{}"))
    folder = entry("VOCdevkit/VOC2007", tarfile.DIRTYPE)
    second = server("b.tar", tarred(folder, entry("VOCdevkit/VOC2007/x/y")), "VOCdevkit/VOC2007")
    source = Source("Mine", (first, second), "free: http://example.org", "data_dir=x")
    for _ in range(2):
        made = get_data.get(source, tmp_path / "datasets")
        found = {p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file()}
        assert found - {"get_data.lock"} == {
            "train2017/1", "annotations/a", "x/y", ".unpacked/a.zip", ".unpacked/b.tar",
        }  # fmt: skip
        (tmp_path / "www" / "a.zip").unlink(missing_ok=True)  # not asked for again
    assert (made / "x" / "y").read_bytes() == b"12345"


def test_what_was_cut_off_goes_on(tmp_path: Path) -> None:
    content = zipped(a="x" * 3000)
    http = Server(("127.0.0.1", 0), Handler)
    http.behaviour = Behaviour(body=content, cuts=[1000])
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    archive = Archive(f"{http.url}/a.zip", "a.zip", hashlib.md5(content).hexdigest())
    folder = tmp_path / "Mine"
    folder.mkdir()
    (folder / "a.zip.part").write_bytes(content[:500])  # of a call before
    try:
        get_data.get(Source("Mine", (archive,), "", ""), tmp_path, keep=True)
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
    assert http.behaviour.asked == ["bytes=500-", "bytes=1500-"]
    assert (folder / "a").read_text() == "x" * 3000
    assert (folder / "a.zip").read_bytes() == content


def test_wrong_digest_and_not_there(server: Serve, tmp_path: Path) -> None:
    good = server("a.zip", zipped(a="x"))
    bad = Archive(good.url, "a.zip", "0" * 32)
    with pytest.raises(
        InputError, match=r"has the MD5 .*, expected 0{32}; it was deleted"
    ) as caught:
        get_data.get(Source("Mine", (bad,), "", ""), tmp_path)
    assert "-c" not in str(caught.value).split()
    none = Archive(good.url + "x", "a.zip")
    with pytest.raises(InputError, match="answers 404"):
        get_data.get(Source("Mine", (none,), "", ""), tmp_path)
    assert {p.name for p in (tmp_path / "Mine").iterdir() if p.suffix != ".lock"} == set()


def test_by_hand(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        get_data.main(["crowdhuman", "-o", str(tmp_path)])
    for part in ("CrowdHuman_train01.zip", "annotation_val.odgt", "www.crowdhuman.org/download"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    for archive in SOURCES["crowdhuman"].archives:
        content = zipped(**{f"Images__{archive.name}.jpg": "picture"})
        (tmp_path / "CrowdHuman" / archive.name).write_bytes(content)
    for name in SOURCES["crowdhuman"].files:
        (tmp_path / "CrowdHuman" / name).write_text("")
    assert get_data.main(["crowdhuman", "-o", str(tmp_path)]) == 0
    assert len(list((tmp_path / "CrowdHuman" / "Images").iterdir())) == 4
    for archive in SOURCES["crowdhuman"].archives:
        assert (tmp_path / "CrowdHuman" / archive.name).is_file()


def symlinked() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "/etc/passwd")
    return data.getvalue()


def lying(size: int) -> bytes:
    """A zip file whose member declares another size than it has."""
    content = zipped(a="x" * 100)
    place = content.rfind(b"PK\x01\x02") + 24
    return content[:place] + struct.pack("<I", size) + content[place + 4 :]


def bomb() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", bytes(1_000_000))
    return data.getvalue()


def spoiled(method: int) -> bytes:
    """A zip file of which the compressed bytes of a member are wrong."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as file:
        file.writestr("a", bytes(range(256)) * 20)
    content = bytearray(data.getvalue())
    for place in range(50, 90):
        content[place] ^= 0x5A
    return bytes(content)


def of_method(number: int) -> bytes:
    content = zipped(a="x" * 100)
    place = content.rfind(b"PK\x01\x02") + 10
    return content[:place] + struct.pack("<H", number) + content[place + 2 :]


def encrypted() -> bytes:
    content = bytearray(zipped(a="x" * 100))
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


HARM = {
    "above.zip": (zipped(**{"..__a": "x"}), "would lie outside"),
    "root.zip": (zipped(__a="x"), "would lie outside"),
    "drive.zip": (zipped(**{"C:__a": "x"}), "would lie outside"),
    "back.zip": (zipped(**{"..\\a": "x"}), "would lie outside"),
    "escape.zip": (
        zipped(**{"a\x1b[2J\n": "x"}),
        r"member 'a\\x1b\[2J\\n': expected a name without",
    ),
    "long.zip": (
        zipped(**{"x" * 256: "x"}),
        r"member 'x{60}\.\.\.': .* parts of at most 255 bytes",
    ),
    "deep.zip": (zipped(**{"a__" * 32 + "b": "x"}), "member .*: expected a name .* 32 of them"),
    "wide.zip": (zipped(**{"__".join(["x" * 250] * 5): "x"}), "member .* and 1024 bytes in all"),
    "itself.zip": (zipped(**{".": "x"}), r"member '\.': expected a name"),
    "link.zip": (symlinked(), "is a link or a device"),
    "bomb.zip": (bomb(), "expected at most .* bytes of content, got 1000000"),
    "huge.zip": (lying(4_000_000_000), "bytes of content, got 4000000000"),
    "longer.zip": (lying(101), "shorter than it declares"),
    "shorter.zip": (lying(50), "damaged"),
    "deflate.zip": (spoiled(zipfile.ZIP_DEFLATED), "damaged archive"),
    "lzma.zip": (spoiled(zipfile.ZIP_LZMA), "damaged archive"),
    "method.zip": (of_method(97), "cannot be unpacked .*method"),
    "both.zip": (zipped(a="x", a__b="y"), "member 'a/b' is a duplicate, or a file and a folder"),
    "secret.zip": (encrypted(), "cannot be unpacked .*encrypted"),
    "empty.zip": (zipped(), "holds no file"),
    "cut.zip": (zipped(a="x" * 100)[:-30], "expected a zip or tar"),
    "none.zip": (b"no archive", "expected a zip or tar"),
    "above.tar": (tarred(entry("../a")), "would lie outside"),
    "root.tar": (tarred(entry("/a")), "would lie outside"),
    "escape.tar": (tarred(entry("a\x1b]0;x\x07")), "expected a name without control characters"),
    "long.tar": (tarred(entry("\u00e4" * 128)), "parts of at most 255 bytes"),
    "deep.tar": (tarred(entry("a/" * 5000 + "b")), r"member 'a/.*\.\.\.': expected a name"),
    "link.tar": (tarred(entry("a", tarfile.SYMTYPE, link="/etc/passwd")), "is a link or a device"),
    "hard.tar": (tarred(entry("a", tarfile.LNKTYPE, link="b")), "is a link or a device"),
    "pipe.tar": (tarred(entry("a", tarfile.FIFOTYPE)), "is a link or a device"),
    "twice.tar": (tarred(entry("a"), entry("a")), "member 'a' is a duplicate"),
    "huge.tar": (tarred(entry("a", size=5))[:124] + b"77777777777\0", "expected a zip or tar"),
}


@pytest.mark.parametrize("name", HARM)
def test_harm_is_refused_whole(tmp_path: Path, name: str) -> None:
    content, message = HARM[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        unpack(tmp_path / name, tmp_path / "inner" / "new")
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [name]
    assert not (tmp_path / "inner" / "new").exists()


def test_limits_and_an_existing_folder(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(a="x", b="y"))
    with pytest.raises(InputError, match="expected at most 1 members, got 2"):
        unpack(path, tmp_path / "new", max_files=1)
    with pytest.raises(InputError, match="expected at most 1 bytes of content, got 2"):
        unpack(path, tmp_path / "new", max_bytes=1)
    assert unpack(path, tmp_path / "new") == 2
    with pytest.raises(FileExistsError):
        unpack(path, tmp_path / "new")
    assert len(list((tmp_path / "new").iterdir())) == 2  # not removed
    os.mkfifo(tmp_path / "pipe.zip")
    for name, message in (("none.zip", "archive not found"), ("pipe.zip", "a file, got a pipe")):
        with pytest.raises(InputError, match=message):
            unpack(tmp_path / name, tmp_path / "new")


def test_the_folder_to_unpack_has_to_be_in_the_archive(server: Serve, tmp_path: Path) -> None:
    archive = server("a.zip", zipped(other__a="x"), "VOCdevkit/VOC2007")
    with pytest.raises(InputError, match=r"a\.zip: expected a folder VOCdevkit/VOC2007 in it"):
        get_data.get(Source("Mine", (archive,), "", ""), tmp_path / "datasets")
    left = (tmp_path / "datasets" / "Mine").iterdir()
    assert {p.name for p in left if p.suffix != ".lock"} == {"a.zip"}


def test_the_list_of_sources_is_complete() -> None:
    for name, source in SOURCES.items():
        assert source.settings.startswith(f"data_dir=datasets/{source.folder}"), name
        for archive in source.archives:
            assert archive.name.endswith((".zip", ".tar"))
            if archive.url:
                assert archive.url.endswith("/" + archive.name)
                assert len(archive.md5 or "") == 32
