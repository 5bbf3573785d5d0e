"""A crowded set of generated images in CrowdHuman's form, ignore regions included.

    python benchmarks/crowd_set.py FOLDER --train 400 --val 150

One class, as many as fifty overlapping objects an image, boxes of whole objects also where they
leave the image, single objects to ignore, and masks over clumps in which nothing is annotated
one by one. An image is a function of ``(seed, index)``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from otadet.data.shapes import SHAPES, Shape, layout
from otadet.data.shapes_draw import paint
from otadet.rng import generator

SIZE = (192, 256)
CROWDING = 0.9
OBJECTS = (14.0, 56.0)
MASKED = 0.25
"""Share of the images with a mask."""
UNSURE = 0.03
"""Share of the objects that are marked to be ignored."""

_LAYOUT, _PAINT, _MARK = 0, 1, 2  # the streams of random numbers of an image


def write_set(
    folder: Path,
    train: int,
    val: int,
    seed: int = 0,
    objects: tuple[float, float] = OBJECTS,
    crowding: float = CROWDING,
) -> None:
    """Write images and annotations as CrowdHuman has them.

    Args:
        folder: gets ``Images/``, ``annotation_train.odgt`` and ``annotation_val.odgt``.
        train: number of images to train on.
        val: number of images to measure on.
        seed: another seed is another set.
        objects: least and greatest side of an object, pixels.
        crowding: share of an image that objects would cover if none overlapped.
    """
    (folder / "Images").mkdir(parents=True, exist_ok=True)
    for name, first, count in (("train", 0, train), ("val", 10_000_000, val)):
        lines = [
            write_image_of(folder / "Images", seed, first + i, objects, crowding)
            for i in tqdm(range(count), desc=f"crowd, {name}", leave=False)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"annotation_{name}.odgt").write_text(text, encoding="utf-8")


def write_image_of(
    folder: Path, seed: int, index: int, objects: tuple[float, float], crowding: float
) -> dict[str, Any]:
    """Paint one image and give its line of annotations."""
    shapes = layout(generator(seed, index, _LAYOUT), SIZE, SHAPES, crowding, objects)
    outlines = [shape.outline for shape in shapes]
    image = paint(generator(seed, index, _PAINT), SIZE, outlines)
    name = f"{index:08d}"
    cv2.imwrite(str(folder / f"{name}.jpg"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    return {"ID": name, "gtboxes": annotations(generator(seed, index, _MARK), shapes)}


def annotations(rng: np.random.Generator, shapes: list[Shape]) -> list[dict[str, Any]]:
    """CrowdHuman's entries of an image's objects, from the lowest to the topmost."""
    full = [np.concatenate([s.outline.min(axis=0), s.outline.max(axis=0)]) for s in shapes]
    centres = np.array([(box[:2] + box[2:]) / 2 for box in full])
    hidden = np.zeros(len(shapes), bool)
    entries: list[dict[str, Any]] = []
    if rng.random() < MASKED and len(shapes) > 3:
        # A mask covers a few neighbours, none of which is annotated.
        near = np.abs(centres - centres[rng.integers(len(shapes))]).max(axis=1)
        hidden[np.argsort(near)[: rng.integers(2, 5)]] = True
        inside = np.array([full[i] for i in np.flatnonzero(hidden)])
        mask = np.concatenate([inside[:, :2].min(axis=0), inside[:, 2:].max(axis=0)])
        entries.append(entry("mask", mask, mask, ignore=1))
    for shape, box, left_out in zip(shapes, full, hidden):
        if not left_out:
            ignore = int(rng.random() < UNSURE)
            entries.append(entry("person", box, shape.box, ignore))
    return entries


def entry(
    tag: str, full: npt.NDArray[Any], visible: npt.NDArray[Any], ignore: int
) -> dict[str, Any]:
    """One object; boxes xyxy in, CrowdHuman's x, y, width, height out, tenths of a pixel."""
    boxes = {
        key: [round(float(v), 1) for v in (*box[:2], *(box[2:] - box[:2]))]
        for key, box in (("fbox", full), ("vbox", visible), ("hbox", visible))
    }
    return {"tag": tag, **boxes, "extra": {"ignore": ignore}, "head_attr": {}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--val", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    write_set(args.folder, args.train, args.val, args.seed)
    print(f"written to {args.folder}: {args.train} + {args.val} images")


if __name__ == "__main__":
    main()
