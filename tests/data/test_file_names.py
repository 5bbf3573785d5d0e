"""Images that annotations name in another spelling, or by the path of another machine."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from otadet.choices import Split
from otadet.data import find_data
from otadet.data.file_names import ResolvedNames, resolve_names
from otadet.data.formats import read_records
from otadet.data.records import ReadOptions
from tests.data.trees import IMAGE, coco, make


def resolved(
    root: Path, names: list[str], *files: str, split: Split | None = None
) -> ResolvedNames:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"an image")
    result = resolve_names(names, [root], split)
    assert result.base == root
    return result


@pytest.mark.parametrize(
    ("name", "file", "way"),
    [
        ("sub\\im1.jpg", "sub/im1.jpg", "backslashes"),
        ("im%201.jpg", "im 1.jpg", "URL quoting"),
        ("/home/bob/x/images/im 1.jpg", "im 1.jpg", "folder in front"),
        ("s3://b/k/im1.jpg?sig=a%2Fb", "im1.jpg", "address, folder in front"),
        ("https://x.org/a%20b.jpg#top", "a b.jpg", "address, URL quoting, folder in front"),
        ("C:\\data\\im1.jpg", "im1.jpg", "backslashes, folder in front"),
        ("..\\label\\12.jpg", "12.jpg", "backslashes, folder in front"),
        ("../images/im1.jpg", "im1.jpg", "folder in front"),
        ("/data/upload/3/abc-im1.jpg", "abc-im1.jpg", "folder in front"),
        ("/data/upload/3/1a2b3c4d-im1.jpg", "im1.jpg", "upload's prefix, folder in front"),
        ("/data/local-files/?d=sub/im1.jpg", "sub/im1.jpg", "address"),
        ("/data/local-files/?d=sub%2Fim1.jpg", "sub/im1.jpg", "address, URL quoting"),
        ("IM1.JPG", "im1.jpg", "case"),
        ("Sub/im1.jpg", "sub/im1.jpg", "case"),
        ("im1.png", "im1.jpg", "ending"),
        ("im1", "im1.jpg", "ending"),
        ("frame.0012", "frame.0012.jpg", "ending"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg", "composed letters"),
        ("im1.jpg", "deep/er/im1.jpg", "in a folder below"),
    ],
)  # fmt: skip
def test_ways(tmp_path: Path, name: str, file: str, way: str) -> None:
    result = resolved(tmp_path, [name, "there.jpg"], file, "there.jpg", "other/there.jpg")
    assert result.names == (file, "there.jpg")
    assert result.changed == {0: way}
    assert result.ambiguous == {}


def test_names_that_are_there_are_taken_as_they_are(tmp_path: Path) -> None:
    names = ["a%20b.jpg", "IM.jpg", "im.jpg", "x/im.jpg", "1a2b3c4d-im.jpg", "back\\slash.jpg", ""]
    result = resolved(tmp_path, names, *filter(None, names))
    assert result.names == tuple(names)
    assert result.changed == {}


@pytest.mark.parametrize(
    ("name", "files", "chosen"),
    [
        ("/a/cam1/im.jpg", ("cam1/im.jpg", "cam2/im.jpg"), "cam1/im.jpg"),
        ("q/x/im.jpg", ("p/x/im.jpg", "x/im.jpg"), None),
        ("im.jpg", ("cam1/im.jpg", "cam2/im.jpg"), None),
        ("im.JPG", ("im.jpg", "im.png"), "im.jpg"),
        ("im.bmp", ("im.jpg", "im.png"), None),
        ("q/x/im.png", ("x/im.jpg", "y/im.png"), None),
    ],
)
def test_the_longest_tail_where_it_is_unique(
    tmp_path: Path, name: str, files: tuple[str, ...], chosen: str | None
) -> None:
    result = resolved(tmp_path, [name], *files)
    assert result.names == (chosen or name,)
    assert set(result.ambiguous.get(0, ())) == (set() if chosen else set(files))


def test_candidates_are_three_at_most(tmp_path: Path) -> None:
    result = resolved(tmp_path, ["im.jpg"], *(f"{each}/im.jpg" for each in "abcde"))
    assert result.ambiguous == {0: ("a/im.jpg", "b/im.jpg", "c/im.jpg")}


def test_no_file_belongs_to_two_names(tmp_path: Path) -> None:
    """Frames of a camera whose images are missing are not those of another camera."""
    names = ["x/cam1/1.jpg", "cam2/1.jpg"]
    assert resolved(tmp_path / "a", names, "cam2/1.jpg").names == tuple(names)
    names = ["/x/cam1/1.jpg", "/x/cam2/1.jpg"]
    assert resolved(tmp_path / "b", names, "cam2/1.jpg").names == (names[0], "cam2/1.jpg")
    names = ["cam1/1.jpg"]
    assert resolved(tmp_path / "c", names, "cam1/2.jpg", "cam2/1.jpg").names == tuple(names)


def test_images_of_another_split_are_not_taken(tmp_path: Path) -> None:
    files = ("train/1.jpg", "val/1.jpg", "val/2.jpg")
    result = resolved(tmp_path, ["1.jpg", "2.jpg", "x/val/2.jpg"], *files, split="train")
    assert result.names == ("train/1.jpg", "2.jpg", "val/2.jpg")


def test_nothing_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"an image")
    folder = tmp_path / "images"
    names = [
        "../secret.jpg",
        str(tmp_path / "secret.jpg"),
        "../../etc/passwd",
        "a/../../secret.jpg",
    ]
    assert resolved(folder, names, "im.jpg").names == tuple(names)


def test_the_first_folder_that_has_any(tmp_path: Path) -> None:
    for file in ("a/1.jpg", "b/x/1.jpg", "b/x/2.jpg"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"an image")
    none, a, b = tmp_path / "none", tmp_path / "a", tmp_path / "b"
    assert resolve_names(["1.jpg", "2.jpg"], [none, a, b]).base == a
    result = resolve_names(["2.jpg"], [none, a, b])
    assert (result.base, result.names) == (b, ("x/2.jpg",))
    assert resolve_names(["3.jpg"], [none, a, b]).base == none


def test_findings(tmp_path: Path) -> None:
    names = ["im1.jpg", "C:\\x\\im2.jpg", "im3.jpg", "gone.jpg"]
    files = {"p/im1.jpg": IMAGE, "p/im2.jpg": IMAGE, "p/a/im3.jpg": IMAGE, "p/b/im3.jpg": IMAGE}
    root = make(tmp_path, {**files, "all.json": coco(names)})
    records = read_records(find_data(root, "train", "all.json", "p"), ReadOptions())
    assert records.file_names == ("im1.jpg", "im2.jpg", "im3.jpg", "gone.jpg")
    found = {each.code: each for each in records.findings}
    repaired, unclear = found["file-name-resolved"], found["file-name-ambiguous"]
    assert (repaired.severity, repaired.count) == ("repaired", 1)
    assert "backslashes, folder in front 1" in repaired.text
    assert "taken for im2.jpg" in repaired.spots[0].got
    assert (unclear.severity, unclear.count) == ("error", 1)
    assert "a/im3.jpg, b/im3.jpg" in unclear.spots[0].got


def test_other_composition_in_a_folder(tmp_path: Path) -> None:
    folder = unicodedata.normalize("NFD", "\u00fcber")
    result = resolved(tmp_path, ["\u00fcber/1.jpg"], f"{folder}/1.jpg", "x/1.jpg")
    assert result.names == (f"{folder}/1.jpg",)
