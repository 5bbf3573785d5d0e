"""The page in a browser: what is shown, hovered, filtered, zoomed and switched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otadet.assign import FCOSAssigner
from otadet.cli.inspect import main as inspect
from otadet.inspect.page import write_page
from otadet.inspect.values import Inspection
from tests.browser import Page, needs_browser
from tests.helpers import HOSTILE, SHARED, needs_shared
from tests.inspect.scenes import crowd, inspected, inspection, tiles, with_copies

pytestmark = [pytest.mark.pages, needs_browser]


def shown(browser: Page, path: Path, width: int = 1440, scheme: str = "light") -> None:
    """Open a page and wait for its first image; nothing may fail or be asked for elsewhere."""
    browser.errors.clear()
    browser.requests.clear()
    browser.size(width, 1000, mobile=width < 600)
    browser.media(prefers_color_scheme=scheme)
    browser.open(path)
    browser.wait_for("document.documentElement.dataset.shown !== undefined")
    assert browser.errors == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in browser.requests)


@pytest.fixture(scope="module")
def found() -> Inspection:
    objects = with_copies(crowd(16, 128, seed=1), (4.0, 100.0, 16.0, 112.0), 3)
    return inspection(
        inspected(objects, labels=("step 10", "step 20")),
        inspected(crowd(9, 128, seed=2), labels=("step 10", "step 20"), name="b.png"),
    )


@pytest.fixture(scope="module")
def page(found: Inspection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(found, tmp_path_factory.mktemp("page"))


def point_at(browser: Page, point: int, panel: int = 0) -> tuple[float, float]:
    """Place of an anchor point in the window."""
    left, top, _, _ = browser.box(f".panel:nth-child({panel + 1}) canvas")
    x, y = browser.evaluate(f"placeOf({point}, scaleNow())")
    return left + x, top + y


def details(browser: Page) -> str:
    text: str = browser.evaluate("details.innerText")
    return text


def lone_point(found: Inspection, image: int = 0) -> int:
    """A positive point of OTA that no other positive is near, and not contested."""
    view, given = found.images[image].snapshots[-1].views[0], found.images[image]
    near = given.points.xy.numpy()
    positive = np.flatnonzero(view.gt_index >= 0)
    for point in positive.tolist():
        others = np.delete(near[positive], np.flatnonzero(positive == point), axis=0)
        if np.hypot(*(others - near[point]).T).min() >= 8 and not view.ambiguous[point]:
            return int(point)
    raise AssertionError("no such point")


def test_hovering_a_point_tells_its_costs_under_every_assigner(
    browser: Page, page: Path, found: Inspection
) -> None:
    shown(browser, page)
    assert "Point at a mark or a box" in details(browser)
    point = lone_point(found)
    browser.mouse("Moved", *point_at(browser, point))
    browser.wait_for(f"details.innerText.includes('Point {point}')")
    text = details(browser)
    snapshot = found.images[0].snapshots[-1]
    for view in snapshot.views:
        owner = view.gt_index[point]
        verdict = "background" if owner == -1 else f"#{owner + 1} "
        assert f"{view.name}: {verdict}" in text
        for k in np.flatnonzero(view.pairs.point == point):
            assert f"#{view.pairs.object[k] + 1} " in text
            assert f"{view.pairs.iou[k]:.2f}" in text
    ota = snapshot.views[0]
    (first, *_) = np.flatnonzero(ota.pairs.point == point)
    assert f"{ota.pairs.share[first]:.2f}" in text and "1.5 IoU" in text
    browser.mouse("Moved", 5, 5)
    browser.wait_for("details.innerText.includes('Point at a mark or a box')")


def test_a_point_tells_why_it_went_to_another_than_it_seems(browser: Page, tmp_path: Path) -> None:
    """A share that is less than another one, and a point that was given back."""
    image = inspected(with_copies(crowd(25, 128, seed=1), (4.0, 100.0, 16.0, 112.0), 3))
    shown(browser, write_page(inspection(image), tmp_path))
    ota = image.snapshots[0].views[0]
    pairs, lost, clear = ota.pairs, [], []
    for point in np.unique(pairs.point).tolist():
        shares = dict(zip(pairs.object[pairs.point == point], pairs.share[pairs.point == point]))
        shares[-1] = 1 - sum(shares.values())
        lead = shares[int(ota.gt_index[point])] - max(shares.values())
        if not ota.given_back[point] and (lead == 0 or lead < -0.05):
            (lost if lead else clear).append(point)
    given = np.flatnonzero(ota.given_back)[0]
    divided, back = "Shares are compared after division", "Given so that no object ends without"
    for point, said in ((lost[0], divided), (given, back), (clear[0], "")):
        browser.evaluate(f"keep({{ point: {point} }})")
        text = browser.evaluate("details.querySelector('section').innerText")  # OTA's
        assert [words in text for words in (divided, back)] == [said == divided, said == back]


def test_hovering_a_box_tells_what_the_object_got(
    browser: Page, page: Path, found: Inspection
) -> None:
    shown(browser, page)
    image = found.images[0]
    area = np.prod(image.boxes[:, 2:] - image.boxes[:, :2], axis=1)
    for number in np.argsort(area):  # the smallest lies above the others
        left, top, _, _ = browser.box(".panel canvas")
        spots = browser.evaluate(
            f"(() => {{ const [x, y, w, h] = placeBox(state.image.boxes[{number}], scaleNow());"
            "for (let i = 1; i < 20; i++) for (let j = 1; j < 20; j++) {"
            "const at = [x + w * i / 20, y + h * j / 20];"
            f"if (hit(now().views[0], ...at)?.object === {number}) return at; }} return null; }})()"
        )
        if spots:
            break
    browser.mouse("Moved", left + spots[0], top + spots[1])
    browser.wait_for(f"details.innerText.startsWith('#{number + 1} ')")
    rows: list[str] = browser.evaluate(
        "[...details.querySelectorAll('tbody tr')].map(r => r.innerText)"
    )
    views = image.snapshots[-1].views
    used = [k for k in range(3) if any(view.objects.by_level[number][k] for view in views)]
    for row, view in zip(rows, views):
        o = view.objects
        by_level = row.split("\t")[4].split()
        assert [int(n) for n in by_level] == o.by_level[number][used].tolist()
        assert row.split()[0] == view.name
        assert f"{o.positives[number]} of {o.candidates[number]}" in row
        assert row.split("\t")[1] == f"{o.supply[number]:.4g}"


def test_a_click_keeps_and_escape_lets_go(browser: Page, page: Path, found: Inspection) -> None:
    shown(browser, page)
    point = lone_point(found)
    browser.click(*point_at(browser, point))
    browser.mouse("Moved", 5, 5)
    assert f"Point {point}" in details(browser)
    assert browser.evaluate("details.classList.contains('kept')")
    browser.key("Escape")
    assert "Point at a mark or a box" in details(browser)
    browser.click(*point_at(browser, point))
    browser.click(*point_at(browser, point))
    assert "Point at a mark or a box" in details(browser)


def listed(browser: Page, view: int = 0) -> list[int]:
    points: list[int] = browser.evaluate(f"now().views[{view}].shown")
    return points


def choose(browser: Page, name: str, value: object) -> None:
    """Choose in a list as a person does."""
    browser.evaluate(
        f"(() => {{ const e = document.getElementById({name!r}); e.value = {value!r};"
        "e.dispatchEvent(new Event('input'));"
        "e.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def test_filters_leave_what_they_say(browser: Page, page: Path, found: Inspection) -> None:
    shown(browser, page)
    image = found.images[0]
    view, level = image.snapshots[-1].views[0], image.points.level.numpy()
    positive, contested = view.gt_index >= 0, view.ambiguous
    assert listed(browser) == np.flatnonzero(positive | contested).tolist()
    browser.evaluate("document.querySelector('#levels input').click()")
    assert listed(browser) == np.flatnonzero((positive | contested) & (level > 0)).tolist()
    browser.evaluate("document.querySelector('#levels input').click()")
    choose(browser, "which", "contested")
    assert listed(browser) == np.flatnonzero(contested).tolist()
    choose(browser, "which", "differ")
    index = [np.maximum(each.gt_index, -1) for each in image.snapshots[-1].views]
    differ = np.any([each != index[0] for each in index], axis=0)
    assert listed(browser) == np.flatnonzero(differ & (positive | contested)).tolist()
    choose(browser, "which", "all")
    choose(browser, "class", "1")
    mine = positive & (image.labels[view.gt_index.clip(0)] == 1)
    assert listed(browser) == np.flatnonzero(mine).tolist()
    rows = browser.evaluate(
        "[...document.getElementById('rows').rows].filter(r => !r.hidden).length"
    )
    assert rows == int((image.labels == 1).sum()) < len(image.labels)


def pixels(browser: Page, panel: int = 0) -> list[int]:
    """A panel's colours, one of 97 pixels."""
    values: list[int] = browser.evaluate(
        f"(() => {{ const c = panels[{panel}].canvas; return [...c.getContext('2d').getImageData("
        "0, 0, c.width, c.height).data].filter((_, k) => k % 97 === 0); })()"
    )
    return values


