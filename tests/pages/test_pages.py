"""The parts of all pages, as a browser shows them."""

from __future__ import annotations

import math
from pathlib import Path

import jinja2
import numpy as np
import pytest

from otadet.pages import Chart, Figure, Mark, Series, histogram, jpeg_base64, render_page
from otadet.texts import one_line
from tests.browser import Page, needs_browser, show
from tests.helpers import HOSTILE

TEMPLATE = Path(__file__).parent / "test_parts.html.j2"

in_a_browser = [pytest.mark.pages, needs_browser]


def page(folder: Path) -> Path:
    steps = list(range(0, 1000, 10))
    falling = [math.exp(-s / 300) + 0.2 * (s // 10 % 2) for s in steps]
    validation = Series(
        "loss, validation", [300, 600, 990], [0.5, float("nan"), 0.3], 0, True, True
    )
    charts = [
        Chart("loss", "step", [Series("loss", steps, falling, smooth=True), validation], "steps"),
        Chart("AP", "step", [Series("AP", [300, 600], [0.2, 0.4], 1, True)], "steps",
              [Mark(600, "best")], y_max=1),
    ]  # fmt: skip
    image = np.full((60, 80, 3), 200, np.uint8)
    rows = [(name, value, value / 12) for name, value in zip(HOSTILE, (3, 12, 0.5, 7, 1, 2))]
    text = render_page(
        TEMPLATE, title=HOSTILE[0], charts=charts, rows=rows,
        sides=histogram(np.arange(50.0), "sides", "px"),
        images=[Figure(name, name, jpeg_base64(image)) for name in HOSTILE],
    )  # fmt: skip
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_name_that_the_template_lacks_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="title"):
        render_page(TEMPLATE)


def test_a_long_series_keeps_its_ends_its_mean_and_its_range() -> None:
    y = np.sin(np.arange(123_457) / 900)
    y[5000] = 9.0
    found = Series("loss", range(1, 123_458), y.tolist()).as_dict()
    assert len(found["x"]) == len(found["y"]) == 1000
    assert found["x"][0] < 200 and found["x"][-1] > 123_200
    assert abs(np.mean(found["y"]) - y.mean()) < 1e-3
    assert max(found["high"]) == 9.0 and min(found["low"]) == pytest.approx(-1, abs=1e-3)
    assert Series("a", [1, 2], [float("inf"), float("nan")]).as_dict()["y"] == [None, None]


class TestInABrowser:
    pytestmark = in_a_browser

    @pytest.mark.parametrize("width", [390, 1440])
    @pytest.mark.parametrize("dark", [False, True])
    def test_hostile_names_are_text_and_nothing_overflows(
        self, browser: Page, tmp_path: Path, width: int, dark: bool
    ) -> None:
        show(browser, page(tmp_path), width, dark)
        assert browser.overflow == 0
        assert browser.evaluate("document.title") == HOSTILE[0]
        cells = browser.evaluate("[...document.querySelectorAll('.list tbody td:first-child')]"
                            ".map(e => e.textContent)")  # fmt: skip
        assert set(cells) == {one_line(name) for name in HOSTILE}
        color = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        assert color == ("rgb(22, 24, 27)" if dark else "rgb(255, 255, 255)")

    def test_the_button_changes_the_theme(self, browser: Page, tmp_path: Path) -> None:
        show(browser, page(tmp_path))
        color = "getComputedStyle(document.body).backgroundColor"
        before = browser.evaluate(color)
        browser.evaluate("document.querySelector('.theme').click()")
        assert browser.evaluate(color) != before
        browser.evaluate("document.querySelector('.theme').click()")
        assert browser.evaluate(color) == before

    def test_curves_are_read_by_mouse_and_keys(self, browser: Page, tmp_path: Path) -> None:
        show(browser, page(tmp_path))
        values = "[...document.querySelectorAll('.legend output')].map(e => e.value)"
        assert browser.evaluate(values)[1:] == ["0.3", "0.4"]  # the last values
        left, top, width, height = browser.box(".chart svg")
        x = left + 52 + (width - 52 - 14) * 300 / 990
        browser.mouse("Moved", x, top + height / 2)
        assert browser.evaluate(values) == ["0.3679", "0.5", "0.2"]  # all charts of the group
        browser.evaluate("document.querySelector('.chart svg').focus()")
        browser.key("ArrowRight")
        assert browser.evaluate(values)[0] == "0.5558"
        browser.mouse("Moved", 1, 1)
        assert browser.evaluate(values)[1] == "0.3"

    def test_zoom_smoothing_scale_and_legend(self, browser: Page, tmp_path: Path) -> None:
        show(browser, page(tmp_path))
        left, top, width, height = browser.box(".chart svg")
        across, y = width - 52 - 14, top + height / 2
        browser.mouse("Moved", left + 52 + across * 0.25, y)
        browser.mouse("Pressed", left + 52 + across * 0.25, y, button="left", clickCount=1)
        browser.mouse("Moved", left + 52 + across * 0.5, y, buttons=1)
        browser.mouse("Released", left + 52 + across * 0.5, y, button="left", clickCount=1)
        axis = "[...document.querySelectorAll('.chart:nth-child(N) svg text[text-anchor=middle]')]"
        for chart in ("1", "2"):
            ticks = browser.evaluate(f"{axis}.map(e => +e.textContent)".replace("N", chart))
            assert len(ticks) >= 2 and min(ticks) >= 240 and max(ticks) <= 500
        browser.evaluate("document.querySelector('[data-reset]').click()")
        assert max(browser.evaluate(f"{axis}.map(e => +e.textContent)".replace("N", "1"))) > 700

        set_to = "(e => { e.value = VALUE; e.dispatchEvent(new Event('input')); })"
        smooth = "(document.querySelector('[data-smooth]'))"
        browser.evaluate(set_to.replace("VALUE", "0.9") + smooth)
        assert browser.evaluate("document.querySelectorAll('.chart .raw').length") == 1
        last = float(browser.evaluate("document.querySelector('.legend output').value"))
        assert 0.12 < last < 0.2  # the raw curve ends at 0.2369, between 0.03 and 0.24
        browser.evaluate("document.querySelector('[data-log]').click()")
        ends = "[...document.querySelectorAll('.chart svg text[text-anchor=end]')]"
        levels = browser.evaluate(f"{ends}.map(e => e.textContent)")
        assert {"0.2", "0.5"} <= set(levels)
        browser.evaluate("document.querySelector('.legend button').click()")
        assert (
            browser.evaluate("document.querySelectorAll('.chart:first-child .curve').length") == 1
        )
        assert browser.errors == []

    def test_tables_sort_and_are_filtered(self, browser: Page, tmp_path: Path) -> None:
        show(browser, page(tmp_path))
        numbers = "[...document.querySelectorAll('tbody tr td.number')].map(e => +e.textContent)"
        button = "document.querySelector('th.number button').click()"
        browser.evaluate(button)
        assert browser.evaluate(numbers) == [12, 7, 3, 2, 1, 0.5]
        browser.evaluate(button)
        assert browser.evaluate(numbers) == [0.5, 1, 2, 3, 7, 12]
        browser.evaluate("(e => { e.value = '<SCRIPT>'; e.oninput(); })"
                    "(document.querySelector('[data-filter]'))")  # fmt: skip
        assert browser.evaluate("document.querySelector('[role=status]').textContent") == "1 of 6"

    def test_images_are_enlarged(self, browser: Page, tmp_path: Path) -> None:
        show(browser, page(tmp_path))
        browser.evaluate("document.querySelector('img.zoomable').click()")
        caption = "document.querySelector('dialog p').textContent.trim()"
        assert browser.evaluate("document.querySelector('dialog').open")
        assert browser.evaluate(caption) == HOSTILE[0]
        browser.key("ArrowLeft")
        assert browser.evaluate(caption) == one_line(HOSTILE[-1])
        browser.key("Escape")
        assert not browser.evaluate("document.querySelector('dialog').open")
