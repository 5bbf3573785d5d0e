"""Detect with an ONNX file of otadet: numpy, OpenCV and onnxruntime, nothing else.

    python demo/onnxruntime/detect.py --model ota_r50.onnx --path PICTURE_OR_FOLDER_OR_VIDEO

Whatever it has to know (class names, size, colours, thresholds) it reads from the file.
"""

from __future__ import annotations

import argparse
import colorsys
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import onnxruntime

ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
VIDEO_ENDINGS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
FORMAT = 1
"""The version of the metadata that this script reads."""


MARK = b"otadet"
COMMENT = b"\xff\xd8\xff\xfe\x00\x08" + MARK
"""How the JPEGs of this script begin: with a comment."""
BOX = b"\x00\x00\x00\x0efree" + MARK
"""How its videos end: with a box that players pass over."""
ROWS = (b"[]\n", b'[\n {\n  "file": "')
"""How its JSON begins."""

DEFAULT_SCORE = 0.3
"""Score threshold where neither ``--conf`` nor the file says one."""


def is_whole(value: object, low: int, high: int) -> bool:
    """Whether it is a whole number in this range."""
    return type(value) is int and low <= value <= high


def is_share(value: object) -> bool:
    """Whether it is a number from 0 to 1."""
    return type(value) in (int, float) and 0 <= value <= 1  # type: ignore[operator]


def is_list(value: object, holds: Callable[[Any], bool]) -> bool:
    """Whether it is a list of such values, and not empty."""
    return isinstance(value, list) and bool(value) and all(map(holds, value))


def is_size(value: object) -> bool:
    """Whether it is a height and a width of an image that fits into the memory."""
    sides = is_list(value, lambda side: is_whole(side, 1, 1 << 20)) and len(value) == 2  # type: ignore[arg-type]
    return sides and value[0] * value[1] <= 1 << 28  # type: ignore[index]


def is_tiles(value: object) -> bool:
    """Whether it says how images are cut into tiles."""
    return (
        isinstance(value, dict)
        and is_whole(value.get("size"), 32, 1 << 20)
        and is_whole(value.get("overlap"), 0, (value["size"] - 1) // 2)
        and type(value.get("whole")) is bool
    )


RULES: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("class_names", "names", lambda v: is_list(v, lambda name: isinstance(name, str))),
    ("output", "detections or points", lambda v: v in ("detections", "points")),
    ("input.type", "uint8 or float32", lambda v: v in ("uint8", "float32")),
    ("input.color_order", "RGB or BGR", lambda v: v in ("RGB", "BGR")),
    ("input.multiple", "1 to 1024", lambda v: is_whole(v, 1, 1024)),
    ("resize.rule", "letterbox or shortest", lambda v: v in ("letterbox", "shortest")),
    ("resize.size", "a height and a width of at most 2^28 pixels", is_size),
    ("resize.padding", "0 to 255", lambda v: is_whole(v, 0, 255)),
    ("strides", "numbers from 1 to 1024", lambda v: is_list(v, lambda s: is_whole(s, 1, 1024))),
    ("thresholds.score", "0 to 1", is_share),
    ("thresholds.nms", "0 to 1", is_share),
    ("thresholds.max_detections", "1 to a million", lambda v: is_whole(v, 1, 1_000_000)),
    ("thresholds.candidates", "1 to a million", lambda v: is_whole(v, 1, 1_000_000)),
    # Not in older files.
    ("thresholds.default_score", "0 to 1", lambda v: v is None or is_share(v)),
    ("point_labels", "all or best", lambda v: v in (None, "all", "best")),
    ("category_ids", "whole numbers", lambda v: v is None or is_list(v, lambda i: type(i) is int)),
    ("tiles", "a size, an overlap of less than half, whole", lambda v: v is None or is_tiles(v)),
)
"""What the metadata have to hold: place, words for it, and the check."""


