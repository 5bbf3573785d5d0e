"""The options of ``tools/get_data.py``."""

from __future__ import annotations

from otadet.cli.parsers.base import Parser
from otadet.public_data import SOURCES


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Download (resumable), verify and unpack a public data set.",
        epilog="example:\n  python tools/get_data.py voc2007",
    )
    p.add_argument("name", choices=sorted(SOURCES), help="the data set; see datasets/README.md")
    p.add_argument("-o", "--output", default="datasets", metavar="DIR",
                   help="parent of its folder; default: datasets")  # fmt: skip
    p.add_argument("--keep", action="store_true", help="keep the archives after unpacking")
    return p
