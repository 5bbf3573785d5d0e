"""The options of ``tools/get_data.py``."""

from __future__ import annotations

from otadet.cli.parsers.base import Parser
from otadet.public_data import SOURCES


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Fetch a public data set: resumed where it was cut off, checked, unpacked.",
        epilog="python tools/get_data.py voc2007",
    )
    p.add_argument("name", choices=sorted(SOURCES), help="the data set; see datasets/README.md")
    p.add_argument("-o", "--output", default="datasets", metavar="DIR",
                   help="where its folder is made; default: datasets")  # fmt: skip
    p.add_argument("--keep", action="store_true", help="keep the archives after unpacking")
    return p
