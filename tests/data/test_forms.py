"""Data sets as tools and scripts write them are read whole: right image, box, class, findings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from otadet.choices import Split
from otadet.data import FileDataset, find_data, open_data
from otadet.errors import InputError
from tests.data.forms import FORMS, Form
from tests.data.forms.scenes import ALL, COLOURS, NAMES, boxes, pixels, scene_of

Objects = list[tuple[str, tuple[float, ...]]]
SPLITS: tuple[Split, ...] = ("train", "val")
READ = [form for form in FORMS if form.error is None]
REFUSED = [form for form in FORMS if form.error is not None]


def _name(form: Form) -> str:
    return form.name


@pytest.mark.parametrize("form", READ, ids=_name)
def test_read_whole(form: Form, tmp_path: Path) -> None:
    form.write(tmp_path)
    places = [find_data(tmp_path / form.data, split) for split in SPLITS]
    parts = [open_data(place, form.how) for place in places]
    train, val = (_objects(form, data) for data in parts)
    assert sorted([*train, *val]) == list(form.scenes)
    for part, expected in ((train, form.train), (val, form.val)):
        assert len(part) > 0 and (expected is None or sorted(part) == sorted(expected))
    for scene, objects in (train | val).items():
        wanted = [] if scene in form.empty else _painted(form, scene)
        assert [name for name, _ in objects] == [name for name, _ in wanted]
        for (_, sides), (_, painted) in zip(objects, wanted):
            np.testing.assert_allclose(sides, painted, atol=form.tolerance)
    for place, data in zip(places, parts):
        own_order = place.format in ("coco", "yolo")
        names = form.names if own_order else tuple(sorted(form.names))
        assert data.class_names == (form.order or names)
    assert _counts(parts[: 1 if places[0].divide else 2]) == form.findings


@pytest.mark.parametrize("form", REFUSED, ids=_name)
def test_refused(form: Form, tmp_path: Path) -> None:
    form.write(tmp_path)
    with pytest.raises(InputError) as caught:
        for split in SPLITS:
            _objects(form, open_data(find_data(tmp_path / form.data, split), form.how))
    assert re.search(str(form.error), str(caught.value))


@pytest.mark.parametrize("scene", ALL)
def test_scenes_are_told_apart_and_painted_where_their_boxes_are(scene: int) -> None:
    image = pixels(scene)
    assert scene_of(image) == scene
    for label in range(len(NAMES)):
        painted = (image == COLOURS[label]).all(axis=2)
        masks = [box.mask for box in boxes(scene) if box.label == label]
        np.testing.assert_array_equal(painted, np.sum(masks, axis=0))


def _objects(form: Form, data: FileDataset) -> dict[int, Objects]:
    """The objects of each scene, by the pixels of the image that they were given to."""
    found: dict[int, Objects] = {}
    for index in range(len(data)):
        gt, scene = data.ground_truth(index), scene_of(data.load(index).image)
        assert scene not in found, f"scene {scene} is read twice"
        sides, labels = gt.boxes, gt.labels
        if form.ignored:
            assert not len(gt)
            sides, labels = gt.ignore_boxes, _ignored(gt.ignore_labels)
        names = [data.class_names[label] for label in labels.tolist()]
        found[scene] = sorted(zip(names, map(tuple, sides.tolist())))
    return found


def _ignored(labels: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int64]:
    assert labels is not None
    return labels


def _painted(form: Form, scene: int) -> Objects:
    return sorted((form.names[box.label], box.xyxy) for box in boxes(scene))


def _counts(parts: Sequence[FileDataset]) -> dict[str, int]:
    """The number of places of each finding, of all parts together."""
    counts: Counter[str] = Counter()
    for data in parts:
        for finding in data.findings:
            counts[finding.code] += finding.count
    return dict(counts)