def test_filtered_points_are_not_drawn(browser: Page, page: Path) -> None:
    shown(browser, page)
    before = pixels(browser)
    browser.evaluate("for (const box of document.querySelectorAll('#levels input')) box.click()")
    browser.evaluate("drawNow()")
    without = pixels(browser)
    assert without != before
    browser.evaluate("for (const box of document.querySelectorAll('#levels input')) box.click()")
    browser.evaluate("drawNow()")
    assert pixels(browser) == before


def test_zoom_and_pan_move_all_panels(browser: Page, page: Path) -> None:
    shown(browser, page)
    before = [pixels(browser, k) for k in range(4)]
    left, top, width, height = browser.box(".panel:nth-child(2) canvas")
    x, y = round(left + width / 4), round(top + height / 4)  # the mouse has whole pixels
    place = browser.evaluate(
        f"[({x} - {left} - state.left) / scaleNow(), ({y} - {top} - state.top) / scaleNow()]"
    )
    browser.mouse("Wheel", x, y, deltaX=0, deltaY=-300)
    browser.wait_for("state.zoom > 1.3")
    after = browser.evaluate(
        f"[({x} - {left} - state.left) / scaleNow(), ({y} - {top} - state.top) / scaleNow()]"
    )
    assert after == pytest.approx(place, abs=0.01)  # the place under the pointer stays
    browser.evaluate("drawNow()")
    assert all(pixels(browser, k) != before[k] for k in range(4))
    browser.evaluate("dispatchEvent(new Event('scroll'))")  # the page moves: it keeps the wheel
    zoom = browser.evaluate("state.zoom")
    browser.mouse("Wheel", x, y, deltaX=0, deltaY=-300)
    assert browser.evaluate("state.zoom") == zoom
    start = browser.evaluate("[state.left, state.top]")
    browser.mouse("Pressed", x, y, button="left", clickCount=1)
    browser.mouse("Moved", x + 20, y + 10, button="left", buttons=1)
    browser.mouse("Released", x + 20, y + 10, button="left", clickCount=1)
    assert browser.evaluate("[state.left, state.top]") == pytest.approx(
        [start[0] + 20, start[1] + 10]
    )
    assert browser.evaluate("state.kept") is None  # a drag is no click
    browser.key("0")
    browser.evaluate("drawNow()")
    browser.mouse("Moved", 5, 5)
    browser.evaluate("drawNow()")
    assert [pixels(browser, k) for k in range(4)] == before


