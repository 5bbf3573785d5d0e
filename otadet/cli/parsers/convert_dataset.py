"""The options of ``tools/convert_dataset.py``."""

from __future__ import annotations

from typing import get_args

from otadet.choices import (
    FORMATS,
    DataFormat,
    Difficult,
    Foreign,
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
        description="Convert a data set from any known format to another. Boxes are converted, "
        "segmentation masks are not.",
        epilog="example:\n  python tools/convert_dataset.py datasets/mine mine_coco --to coco",
    )
    p.add_argument("data_dir", help="the data set; see datasets/README.md for its layout")
    p.add_argument("output", help="folder of the new data set")
    p.add_argument("--from", dest="source", default="auto",
                   choices=[*get_args(DataFormat), *get_args(Foreign)], metavar="FORMAT",
                   help=f"format of the annotations: {', '.join(get_args(DataFormat))} (default: "
                   f"found from the files); {', '.join(get_args(Foreign))} with "
                   "pip install 'otadet[formats]'")  # fmt: skip
    p.add_argument("--to", required=True, choices=FORMATS, help="format to write")
    p.add_argument("--images", choices=get_args(ImageMode), default="link",
                   help="symbolic links to the images (default), copies, or nothing")  # fmt: skip
    for split in get_args(Split):
        p.add_argument(f"--{split}-ann", metavar="PATH",
                       help=f"annotations of {split}, relative to data_dir; default: by the "
                       "format's layout")  # fmt: skip
        p.add_argument(f"--{split}-images", metavar="DIR",
                       help=f"images of {split}, relative to data_dir")  # fmt: skip
    p.add_argument("--splits", default="train,val", metavar="NAMES",
                   help="some of train, val; default: those that exist")  # fmt: skip
    p.add_argument("--val-fraction", type=float, default=0.0, metavar="SHARE",
                   help="divide a set without a validation split; default: 0, do not")  # fmt: skip
    p.add_argument(
        "--classes",
        metavar="NAMES",
        help="names in order, comma-separated; category ids then count from 1 in it",
    )
    p.add_argument("--odgt-box", choices=get_args(OdgtBox), default="fbox",
                   help="which of CrowdHuman's boxes; default: fbox, the whole body")  # fmt: skip
    p.add_argument("--difficult", choices=get_args(Difficult), default="ignore",
                   help="VOC's difficult objects: ignore regions (default) or objects")  # fmt: skip
    p.add_argument("--amodal", action="store_true", help="do not clip boxes to their images")
    p.add_argument("--allow-predictions", action="store_true",
                   help="take a detector's labels and drop their confidence")  # fmt: skip
    p.add_argument("--unreadable", choices=get_args(Unreadable), default="stop",
                   help="on a missing or unreadable image: stop or skip it")  # fmt: skip
    p.add_argument(
        "--force", action="store_true",
        help="replace a folder that an earlier conversion has written, if nothing else is in it",
    )  # fmt: skip
    return p
