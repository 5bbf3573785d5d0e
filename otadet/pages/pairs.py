"""An image with ground truth and detections, of which a slider shows the one or the other."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["hit", "false", "missed", "ignored"]


class Shape(NamedTuple):
    """A box of an image pair.

    Attributes:
        box: left, top, width and height, pixels of the page's image.
        kind: how it is drawn.
        label: beside the box.
        about: shown where the mouse rests.
        score: of a detection, or of the detection that found an object; -1 for none.
    """

    box: tuple[float, float, float, float]
    kind: Kind
    label: str
    about: str
    score: float


class ImagePair(NamedTuple):
    """Ground truth and detections of one image.

    Attributes:
        name: of the file.
        caption: what there is to see.
        jpeg: the image in base64.
        width, height: its size, pixels.
        truth: objects and ignore regions.
        found: detections.
    """

    name: str
    caption: str
    jpeg: str
    width: int
    height: int
    truth: list[Shape]
    found: list[Shape]

    @property
    def crowded(self) -> bool:
        """Whether labels beside all boxes would hide the image."""
        return max(len(self.truth), sum(s.kind == "hit" for s in self.found)) > 12