def test_keys_walk_over_objects_points_images_and_networks(browser: Page, page: Path) -> None:
    shown(browser, page)
    order = browser.evaluate("state.order")
    browser.key("o")
    assert browser.evaluate("state.kept.object") == order[0]
    assert browser.evaluate("state.zoom") > 1  # it is small
    browser.key("o")
    assert browser.evaluate("state.kept.object") == order[1]
    browser.key("O")
    assert browser.evaluate("state.kept.object") == order[0]
    served = next(k for k in order if browser.evaluate(f"pointsOf(now().views[0], {k}).length") > 1)
    browser.evaluate(f"keep({{ object: {served} }})")
    points = []
    for key in "ppP":
        browser.key(key)
        points.append(browser.evaluate("state.kept.point"))
    assert points[0] == points[2] != points[1]
    assert browser.evaluate(f"{points[:2]}.map(p => now().views[0].index[p])") == [served] * 2
    browser.key(",")
    assert browser.evaluate("[state.snapshot, byId('label').value]") == [0, "step 10"]
    browser.key(",")
    assert browser.evaluate("state.snapshot") == 0  # there is none before
    browser.key("n")
    browser.wait_for("document.documentElement.dataset.shown === '1 0'")
    assert browser.evaluate("document.getElementById('this').textContent") == "b.png, step 10"
    browser.key("n")
    browser.wait_for("document.documentElement.dataset.shown === '0 0'")
    browser.evaluate("panels[0].canvas.focus()")
    browser.key("+")
    before = browser.evaluate("state.left")
    browser.key("ArrowRight")
    assert browser.evaluate("state.left") == before - 60


