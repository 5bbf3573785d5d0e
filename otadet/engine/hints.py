"""What a user should know of the detections of an image, each told once."""

from __future__ import annotations

from collections.abc import Callable

from otadet.exp import BaseExp
from otadet.geometry import Size, letterbox, padded, shortest_edge
from otadet.tiling import SHRUNK
from otadet.types import Detections


class Hints:
    """Tells of images that are shrunk a lot and of detections that were cut off.

    Args:
        exp: resize, tiles and limit.
        tell: takes a line.
    """

    def __init__(self, exp: BaseExp, tell: Callable[[str], None]) -> None:
        self._exp = exp
        self._tell = tell
        self._told: set[str] = set()

    def look(self, name: str, image: Size, found: Detections) -> None:
        """Look at an image of this height and width and at those of its detections in use."""
        times = image[0] / self._input_size(image)[0]
        if self._exp.tile is None and times > SHRUNK:
            self._once(
                "shrunk",
                f"{name}: {image[1]} x {image[0]} px are shrunk {times:.1f} times for the network; "
                "small objects vanish, tile=N cuts large images into tiles of N pixels",
            )
        most = self._exp.max_detections
        if len(found) >= most:
            self._once(
                "most",
                f"{name}: has {most} detections, as many as max_detections={most} keeps; a larger "
                "one keeps more",
            )

    def _input_size(self, image: Size) -> Size:
        if self._exp.resize == "letterbox":
            return letterbox(image, padded(self._exp.test_size, 32))
        return shortest_edge(image, *self._exp.test_size)

    def _once(self, kind: str, line: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._tell(line)