def read_metadata(path: Path, entries: dict[str, str]) -> dict[str, Any]:
    """The entries that this script uses, read and checked.

    Raises:
        ValueError: one is missing or wrong.
    """
    names = {place.partition(".")[0] for place, *_ in RULES} | {"otadet_export", "otadet_version"}
    about = {name: decoded(path, name, entries[name]) for name in names & entries.keys()}
    if not is_whole(about["otadet_export"], 1, FORMAT):
        raise ValueError(
            f"{path}: metadata of version {about['otadet_export']!r:.20}, written by otadet "
            f"{about.get('otadet_version')!r:.20}; this script reads up to {FORMAT}"
        )
    for place, expected, holds in RULES:
        value: Any = about
        for key in place.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not holds(value):
            raise ValueError(
                f"{path}: metadata, {place}: expected {expected}, got {type(value).__name__} "
                f"{value!a:.60}"
            )
    if len(about.get("category_ids") or about["class_names"]) != len(about["class_names"]):
        raise ValueError(f"{path}: metadata, category_ids: expected one a class")
    return about


def decoded(path: Path, name: str, text: str) -> Any:
    """The value of an entry."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: metadata, {name}: expected JSON") from None


class Found(NamedTuple):
    """Detections of an image: boxes ``[N, 4]`` xyxy in its pixels, scores, classes."""

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


SLACK, TOUCH, INSIDE = 8.0, 3.0, 0.6
"""Pixels by which a box may miss its tile's core; pixels from a border within which it is cut; a
cut box of which a larger share lies inside a better one is a part of that one."""


class Tile(NamedTuple):
    """Left, top, right, bottom of a tile, and of the part of it that no other tile is nearer to."""

    box: tuple[int, int, int, int]
    core: tuple[float, float, float, float]


def spans(length: int, size: int, overlap: int) -> list[tuple[int, int, float, float]]:
    """Begin and end of each tile along a side, and of its core; the last tile is moved in."""
    last = max(0, length - size)
    starts = [*range(0, last, size - overlap), last]
    ends = [min(start + size, length) for start in starts]
    cuts = [0.0, *((end + start) / 2 for end, start in zip(ends, starts[1:])), float(length)]
    return list(zip(starts, ends, cuts, cuts[1:]))


def tiles_of(height: int, width: int, size: int, overlap: int) -> list[Tile]:
    """The tiles of an image, row by row."""
    return [
        Tile((left, top, right, bottom), (x1, y1, x2, y2))
        for top, bottom, y1, y2 in spans(height, size, overlap)
        for left, right, x1, x2 in spans(width, size, overlap)
    ]


def merge(
    found: list[Found],
    tiles: list[Tile],
    size: tuple[int, int],
    overlap: int,
    whole: Found | None,
    threshold: float,
) -> Found:
    """Detections of tiles, and of the whole image, as those of the image of ``size`` (h, w).

    A tile answers for what has its centre in its core and for what is larger than the overlap. A
    box that its border cuts gives way to a better one that holds most of it. Then NMS.
    """
    parts, cut, frames = [], [], [tile.box for tile in tiles]
    for each, tile in zip(found, tiles):
        center = (each.boxes[:, :2] + each.boxes[:, 2:]) / 2
        low, high = np.subtract(tile.core[:2], SLACK), np.add(tile.core[2:], SLACK)
        mine = ((center >= low) & (center <= high)).all(axis=1) | (longer(each) > overlap)
        parts.append(Found(*(column[mine] for column in each)))
        cut.append(is_cut(parts[-1].boxes, tile, size))
    if whole is not None:  # smaller objects lie whole in a tile
        parts.append(Found(*(column[longer(whole) > overlap] for column in whole)))
        cut.append(np.zeros(len(parts[-1].scores), bool))
        frames.append((0, 0, size[1], size[0]))
    source = np.repeat(np.arange(len(parts)), [len(part.scores) for part in parts])
    every = Found(*(np.concatenate(column) for column in zip(*parts)))
    kept = ~is_part(every, source, np.concatenate(cut), np.array(frames))
    every = Found(*(column[kept] for column in every))
    return Found(*(column[nms(every, threshold)] for column in every))


def longer(found: Found) -> np.ndarray:
    """The longer side of each box."""
    return (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1)


def is_cut(boxes: np.ndarray, tile: Tile, size: tuple[int, int]) -> np.ndarray:
    """Whether boxes end at a border of the tile that is none of the image."""
    left, top, right, bottom = tile.box
    return (
        ((left > 0) & (boxes[:, 0] <= left + TOUCH))
        | ((top > 0) & (boxes[:, 1] <= top + TOUCH))
        | ((right < size[1]) & (boxes[:, 2] >= right - TOUCH))
        | ((bottom < size[0]) & (boxes[:, 3] >= bottom - TOUCH))
    )


def is_part(found: Found, source: np.ndarray, cut: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Whether a cut box lies for the most part in one of its class that is not cut or is larger,
    of another tile that meets its own; ``frames[source]`` is a box's tile."""
    boxes = found.boxes.astype(np.float64)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    gone = np.zeros(len(boxes), bool)
    for index in np.flatnonzero(cut):
        low = np.maximum(boxes[index, :2], boxes[:, :2])
        high = np.minimum(boxes[index, 2:], boxes[:, 2:])
        share = np.prod(np.clip(high - low, 0, None), axis=1) / max(area[index], 1e-6)
        left, top, right, bottom = frames[source[index]]
        meets = (frames <= [right, bottom, np.inf, np.inf]).all(axis=1)
        meets &= (frames[:, 2:] >= [left, top]).all(axis=1)
        other = meets[source] & (source != source[index])
        other &= found.labels == found.labels[index]
        gone[index] = ((~cut | (area > area[index])) & other & (share > INSIDE)).any()
    return gone


