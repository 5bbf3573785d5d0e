r"""Figure of docs/inspect.md: the page of one image of blood cells, with a contested point kept.

    python -m docs.inspect_figure -c runs/finetune_nano/best.pth data_dir=my/bccd

The checkpoint is that of the first command of docs/finetuning.md, the words are those of
``otadet inspect``. Needs Chromium.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from otadet.cli.inspect import main as inspect
from tests.browser import browser_page, show

OUTPUT = Path(__file__).parent / "assets" / "inspect.png"
HEIGHT = 990
KEEP = """(() => {
  const all = now().views, rivals = (p) => all.reduce((n, view) => n + pairsOf(view, p).length, 0);
  const points = all[0].shown.filter((p) => all[0].index[p] >= 0 && all[0].contested[p]);
  keep({ point: points.sort((a, b) => rivals(b) - rivals(a))[0] });
})()"""
"""Keeps the contested point that most objects could have, over all assigners."""


def main(words: list[str]) -> None:
    """Write the page and its picture."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        inspect([*words, "-d", "cpu", "--images", "1", "--page", str(page)])
        with browser_page(Path(folder) / "profile") as browser:
            show(browser, page)
            browser.size(1440, HEIGHT)
            browser.wait_for("document.documentElement.dataset.shown !== undefined")
            browser.evaluate(KEEP)
            browser.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
            browser.screenshot(OUTPUT)
    Image.open(OUTPUT).convert("RGB").quantize(200).save(OUTPUT, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
