"""PASCAL VOC: what is read, what a hostile file cannot do, and one line for each fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from otadet.data import ReadOptions, find_data, open_data, write_image
from otadet.errors import InputError

DOG = """<object><name>dog</name><pose>Left</pose><difficult>0</difficult>
<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>20</ymax></bndbox>
<part><name>head</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></part>
</object>"""
CAT = """<object><name>cat</name><difficult>1</difficult>
<bndbox><ymin>3.5</ymin><xmin>11.25</xmin><xmax>70</xmax><ymax>40</ymax></bndbox></object>"""
SIZE = "<size><width>60</width><height>40</height><depth>3</depth></size>"


def xml(*objects: str, name: str = "a.jpg", size: str = SIZE) -> str:
    return f"<annotation><filename>{name}</filename>{size}{''.join(objects)}</annotation>"


@pytest.fixture
def voc(tmp_path: Path) -> Callable[[str], Path]:
    """A data set of a.jpg with the given XML and b.png without objects; returns its folder."""

    def make(text: str) -> Path:
        for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "Annotations" / "a.xml").write_text(text, encoding="utf-8")
        (tmp_path / "Annotations" / "b.xml").write_text(
            xml(name="stale.jpg", size=""), encoding="utf-8"
        )
        (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("b\na\n", encoding="utf-8")
        for name in ("a.jpg", "b.png"):
            write_image(tmp_path / "JPEGImages" / name, np.full((40, 60, 3), 90, np.uint8))
        return tmp_path

    return make


Voc = Callable[[str], Path]


def test_content_with_nothing_but_the_folder_named(voc: Voc) -> None:
    data = open_data(find_data(voc(xml(DOG, CAT)), "train", val_fraction=0))
    assert data.class_names == ("cat", "dog")
    assert [data.ground_truth(i).file_name for i in (0, 1)] == [
        "b.png",
        "a.jpg",
    ]  # the list's order
    assert data.sizes.tolist() == [[40, 60], [40, 60]]
    gt = data.ground_truth(1)
    assert gt.boxes.tolist() == [[0, 0, 10, 20]]  # 1-based, the last pixel included
    assert gt.labels.tolist() == [1]
    assert gt.ignore_boxes.tolist() == [[10.25, 2.5, 60, 40]]
    assert gt.ignore_labels is not None
    assert gt.ignore_labels.tolist() == [0]
    assert data.load(1).image.shape == (40, 60, 3)


def test_difficult_by_setting_and_whole_boxes(voc: Voc) -> None:
    place = find_data(voc(xml(DOG, CAT)), "train", val_fraction=0)
    kept = open_data(place, ReadOptions(difficult="keep", amodal=True)).ground_truth(1)
    assert kept.boxes.tolist() == [[0, 0, 10, 20], [10.25, 2.5, 70, 40]]
    assert len(kept.ignore_boxes) == 0


def test_a_folder_of_xml_and_a_list_of_one_class(voc: Voc) -> None:
    folder = voc(xml(DOG))
    data = open_data(find_data(folder, "train", "Annotations"))
    assert [data.ground_truth(i).file_name for i in (0, 1)] == ["a.jpg", "b.png"]
    (folder / "ImageSets" / "Main" / "dog_train.txt").write_text("a  1\nb -1\n", encoding="utf-8")
    data = open_data(find_data(folder, "train", "ImageSets/Main/dog_train.txt"))
    assert len(data) == 2


def test_classes_given_beside_and_of_a_checkpoint(voc: Voc) -> None:
    folder = voc(xml(DOG))
    place = find_data(folder, "train", val_fraction=0)
    assert open_data(place, ReadOptions(classes=("dog", "emu"))).class_names == ("dog", "emu")
    assert open_data(place, ReadOptions(class_names=("emu", "dog"))).ground_truth(
        1
    ).labels.tolist() == [1]
    with pytest.raises(InputError, match=r"\['dog'\] are not among .*\['emu'\]"):
        open_data(place, ReadOptions(class_names=("emu",)))
    (folder / "classes.txt").write_text("yak\ndog\n", encoding="utf-8")
    assert open_data(place).class_names == ("yak", "dog")


def test_latin_1_and_a_box_reversed_by_a_rounding(voc: Voc) -> None:
    folder = voc("")
    text = xml(DOG.replace("dog", "Löwe").replace("<xmin>1<", "<xmin>11<"))
    (folder / "Annotations/a.xml").write_bytes(text.encode("latin-1"))
    data = open_data(find_data(folder, "train", val_fraction=0))
    assert data.class_names == ("Löwe",)
    found = [f"{each.severity} {each.code}" for each in data.findings]
    assert found == ["repaired image-by-name", "note encoding"]  # the first is of b.xml
    assert data.skipped["no_area"] == 1


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;">]>'
FAULTS = {
    "entities": (BOMB + xml(DOG.replace("dog", "&y;")), ["<!DOCTYPE"]),
    "external": ('<!DOCTYPE a SYSTEM "file:///etc/passwd">' + xml(), ["<!DOCTYPE"]),
    "cut": (xml(DOG)[:-20], ["broken XML at line 4"]),
    "other": ("<annotations/>", ["expected <annotation>", "<annotations>"]),
    "no name": (xml(DOG.replace("dog", "")), ["object 1", "'name'", "nothing"]),
    "no box": (xml(CAT, DOG.replace("bndbox", "box")), ["object 2 ('dog')", "'bndbox'"]),
    "no side": (xml(DOG.replace("xmax>", "x>")), ["object 1 ('dog')", "'xmax'", "missing"]),
    "no number": (xml(DOG.replace(">10<", ">ten<")), ["'xmax'", "a number, got 'ten'"]),
    "nan": (xml(DOG.replace(">10<", ">nan<")), ["'xmax'", "'nan'"]),
    "reversed": (xml(CAT.replace(">70<", ">9<")), ["object 1", "x1 <= x2", "= 10.25, 2.5, 9, 40"]),
    "difficult": (xml(DOG.replace("lt>0<", "lt>7<")), ["'difficult'", "0 or 1, got 7"]),
    "size": (xml(DOG, size=SIZE.replace("60", "6.5")), ["size", "whole numbers", "6.5"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(voc: Voc, fault: str) -> None:
    text, parts = FAULTS[fault]
    folder = voc(text)
    with pytest.raises(InputError) as caught:
        open_data(find_data(folder, "train", val_fraction=0))
    message = str(caught.value)
    assert "\n" not in message
    for part in ["a.xml", *parts]:
        assert part in message


def test_a_type_cannot_hide_in_another_encoding(voc: Voc) -> None:
    folder = voc(xml(DOG))
    for encoding in ("utf-16", "utf-16-le", "cp037"):
        head = f'<?xml version="1.0" encoding="{encoding}"?>'
        (folder / "Annotations" / "a.xml").write_bytes((head + BOMB + xml(DOG)).encode(encoding))
        with pytest.raises(InputError, match=r"a\.xml.*: (expected XML without|broken XML)"):
            open_data(find_data(folder, "train", val_fraction=0))


def test_lists(voc: Voc) -> None:
    folder = voc(xml(DOG))
    listed = folder / "ImageSets" / "Main" / "train.txt"
    for text, message in (
        ("", "expected the name of an image a line"),
        ("a\na\n", "name 2: expected each name once, got 'a'"),
        ("../c\n", r"name 1: expected a name inside .*got '\.\./c'"),
        ("c\n", r"c\.xml.*: annotation file not found"),
    ):
        listed.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            open_data(find_data(folder, "train", val_fraction=0))
    # Of a path with more folders than any has, the last ones are tried.
    listed.write_text("a\n" + "d/" * 20_000 + "b.png\n", encoding="utf-8")
    data = open_data(find_data(folder, "train", val_fraction=0))
    assert [data.ground_truth(i).file_name for i in (0, 1)] == ["a.jpg", "b.png"]


def test_xml_files_that_are_links_to_another_folder(voc: Voc) -> None:
    folder = voc(xml(DOG))
    elsewhere = folder / "elsewhere.xml"
    (folder / "Annotations" / "a.xml").rename(elsewhere)
    (folder / "Annotations" / "a.xml").symlink_to(elsewhere)
    assert len(open_data(find_data(folder, "train", val_fraction=0))) == 2