def test_the_slider_over_time_changes_all(browser: Page, page: Path, found: Inspection) -> None:
    shown(browser, page)
    choose(browser, "snapshot", "0")
    view = found.images[0].snapshots[0].views[1]
    cells = browser.evaluate(
        "[...document.querySelector('#now tbody').rows[1].cells].map(c => c.innerText)"
    )
    assert cells[:3] == ["simota", f"{view.totals.positives:,}", str(view.totals.without_point)]
    caption = browser.evaluate("panels[1].caption.textContent")
    assert caption.startswith(f"{view.totals.positives:,} positives")
    objects = browser.evaluate(
        "[...document.getElementById('rows').rows]"
        ".map(r => [r.cells[0].innerText, r.cells[4].innerText])"
    )
    for name, cell in objects:
        k = int(name.strip().removeprefix("#")) - 1
        count, supply = view.objects.positives[k], view.objects.supply[k]
        assert cell == (f"{count} of {supply:g}" if count < supply else str(count))


def test_objects_without_a_point_are_first_and_a_row_leads_to_its_object(
    browser: Page, page: Path, found: Inspection
) -> None:
    shown(browser, page)
    views = found.images[0].snapshots[-1].views
    bare = np.sum([view.objects.positives == 0 for view in views], axis=0)
    order = browser.evaluate("state.order")
    assert bare[order].tolist() == sorted(bare.tolist(), reverse=True) and bare.max() > 0
    browser.evaluate("document.querySelector('#rows button').click()")
    assert browser.evaluate("state.kept.object") == order[0]
    assert details(browser).startswith(f"#{order[0] + 1} ")
    assert "No point: " in details(browser)


def test_one_panel_alone_fills_the_room(browser: Page, page: Path) -> None:
    shown(browser, page)
    width = browser.evaluate("size.width")
    browser.evaluate("panels[2].button.click()")
    assert browser.evaluate("[visiblePanels().length, visiblePanels()[0].view]") == [1, 2]
    assert browser.evaluate("size.width") > 1.4 * width
    browser.key("o")
    assert browser.evaluate("details.querySelectorAll('tbody tr').length") == 1
    browser.evaluate("panels[2].button.click()")
    assert browser.evaluate("[visiblePanels().length, size.width]") == [4, width]


