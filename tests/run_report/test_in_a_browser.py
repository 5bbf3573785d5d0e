"""The report as a browser shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otadet.pages import ImagePair, Shape, jpeg_base64, render_page
from otadet.run_report import gather, open_run
from otadet.texts import one_line
from tests.browser import Page, needs_browser, show
from tests.helpers import HOSTILE

pytestmark = [pytest.mark.pages, needs_browser]
PAIRS = Path(__file__).parent / "test_pairs.html.j2"


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_and_escapes(browser: Page, finished: Path, width: int, dark: bool) -> None:
    page = finished / "run/report.html"
    show(browser, page, width, dark)
    assert browser.overflow == 0 and page.stat().st_size < 5e6
    assert browser.evaluate("document.title") == "run: quickstart"
    names = browser.evaluate("[...document.querySelectorAll('bdi')].map(e => e.textContent)")
    assert {one_line(HOSTILE[0]), one_line(HOSTILE[4])} <= set(names)
    assert any(name.startswith("<i onload") for name in names)
    targets = "[...document.querySelectorAll('.contents a')].map(e => e.getAttribute('href'))"
    for target in browser.evaluate(targets):
        assert browser.evaluate(f"Boolean(document.querySelector('{target}'))"), target
    painted = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
    assert browser.evaluate(painted) < 1000


def test_every_chart_is_drawn_and_read(browser: Page, finished: Path) -> None:
    show(browser, finished / "run/report.html")
    scores = gather(open_run(finished / "run")).scores
    assert scores is not None
    charts = browser.evaluate("document.querySelectorAll('figure.chart').length")
    drawn = browser.evaluate("document.querySelectorAll('figure.chart svg .axis').length")
    assert charts >= 12 and drawn > 2 * charts
    marks = browser.evaluate("[...document.querySelectorAll('.chart svg text')].map(e => "
                             "e.textContent).filter(t => t.startsWith('best.pth'))")  # fmt: skip
    assert len(marks) >= 2


def test_printing_keeps_everything_on_paper(browser: Page, finished: Path) -> None:
    show(browser, finished / "run/report.html", dark=True)
    browser.media("print", prefers_color_scheme="dark")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert browser.evaluate("getComputedStyle(document.querySelector('.tools')).display") == "none"
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    stages = "document.querySelectorAll('.stage').length"
    pairs = browser.evaluate("document.querySelectorAll('.pair').length")
    assert browser.evaluate(stages) == 2 * pairs > 0
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    assert browser.evaluate(stages) == pairs


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """One image with an object found at 0.8, one at 0.4, one never; two false alarms."""
    truth = [
        Shape((10.0, 10.0, 50.0, 50.0), "hit", "ant", "ant, found with score 0.80", 0.8),
        Shape((100.0, 10.0, 50.0, 50.0), "missed", "bee", "bee, found with score 0.40", 0.4),
        Shape((200.0, 10.0, 50.0, 50.0), "missed", "bee", "bee, not found", -1.0),
        Shape((10.0, 100.0, 90.0, 50.0), "ignored", "", "ignored", -1.0),
    ]
    found = [
        Shape((12.0, 10.0, 50.0, 50.0), "hit", "ant 0.80", "ant 0.80, IoU 0.92", 0.8),
        Shape((100.0, 12.0, 50.0, 50.0), "hit", "bee 0.40", "bee 0.40, IoU 0.92", 0.4),
        Shape((200.0, 100.0, 50.0, 50.0), "false", "ant 0.60", "ant 0.60, false alarm", 0.6),
        Shape((260.0, 100.0, 30.0, 50.0), "false", "ant 0.30", "ant 0.30, false alarm", 0.3),
    ]
    image = np.full((180, 320, 3), 128, np.uint8)
    pair = ImagePair("a.jpg", "1 hit", jpeg_base64(image), 320, 180, truth, found)
    path = tmp_path / "pairs.html"
    path.write_text(render_page(PAIRS, pairs=[pair], score=0.5), encoding="utf-8")
    return path


def kinds(browser: Page, half: str) -> list[str]:
    """Kinds of the boxes that are shown in a half, by their place in the file."""
    shown = f"[...document.querySelectorAll('.stage .{half} g')]"
    return browser.evaluate(
        f"{shown}.filter(g => g.style.display !== 'none').map(g => g.getAttribute('class'))"
    )


def test_the_score_threshold_moves_hits_alarms_and_misses(browser: Page, pairs: Path) -> None:
    show(browser, pairs)
    assert kinds(browser, "truth") == ["hit", "missed", "missed", "ignored"]
    assert kinds(browser, "found") == ["hit", "false"]
    move = "(e => {{ e.value = {}; e.dispatchEvent(new Event('input')); }})"
    move += "(document.querySelector('[data-score]:not(g)'))"
    browser.evaluate(move.format(0.35))
    assert kinds(browser, "truth") == ["hit", "hit", "missed", "ignored"]
    assert kinds(browser, "found") == ["hit", "hit", "false"]
    browser.evaluate(move.format(0.9))
    assert kinds(browser, "truth") == ["missed", "missed", "missed", "ignored"]
    assert kinds(browser, "found") == []
    browser.evaluate("document.querySelector('[data-split]').click()")
    browser.evaluate(move.format(0.5))
    assert kinds(browser, "found") == ["hit", "false"] * 2  # both copies
    dashes = "g => getComputedStyle(g.lastElementChild.previousElementSibling).strokeDasharray"
    drawn = browser.evaluate(
        f"[...document.querySelectorAll('.truth g, .found g')].map({dashes}).slice(0, 3)"
    )
    assert drawn[0] == "none" and len({*drawn[:2]}) == 2


def test_the_slider_divides_the_image(browser: Page, pairs: Path) -> None:
    show(browser, pairs)
    left, top, width, height = browser.box(".stage")
    y = top + height / 2
    browser.mouse("Moved", left + width / 2, y)
    browser.mouse("Pressed", left + width / 2, y, button="left", buttons=1, clickCount=1)
    browser.mouse("Moved", left + width * 0.25, y, button="left", buttons=1)
    browser.mouse("Released", left + width * 0.25, y, button="left", clickCount=1)
    cut = browser.evaluate("document.querySelector('.stage').style.getPropertyValue('--cut')")
    assert float(cut.rstrip("%")) == pytest.approx(25, abs=2)
    clip = browser.evaluate("getComputedStyle(document.querySelector('.found')).clipPath")
    assert float(clip.removesuffix("%)").split(" ")[-1]) == pytest.approx(25, abs=2)
    narrow = browser.box(".pair")[2]
    browser.evaluate("document.querySelector('[data-larger]').click()")
    assert browser.box(".pair")[2] > 1.5 * narrow
    assert browser.errors == []
