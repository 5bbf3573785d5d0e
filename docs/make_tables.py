"""Write every table of measured figures in README.md and docs/ from the JSON of the benchmarks.

    python docs/make_tables.py            # rewrite what stands between the markers
    python docs/make_tables.py --check    # exit code 1 where a page differs

A page says where a table goes, and the function of that name in ``docs/page_tables`` makes it:

    <!-- table: finetune -->
    <!-- end -->

The JSON files are ``benchmarks/results/*.json`` and ``docs/assets/*.json``, written by the
benchmark or script that the page names.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from page_tables import ROOT, TABLES

BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """Every page that may hold a table."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def written(text: str) -> str:
    """A page's text with every table made anew."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{TABLES[m[2]]()}\n{m[3]}", text)


def main() -> None:
    """Rewrite the pages, or compare them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="change nothing, exit 1 on a difference"
    )
    check = parser.parse_args().check
    stale = []
    for page in filter(Path.exists, pages()):
        text = page.read_text(encoding="utf-8")
        if (fresh := written(text)) != text:
            stale.append(page)
            if not check:
                page.write_text(fresh, encoding="utf-8")
    for page in stale:
        print(f"{page.relative_to(ROOT)}: {'differs from' if check else 'written from'} the JSON")
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