def test_touch_taps_pans_and_pinches(browser: Page, page: Path, found: Inspection) -> None:
    shown(browser, page, width=390)
    point = lone_point(found)
    x, y = point_at(browser, point)
    browser.touch("Start", (x, y))
    browser.touch("End")
    browser.wait_for(f"state.kept?.point === {point}")
    assert browser.evaluate("getComputedStyle(details).position") == "sticky"
    left, top, width, height = browser.box(".panel canvas")
    x, y = left + width / 2, top + height / 2
    browser.touch("Start", (x - 15, y), (x + 15, y))
    browser.touch("Move", (x - 30, y), (x + 30, y))
    browser.touch("Move", (x - 45, y), (x + 45, y))
    browser.touch("End")
    browser.wait_for("state.zoom > 2")
    assert browser.evaluate("panels[0].canvas.style.touchAction") == "none"
    before = browser.evaluate("[state.left, state.top]")
    browser.touch("Start", (x, y))
    browser.touch("Move", (x + 10, y + 8))
    browser.touch("Move", (x + 20, y + 16))
    browser.touch("End")
    assert browser.evaluate("state.left") > before[0] + 8
    assert browser.evaluate(f"state.kept?.point === {point}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1440])
def test_nothing_overflows_and_hostile_names_stay_text(
    browser: Page, tmp_path: Path, width: int, scheme: str
) -> None:
    images = [inspected(crowd(6, 128, seed=k), name=name) for k, name in enumerate(HOSTILE)]
    path = write_page(inspection(*images, title=HOSTILE[0], classes=HOSTILE[:2]), tmp_path)
    shown(browser, path, width, scheme)
    assert browser.overflow == 0
    assert browser.evaluate("document.title") == HOSTILE[0]
    assert (
        browser.evaluate("document.querySelectorAll('main img, main script:not([id])').length") == 0
    )
    for k, name in enumerate(HOSTILE):
        browser.evaluate(f"openAt({k})")
        browser.wait_for(f"document.documentElement.dataset.shown.startsWith('{k} ')")
        assert browser.evaluate("document.getElementById('this').textContent") == name
        browser.key("o")
        assert any(label in browser.evaluate("details.textContent") for label in HOSTILE[:2])
        assert browser.overflow == 0
    assert browser.errors == []


def test_the_theme_changes_the_panels(browser: Page, page: Path) -> None:
    shown(browser, page)
    light = pixels(browser)
    browser.evaluate("document.querySelector('button.theme').click()")
    browser.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    dark = pixels(browser)
    assert np.mean(dark) < np.mean(light) - 30


def test_it_prints(browser: Page, page: Path) -> None:
    shown(browser, page)
    browser.media("print")
    assert browser.evaluate("getComputedStyle(details).display") == "none"
    assert browser.evaluate("getComputedStyle(document.getElementById('bar')).display") == "none"
    pdf = browser.call("Page.printToPDF")["data"]
    browser.media()
    assert len(pdf) > 20_000


TIMES = """(async () => {
  const times = [];
  for (let k = 0; k < 30; k++) {
    STEP;
    const start = performance.now();
    drawNow();
    times.push(performance.now() - start);
    await new Promise(requestAnimationFrame);
  }
  return times.sort((a, b) => a - b);
})()"""


def test_ten_thousand_points_are_smooth(browser: Page, tmp_path: Path) -> None:
    """Drawn by a CPU without a GPU; the quarter of the frames that others disturb least."""
    rule = FCOSAssigner(radius=None, min_positives=0)
    image = inspected(tiles(17, 800), 800, assigners={"fcos": rule})
    assert image.snapshots[0].views[0].totals.positives == 10_000
    shown(browser, write_page(inspection(image), tmp_path))
    for step in ("0", "panBy(k % 2 ? 9 : -9, 3, size)", "zoomTo(state.zoom * 1.02, 99, 99, size)"):
        browser.evaluate("zoomBy(1.2)" if step != "0" else "0")
        times: list[Any] = browser.evaluate(TIMES.replace("STEP", step))
        assert times[len(times) // 4] < 16, (step, times)


@needs_shared
def test_ten_images_of_a_crowd_are_small_and_soon_there(browser: Page, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    words = ["-c", str(SHARED / "weights/yolox_nano_coco.pth"), "-d", "cpu", "--page", str(path)]
    assert inspect([*words, f"data_dir={SHARED / 'data/nuclei'}", "--split", "train"]) == 0
    assert path.stat().st_size < 5_000_000
    paints = []
    for _ in range(3):
        shown(browser, path)
        paints.append(browser.evaluate("performance.getEntriesByType('paint')[0].startTime"))
    assert min(paints) < 1000
    assert browser.evaluate("site.images.length") == 10
    assert browser.evaluate("Math.max(...site.images.map((_, k) => k))") == 9
