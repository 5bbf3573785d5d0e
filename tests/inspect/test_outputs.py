"""JSON, PNG and page hold the values of an inspection."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import otadet.pages
from otadet.inspect.colors import object_colors
from otadet.inspect.outputs import as_dict, write_json, write_pngs
from otadet.inspect.page import write_page
from otadet.inspect.values import Inspection
from otadet.outputs import OutputFolder
from otadet.visualize.assignment import OBJECT_COLORS
from tests.helpers import HOSTILE
from tests.inspect.scenes import crowd, inspected, inspection


def site(path: Path) -> dict[str, Any]:
    """The data of a page."""
    text = path.read_text(encoding="utf-8")
    found = re.search(r'id="inspection">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def unpacked(entry: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(entry["data"])))
    return content


@pytest.fixture(scope="module")
def found() -> Inspection:
    return inspection(
        inspected(crowd(20, 128, seed=1), labels=("step 10", "step 20")),
        inspected(crowd(9, 128, seed=2), labels=("step 10", "step 20"), name="b.png"),
    )


def test_the_page_holds_the_values(found: Inspection, tmp_path: Path) -> None:
    path = write_page(found, tmp_path / "page")
    assert path == tmp_path / "page/index.html"
    data = site(path)
    assert data["snapshots"] == ["step 10", "step 20"] and data["strides"] == [8, 16, 32]
    for entry, image in zip(data["images"], found.images):
        content = unpacked(entry)
        assert np.allclose(content["boxes"], image.boxes, atol=0.05)
        for got, snapshot in zip(content["snapshots"], image.snapshots):
            for one, view in zip(got["views"], snapshot.views):
                assert one["index"] == view.gt_index.tolist()
                assert one["ambiguous"] == np.flatnonzero(view.ambiguous).tolist()
                cost = np.sum(one["pairs"]["parts"], axis=0)
                assert np.allclose(cost, view.pairs.cost, rtol=5e-3, atol=0.011)
                assert np.allclose(one["pairs"]["share"], view.pairs.share, atol=0.0051)
                assert one["objects"]["by_level"] == view.objects.by_level.tolist()
                assert one["totals"]["positives"] == view.totals.positives
        jpeg = np.frombuffer(base64.b64decode(entry["jpeg"]), np.uint8)
        assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape == image.image.shape


def test_sums_of_all_images_are_in_the_page_without_a_script(
    found: Inspection, tmp_path: Path
) -> None:
    text = write_page(found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'data-key="gap"' in text and 'data-key="ignored"' not in text  # it is 0 throughout
    rows = re.findall(r"<tr><td>(\w+)</td>\n(.*?)</tr>", text, re.DOTALL)
    assert [name for name, _ in rows] == ["ota", "simota", "atss", "fcos"]
    for k, (_, cells) in enumerate(rows):
        values = re.findall(r">([^<]*)</td>", cells)
        totals = [image.snapshots[-1].views[k].totals for image in found.images]
        assert values[0] == f"{sum(t.positives for t in totals):,}"
        assert values[1] == f"{sum(t.without_point for t in totals):,}"
        gaps = [t.gap for t in totals if t.gap is not None]
        assert values[4] == (f"{sum(gaps):,.3g}" if gaps else "")
        assert values[5] == f"{max(t.marginal_error for t in totals):,.3g}"


def test_json_holds_all_values(found: Inspection, tmp_path: Path) -> None:
    path = write_json(found, tmp_path / "all.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    image, given = data["images"][0], found.images[0]
    assert image["file_name"] == "image.jpg" and image["size"] == [128, 128]
    assert len(image["objects"]) == 20
    assert [network["name"] for network in image["networks"]] == ["step 10", "step 20"]
    for one, view in zip(image["networks"][1]["assigners"], given.snapshots[1].views):
        assert one["name"] == view.name
        counts = [each["positives"] for each in one["objects"]]
        assert counts == view.objects.positives.tolist()
        index = {point["point"]: point["gt_index"] for point in one["points"]}
        positive = np.flatnonzero(view.gt_index >= 0).tolist()
        assert all(index[point] == view.gt_index[point] for point in positive)
        pairs = [pair for point in one["points"] for pair in point["pairs"]]
        assert [pair["object"] for pair in pairs] == view.pairs.object.tolist()
        assert np.allclose([p["cost"] for p in pairs], view.pairs.cost, rtol=5e-3, atol=0.006)
        for pair in pairs:
            assert list(pair["parts"]) == list(view.part_names)
            assert sum(pair["parts"].values()) == pytest.approx(pair["cost"], rel=0.01, abs=0.02)


def test_png_shows_every_assigner_under_the_last_network(found: Inspection, tmp_path: Path) -> None:
    """Four panels in two rows; a point is drawn in its object's colour."""
    written = write_pngs(found, OutputFolder(tmp_path))
    assert [path.name for path in written] == ["01_image.png", "02_b.png"]
    drawn = cv2.cvtColor(cv2.imread(str(written[0])), cv2.COLOR_BGR2RGB)
    factor, bar = 5, max(24, 640 // 18)  # 128 px are shown at 640
    assert drawn.shape[1] == 2 * (640 + 8)
    top = drawn.shape[0] - 2 * (640 + bar + 8)
    image = found.images[0]
    colors = object_colors(image.boxes)
    hits = total = 0
    for k, view in enumerate(image.snapshots[-1].views):
        left, high = 4 + (k % 2) * 648, top + bar + (k // 2) * (640 + bar + 8)
        for point in np.flatnonzero(view.gt_index >= 0):
            x, y = (image.points.xy[point] * factor).round().int().tolist()
            if x < 640 and y < 640:
                total += 1
                color = OBJECT_COLORS[colors[view.gt_index[point]]]
                hits += tuple(drawn[high + y, left + x].tolist()) == color
    assert total > 100 and hits > 0.8 * total  # others are below a larger mark


def test_colors_of_the_drawing_are_those_of_the_page() -> None:
    text = (Path(otadet.pages.__file__).parent / "style.css").read_text(encoding="utf-8")
    light = re.findall(r"--c\d: light-dark\(#(\w{6})", text)
    assert [tuple(bytes.fromhex(color)) for color in light] == list(OBJECT_COLORS)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """A page with them ends no script early, and files are written where they should be."""
    images = [inspected(crowd(4, 128), name=name) for name in HOSTILE]
    hostile = inspection(*images, title=HOSTILE[0], classes=HOSTILE)
    path = write_page(hostile, tmp_path / "page.html")
    text = path.read_text(encoding="utf-8")
    assert not any(name in text for name in HOSTILE if "<" in name)
    assert [entry["name"] for entry in site(path)["images"]] == list(HOSTILE)
    assert site(path)["classes"] == list(HOSTILE)
    written = write_pngs(hostile, OutputFolder(tmp_path / "png"))
    assert len(set(written)) == len(HOSTILE)
    assert {each.parent for each in written} == {tmp_path / "png"}
    assert all(each.is_file() and len(each.name) < 80 for each in written)
    assert json.loads(json.dumps(as_dict(hostile)))["class_names"] == list(HOSTILE)
