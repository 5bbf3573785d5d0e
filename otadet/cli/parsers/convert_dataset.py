"""The options of ``tools/convert_dataset.py``."""

from __future__ import annotations

from typing import get_args

from otadet.choices import (
    FORMATS,
    DataFormat,
    Difficult,
    ImageMode,
    OdgtBox,
    Split,
    Unreadable,
)
from otadet.cli.parsers.base import Parser


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Write a data set of any known format as another. Masks (segmentation) are "
        "not converted, boxes are.",
        epilog="python tools/convert_dataset.py datasets/mine datasets/mine_coco --to coco",
    )
    p.add_argument("data_dir", help="the data set; see datasets/README.md for what lies where")
    p.add_argument("output", help="folder of the new data set")
    p.add_argument("--from", dest="source", choices=get_args(DataFormat), default="auto",
                   help="format of the annotations; default: by what is there")  # fmt: skip
    p.add_argument("--to", required=True, choices=FORMATS, help="format to write")
    p.add_argument("--images", choices=get_args(ImageMode), default="link",
                   help="symbolic links to the pictures (default), copies, or nothing")  # fmt: skip
    for split in get_args(Split):
        p.add_argument(f"--{split}-ann", metavar="PATH",
                       help=f"annotations of {split}, relative to data_dir; default: the format's "
                       "custom")  # fmt: skip
        p.add_argument(f"--{split}-images", metavar="DIR",
                       help=f"pictures of {split}, relative to data_dir")  # fmt: skip
    p.add_argument("--splits", default="train,val", metavar="NAMES",
                   help="some of train, val; default: those that are there")  # fmt: skip
    p.add_argument("--classes", metavar="NAMES", help="names and order, with commas")
    p.add_argument("--odgt-box", choices=get_args(OdgtBox), default="fbox",
                   help="which of CrowdHuman's boxes; default: fbox, the whole body")  # fmt: skip
    p.add_argument("--difficult", choices=get_args(Difficult), default="ignore",
                   help="VOC's difficult objects: ignore regions (default) or objects")  # fmt: skip
    p.add_argument(
        "--amodal", action="store_true", help="do not cut boxes at the pictures' borders"
    )
    p.add_argument("--unreadable", choices=get_args(Unreadable), default="stop",
                   help="what a picture that is missing or cannot be read does")  # fmt: skip
    p.add_argument("--force", action="store_true", help="replace a folder that is there")
    return p
