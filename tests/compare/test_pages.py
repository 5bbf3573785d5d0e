"""What a comparison says: sentences, Markdown, and the page in a browser."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from otadet.compare.markdown import as_markdown
from otadet.compare.page import as_page
from otadet.compare.result import Spread
from otadet.compare.wording import headline, percent, spread, verdict
from tests.browser import Page, needs_browser
from tests.compare.made import comparison, pair
from tests.helpers import HOSTILE

in_a_browser = [pytest.mark.pages, needs_browser]


def test_sentences_claim_what_is_shown_and_no_more() -> None:
    shown = pair("simota", "ota", 0.003, 0.021, ahead="simota")
    assert verdict(shown) == "simota is ahead of ota by 1.2 AP (95 %: 0.3 to 2.1)"
    lower = pair("simota", "ota", -0.021, -0.003, ahead="ota")
    assert verdict(lower) == "ota is ahead of simota by 1.2 AP (95 %: 0.3 to 2.1)"
    noise = pair("simota", "ota", -0.002, 0.009)
    assert verdict(noise) == "no difference shown between simota and ota: -0.2 to 0.9 AP"
    corrected = pair("simota", "ota", 0.001, 0.02)  # without 0, but not after Holm
    assert verdict(corrected) == "no difference shown between simota and ota: 0.1 to 2.0 AP"
    alone = replace(shown, seeds=(0,))
    assert "one seed each, which shows nothing of others" in verdict(alone)
    assert "two seeds each, which are too few" in verdict(replace(shown, seeds=(0, 1)))


def test_the_headline_names_whom_the_best_is_ahead_of() -> None:
    result = comparison()
    assert headline(result) == "simota is ahead of ota in AP; no difference to fcos is shown."
    assert result.winner("AP") is None
    first = replace(result.pairs[0], ahead="simota")
    all_won = replace(result, pairs=[first, *result.pairs[1:]])
    assert headline(all_won) == "simota is ahead of fcos and ota in AP."
    assert all_won.winner("AP") == "simota"
    nothing = replace(result, pairs=[replace(each, ahead=None) for each in result.pairs])
    assert headline(nothing) == (
        "No difference in AP is shown between simota, the highest, and fcos or ota."
    )
    other = replace(nothing, pairs=[*nothing.pairs[:2], replace(result.pairs[2], ahead="fcos")])
    assert headline(other) == (
        "No difference in AP is shown between simota, the highest, and fcos or ota; fcos is ahead "
        "of ota."
    )


def test_numbers() -> None:
    assert percent(-0.0001) == "0.0" and percent(0.0123, sign=True) == "+1.2"
    assert spread(Spread((0.3, 0.32))) == "31.0 ± 1.4" and spread(Spread((0.3,))) == "30.0"
    assert spread(None) == "-"


def test_markdown_holds_tables_and_names_what_is_not_equal() -> None:
    text = as_markdown(comparison())
    assert text.startswith("# 3 methods on cells\n\n**simota is ahead of ota in AP")
    assert "| simota | 33.2 ± 1.1 | 33.2 ± 1.1 | 3 |" in text
    assert "| network | no | simota alone: head.quality_out.weight |" in text
    assert "- failed: ota, seed 3: train was killed by SIGKILL" in text
    for block in text.split("\n\n"):
        widths = {line.count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, block


def test_hostile_names_stay_text_in_markdown() -> None:
    for name in (*HOSTILE, "a | b"):
        text = as_markdown(comparison(one=name))
        assert "<script>" not in text and "<img" not in text
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert all(line.endswith("|") for line in rows)


def test_the_result_is_json() -> None:
    found = json.loads(json.dumps(comparison().as_dict()))
    assert found["methods"][0]["metrics"]["AP"] == {
        "mean": pytest.approx(0.332), "deviation": pytest.approx(0.010536, abs=1e-6),
        "values": [pytest.approx(v + 0.02) for v in (0.301, 0.322, 0.313)],
    }  # fmt: skip
    assert found["methods"][0]["curves"]["AP"]["high"] == [0.15, 0.25, 0.35]
    assert found["pairs"][1]["ahead"] == "simota"


class Tags(HTMLParser):
    """Names of the tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


def test_hostile_names_add_no_tag_to_the_page() -> None:
    plain = Tags(as_page(comparison())).found
    for name in HOSTILE:
        assert Tags(as_page(comparison(one=name))).found == plain


class TestInABrowser:
    pytestmark = in_a_browser

    @pytest.mark.parametrize("width", [390, 1440])
    @pytest.mark.parametrize("dark", [False, True])
    def test_it_fits_and_loads_nothing(
        self, browser: Page, tmp_path: Path, width: int, dark: bool
    ) -> None:
        path = tmp_path / "comparison.html"
        path.write_text(as_page(comparison(*HOSTILE[2:5])), encoding="utf-8")
        browser.errors.clear()
        browser.requests.clear()
        browser.size(width, 900, mobile=width < 600)
        browser.media(prefers_color_scheme="dark" if dark else "light")
        browser.open(path)
        browser.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        assert browser.errors == [] and browser.overflow == 0
        assert all(url.startswith(("file:", "data:")) for url in browser.requests)

    def test_intervals_are_where_the_scale_says(self, browser: Page, tmp_path: Path) -> None:
        path = tmp_path / "comparison.html"
        path.write_text(as_page(comparison()), encoding="utf-8")
        browser.size(1440, 900)
        browser.open(path)
        left = "e => e.getBoundingClientRect().left"
        ends = browser.evaluate(f"[...document.querySelectorAll('.sentence .bar')].map({left})")
        zero = browser.evaluate(f"({left})(document.querySelector('.sentence .zero'))")
        assert [end > zero for end in ends] == [False, True, False]
        shown = "[...document.querySelectorAll('.sentence .strip.shown .label')]"
        assert browser.evaluate(f"{shown}.map(e => e.textContent)") == ["simota − ota"]
        assert browser.evaluate("document.querySelectorAll('.scores .shown').length") == 0
        assert browser.evaluate("document.querySelectorAll('.chart svg').length") == 2