class Detector:
    """An ONNX file of otadet that is ready to look at images.

    Args:
        path: the file.

    Raises:
        ValueError: the file is missing, no ONNX file, or not one of otadet.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ValueError(f"{path}: no such file")
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), providers=["CPUExecutionProvider"]
            )
            entries = self.session.get_modelmeta().custom_metadata_map
        except Exception as error:  # onnxruntime's exceptions have no common base
            reason = str(error).strip().splitlines()[0]
            raise ValueError(f"{path}: not an ONNX file that onnxruntime reads: {reason}") from None
        if "otadet_export" not in entries:
            raise ValueError(
                f"{path}: an ONNX file that otadet did not write (no entry 'otadet_export' in its "
                f"metadata); make one with tools/export_onnx.py"
            )
        self.path, self.about = path, read_metadata(path, entries)
        self.names: list[str] = self.about["class_names"]
        # Not in older files, and none where the training data had no ids.
        self.category_ids: list[int] | None = self.about.get("category_ids")
        # Older files do not say.
        score = self.about["thresholds"].get("default_score")  # not in older files
        self.default_score: float = DEFAULT_SCORE if score is None else score
        inputs = self.session.get_inputs()
        if len(inputs) != 1:
            raise ValueError(f"{path}: expected one input, got {len(inputs)}")
        self.input = inputs[0].name
        self.outputs = [output.name for output in self.session.get_outputs()]
        wanted = {"boxes", "scores"} | (
            {"labels"} if self.about["output"] == "detections" else set()
        )
        if missing := wanted - set(self.outputs):
            raise ValueError(f"{path}: expected the outputs {sorted(wanted)}, without {missing}")

    def __call__(self, image: np.ndarray) -> Found:
        """Detections of one image ``[H, W, 3]`` uint8 BGR, as OpenCV reads it; in tiles, where the
        file says so and the image is larger than one."""
        height, width = image.shape[:2]
        rule = self.about.get("tiles")  # not in older files
        tiles = tiles_of(height, width, rule["size"], rule["overlap"]) if rule else []
        if len(tiles) < 2:
            return self.look(image, (0, 0, width, height))
        limits = self.about["thresholds"]
        found = [self.look(image, tile.box) for tile in tiles]
        whole = self.look(image, (0, 0, width, height)) if rule["whole"] else None
        size, overlap = (height, width), rule["overlap"]
        merged = merge(found, tiles, size, overlap, whole, limits["nms"])
        return Found(*(column[: limits["max_detections"]] for column in merged))

    def look(self, image: np.ndarray, part: tuple[int, int, int, int]) -> Found:
        """Detections of a part of an image, left, top, right, bottom, in the image's pixels."""
        left, top, right, bottom = part
        pixels, scale = self.prepare(image[top:bottom, left:right])
        out = self.run(pixels)
        if self.about["output"] == "detections":
            used = out["labels"] >= 0
            found = Found(out["boxes"][used], out["scores"][used], out["labels"][used])
        else:
            found = self.select(out["boxes"], out["scores"], pixels.shape[2:])
        height, width = image.shape[:2]
        limit = np.array([width, height, width, height], np.float32)
        place = np.array([left, top, left, top])
        boxes = np.clip(found.boxes.astype(np.float64) / scale + place, 0, limit)
        return found._replace(boxes=boxes.astype(np.float32))

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """The file's outputs for one image, of the shapes that the metadata say."""
        try:
            arrays = self.session.run(self.outputs, {self.input: pixels})
            out = {name: array[0] for name, array in zip(self.outputs, arrays)}
        except Exception as error:  # onnxruntime's exceptions have no common base
            reason = str(error).strip().splitlines()[0]
            raise ValueError(f"{self.path}: onnxruntime cannot run it: {reason}") from None
        if not self.fits(out):
            shapes = ", ".join(f"{k} {v.dtype}{list(v.shape)}" for k, v in out.items())
            raise ValueError(f"{self.path}: outputs that its metadata do not describe: {shapes}")
        return out

    def fits(self, out: dict[str, np.ndarray]) -> bool:
        """Whether outputs have the shapes, labels and finite numbers that the metadata promise."""
        boxes, scores, classes = out["boxes"], out["scores"], len(self.names)
        if boxes.dtype.kind != "f" or scores.dtype.kind != "f":
            return False
        if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
            return False
        if self.about["output"] == "points":
            return scores.shape == (len(boxes), classes)
        labels = out["labels"]
        sound = scores.shape == labels.shape == (len(boxes),) and labels.dtype.kind == "i"
        return sound and bool((labels < classes).all())

    def prepare(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The file's input for an image, and the factors of its boxes' x1, y1, x2, y2."""
        height, width = image.shape[:2]
        rule, wanted = self.about["resize"], self.about["input"]
        first, second = rule["size"]
        if rule["rule"] == "letterbox":
            factor = min(first / height, second / width)
            h, w = max(1, int(height * factor)), max(1, int(width * factor))
        else:  # the shorter side to `first`, the longer to at most `second`
            factor = min(first / min(height, width), second / max(height, width))
            h, w = max(1, round(height * factor)), max(1, round(width * factor))
            first, second = h, w
        if (h, w) != (height, width):
            image = cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR)
        step = wanted["multiple"]
        shape = (-(-first // step) * step, -(-second // step) * step, 3)
        canvas = np.full(shape, rule["padding"], np.uint8)
        canvas[:h, :w] = image[..., ::-1] if wanted["color_order"] == "RGB" else image
        pixels = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None]).astype(wanted["type"])
        return pixels, np.array([w / width, h / height] * 2, np.float32)

    def select(self, boxes: np.ndarray, scores: np.ndarray, size: tuple[int, ...]) -> Found:
        """Boxes ``[A, 4]`` and scores ``[A, C]`` of all points to detections."""
        limits = self.about["thresholds"]
        if self.about.get("point_labels") == "best":  # older files do not say, and mean all
            label = scores.argmax(axis=1)
            point = np.flatnonzero(scores.max(axis=1) > limits["score"])
            label = label[point]
        else:
            point, label = np.nonzero(scores > limits["score"])
        if len(point) > limits["candidates"]:  # then each level keeps its best
            counts = [-(-size[0] // s) * -(-size[1] // s) for s in self.about["strides"]]
            level = np.searchsorted(np.cumsum(counts), point, side="right")
            best = np.argsort(-scores[point, label], kind="stable")
            kept = [best[level[best] == v][: limits["candidates"]] for v in range(len(counts))]
            chosen = np.concatenate(kept)
            point, label = point[chosen], label[chosen]
        found = Found(boxes[point], scores[point, label], label)
        keep = nms(found, limits["nms"])[: limits["max_detections"]]
        return Found(found.boxes[keep], found.scores[keep], found.labels[keep])


def nms(found: Found, threshold: float) -> np.ndarray:
    """Indices of the boxes that no better one of their class overlaps more, best first."""
    order = np.argsort(-found.scores, kind="stable")
    # A network may give any coordinates; areas of float32 beyond 1e19 would overflow.
    boxes, labels = found.boxes[order].astype(np.float64), found.labels[order]
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    alive = np.ones(len(order), bool)
    for index in range(len(order)):
        if not alive[index]:
            continue
        rest = np.flatnonzero(alive[index + 1 :] & (labels[index + 1 :] == labels[index]))
        rest += index + 1
        low = np.maximum(boxes[index, :2], boxes[rest, :2])
        high = np.minimum(boxes[index, 2:], boxes[rest, 2:])
        overlap = np.prod(np.clip(high - low, 0, None), axis=1)
        alive[rest[overlap > threshold * (area[index] + area[rest] - overlap)]] = False
    return order[alive]


def draw(image: np.ndarray, found: Found, names: list[str]) -> np.ndarray:
    """A copy of the image with boxes, names and scores, the best on top."""
    canvas = image.copy()
    size = min(image.shape[:2])
    width, scale = max(1, round(size / 350)), max(0.35, size / 1100)
    for box, score, label in list(zip(*found))[::-1]:
        red, green, blue = colorsys.hsv_to_rgb((0.02 + label * 0.618034) % 1, 0.85, 0.95)
        color = (blue * 255, green * 255, red * 255)
        x1, y1, x2, y2 = (round(float(v)) for v in box)
        cv2.rectangle(canvas, (x1, y1), (x2, y2), color, width, cv2.LINE_AA)
        text = f"{one_line(names[label], '?')} {score:.2f}"
        (w, h), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        x = max(0, min(x1, image.shape[1] - w))
        y = max(y1, h + base)  # inside the image even where the box touches its top
        cv2.rectangle(canvas, (x, y - h - base), (x + w, y), color, -1)
        ink = (0, 0, 0) if 0.6 * green + 0.3 * red + 0.1 * blue > 0.55 else (255, 255, 255)
        place = (x, y - base // 2 - 1)
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
    return canvas


def images(path: Path) -> list[Path]:
    """The image, or those of the folder."""
    if path.is_file():
        return [path]
    found = sorted(p for p in path.glob("*") if p.suffix.lower() in ENDINGS)
    if not found:
        raise ValueError(f"--path {path}: no image there ({', '.join(ENDINGS)})")
    return found


def detect(args: argparse.Namespace) -> None:
    """Every image, or every frame of a video, through the file."""
    detector = Detector(args.model)
    if args.conf is None:
        args.conf = detector.default_score
    print(f"score threshold {args.conf:g}")
    table = args.output / "detections.json"
    check_outputs([table], [args.model])
    if args.path.is_file() and args.path.suffix.lower() in VIDEO_ENDINGS:
        results = video(detector, args)
    else:
        results = all_images(detector, args)
    with new_file(table) as part:
        part.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def all_images(detector: Detector, args: argparse.Namespace) -> list[dict[str, Any]]:
    """A line and a drawn copy for each image; its detections as rows."""
    paths = images(args.path)
    stems = Counter(path.stem.lower() for path in paths)
    stems.update(path.name.lower() for path in paths)  # a.jpg.png beside a.jpg
    names = [path.stem if stems[path.stem.lower()] == 1 else path.name for path in paths]
    targets = [args.output / f"{name}.jpg" for name in names]
    check_outputs(targets, [args.model, *paths])
    make_folder(args.output)
    results = []
    for path, target in zip(paths, targets):
        image = read(path)
        found = above(detector(image), args.conf)
        data = cv2.imencode(".jpg", draw(image, found, detector.names))[1].tobytes()
        with new_file(target) as part:
            part.write_bytes(COMMENT + data[2:])
        print(f"{one_line(path)}: {len(found.scores)} detections -> {one_line(target)}")
        results += rows(found, detector, file=path.name)
    return results


def read(path: Path) -> np.ndarray:
    """``[H, W, 3]`` uint8 BGR, upright; of 16 bits the upper 8 of those in use, as in training."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if image is None:
        raise ValueError(f"{path}: not an image that OpenCV reads")
    if image.dtype == np.uint16:
        used = int(image.max()).bit_length()
        image = image >> (next(bits for bits in (8, 10, 12, 14, 16) if bits >= used) - 8)
    return image.astype(np.uint8)


def video(detector: Detector, args: argparse.Namespace) -> list[dict[str, Any]]:
    """An annotated MP4 of the same size and frame rate; its detections as rows with ``frame``."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong is said once, below
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    capture = cv2.VideoCapture(str(args.path), cv2.CAP_FFMPEG)
    there, frame = capture.read()
    if not there:
        raise ValueError(f"{args.path}: not a video that OpenCV reads")
    rate, size = capture.get(cv2.CAP_PROP_FPS) or 25.0, (frame.shape[1], frame.shape[0])
    target = args.output / (args.path.stem + ".mp4")
    check_outputs([target], [args.model, args.path])
    make_folder(args.output)
    results, count, begin = [], 0, time.perf_counter()
    with new_file(target, ".mp4") as part:
        writer = cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
        if not writer.isOpened():
            raise ValueError(f"{target}: could not be written")
        while there:
            found = above(detector(frame), args.conf)
            writer.write(draw(frame, found, detector.names))
            results += rows(found, detector, file=args.path.name, frame=count)
            count += 1
            there, frame = capture.read()
        writer.release()
        if int(cv2.VideoCapture(str(part)).get(cv2.CAP_PROP_FRAME_COUNT)) < count:
            raise ValueError(f"{target}: not all frames could be written: free disk space")
        with part.open("ab") as file:
            file.write(BOX)
    seconds = time.perf_counter() - begin
    speed = f"{count} frames, {count / seconds:.1f} frames a second"
    print(f"{one_line(args.path)}: {speed} -> {one_line(target)}")
    return results


def check_outputs(targets: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse to replace an input, by whatever path, or a file that this script has not written."""
    status = [path.stat() for path in inputs if path.exists()]
    known = {(each.st_dev, each.st_ino) for each in status}
    for target in targets:
        if not os.path.lexists(target):
            continue
        mine = target.lstat()
        if (mine.st_dev, mine.st_ino) in known:
            raise ValueError(f"{target}: is an input; name another --output")
        if target.is_symlink() or not target.is_file() or not is_own(target):
            raise ValueError(f"{target}: exists, and is not of this script; name another --output")


def is_own(path: Path) -> bool:
    """Whether this script has written a file."""
    with path.open("rb") as file:
        head = file.read(64)
        file.seek(max(0, file.seek(0, 2) - len(BOX)))
        return head.startswith((COMMENT, *ROWS)) or file.read() == BOX


@contextmanager
def new_file(path: Path, ending: str = "") -> Iterator[Path]:
    """A temporary name; its file gets the name ``path`` once it is whole."""
    part = path.with_name(f".otadet-{os.getpid()}.part{ending}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def one_line(text: object, other: str = "") -> str:
    """A name with its control characters as escapes, or as ``other``."""
    return "".join(
        c if c.isprintable() else other or c.encode("unicode_escape").decode() for c in str(text)
    )


def make_folder(path: Path) -> None:
    """The folder for what is written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--output {path}: cannot be a folder ({error.strerror})") from None


def above(found: Found, score: float) -> Found:
    """Only the detections with at least this score."""
    return Found(*(part[found.scores >= score] for part in found))


def rows(found: Found, detector: Detector, **about: Any) -> list[dict[str, Any]]:
    """Detections as plain values, each with what ``about`` says."""
    columns = zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist())
    ids = detector.category_ids
    return [
        {**about, "class": detector.names[label], "score": score, "box": box}
        | ({} if ids is None else {"category_id": ids[label]})
        for box, score, label in columns
    ]


def main() -> int:
    """0, or 2 with one line where something given is wrong."""
    p = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    p.add_argument("--model", type=Path, required=True, help="ONNX file of otadet")
    p.add_argument("--path", type=Path, required=True, help="image, folder or video")
    p.add_argument("--output", type=Path, default=Path("detected"), help="folder (detected)")
    p.add_argument(
        "--conf", type=float, help=f"lowest score shown (default: the file's, else {DEFAULT_SCORE})"
    )
    try:
        detect(p.parse_args())
    except (ValueError, OSError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
