"""The options of ``tools/demo.py``."""

from __future__ import annotations

from argparse import ArgumentTypeError

from otadet.choices import DEFAULT_SCORE
from otadet.cli.parsers.base import (
    CHECKPOINT_HELP,
    DEVICE_HELP,
    Parser,
    add_csv_guard,
    add_experiment_arguments,
    add_precision_arguments,
    add_test_arguments,
)

_EPILOG = """examples (`otadet demo` is the same command):
  python tools/demo.py image -n ota_nano_cells --path docs/assets/cells.jpg
  python tools/demo.py image -n ota_r50 --path img.jpg
  python tools/demo.py image -c best.pth --path 'photos/*.jpg' --save-csv a.csv
  python tools/demo.py image -c best.pth --path new/ --save-labels yolo
  python tools/demo.py image -c best.pth --path https://example.org/street.jpg
  python tools/demo.py image -c best.pth --path aerial.tif --tile 640
  python tools/demo.py video -c best.pth --path street.mp4 --conf 0.5 -o drawn
  python tools/demo.py webcam -c best.pth --show
  python tools/demo.py stream -c best.pth --path rtsp://camera/live"""


def tile_size(word: str) -> int:
    """Read a number of pixels."""
    if word.isdecimal() and len(word) < 10:
        return int(word)
    raise ArgumentTypeError(
        f"expected a number of pixels, got '{word[:40]}'; tile=auto is a setting of training, and "
        "its checkpoint holds the numbers"
    )


def parser(prog: str | None = None) -> Parser:
    """The command's options."""
    p = Parser(
        prog,
        description="Detect objects in images or videos and draw boxes, names and scores. "
        "Class names, input size and score rule come from the checkpoint.",
        epilog=_EPILOG,
    )
    p.add_argument(
        "mode", choices=["image", "video", "webcam", "stream"],
        help="image: image files; video: a file to an annotated file; webcam, stream: live, always "
        "the newest frame",
    )  # fmt: skip
    add_experiment_arguments(p)
    p.add_argument(
        "--path", action="append", metavar="PATH",
        help="image: image, folder, pattern ('a/*.jpg') or http(s) address, or several; video: "
        "file; stream: address (http, rtsp, ...)",
    )  # fmt: skip
    p.add_argument("-c", "--checkpoint", metavar="FILE", help=CHECKPOINT_HELP)
    p.add_argument("-d", "--device", metavar="D", help=DEVICE_HELP)
    p.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="default: demo/ in the run directory of the checkpoint, or runs/<experiment>/demo",
    )
    p.add_argument(
        "--conf", type=float, metavar="SCORE",
        help="score threshold: lowest score drawn (default: the checkpoint's, of the largest F1 on "
        f"its validation set; {DEFAULT_SCORE} where it holds none)",
    )  # fmt: skip
    add_precision_arguments(p, default="fp32")
    add_test_arguments(p)
    p.add_argument(
        "--labels", choices=["auto", "off"], default="auto",
        help="off draws boxes alone; auto (default) names and scores where there is room",
    )  # fmt: skip
    p.add_argument(
        "--line-width", type=int, metavar="PIXELS", help="of the boxes; default: by the image"
    )
    p.add_argument(
        "--tile", type=tile_size, metavar="N",
        help="cut large images into overlapping tiles of N pixels; 0: do not, although the "
        "checkpoint does (settings tile, tile_overlap; tile=auto of training leaves numbers there)",
    )  # fmt: skip
    p.add_argument(
        "-b", "--batch-size", type=int, metavar="B",
        help="images or frames in one forward pass (default: 8 on a GPU, else 1; live: 1)",
    )  # fmt: skip
    p.add_argument(
        "--save-json", metavar="FILE",
        help="also write COCO results: image, box, score; category ids are those of the training "
        "set",
    )  # fmt: skip
    p.add_argument("--save-csv", metavar="FILE", help="also write a table of the detections")
    add_csv_guard(p)
    p.add_argument(
        "--save-labels", choices=["yolo", "coco", "labelme"],
        help="image: also write a data set with the detections as annotations to be corrected; "
        "its images are links",
    )  # fmt: skip
    p.add_argument(
        "--save-labels-to", metavar="DIR",
        help="folder of that data set, a new one (default: labels_FORMAT/ in the output folder)",
    )  # fmt: skip
    p.add_argument(
        "--annotations", metavar="FILE",
        help="a COCO file, whose image and category ids are written, found by their names",
    )  # fmt: skip
    p.add_argument("--camera", type=int, default=0, metavar="N", help="webcam: its number (0)")
    p.add_argument("--frames", type=int, metavar="N", help="video, live: stop after so many frames")
    p.add_argument("--seconds", type=float, metavar="S", help="video, live: stop after so long")
    p.add_argument(
        "--timeout", type=float, default=10.0, metavar="S",
        help="live: seconds to wait for the connection and for a frame (default 10)",
    )  # fmt: skip
    p.add_argument(
        "--show", action="store_true",
        help="video, live: also in a window (q ends); needs opencv-python, not its headless build",
    )  # fmt: skip
    return p
