"""The networks that a run may start from, smallest first, and what they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from otadet.exp import load_class

SETTINGS = ("depth", "width", "depthwise")
"""Settings that make one size of YOLOX out of another."""


@dataclass(frozen=True)
class Network:
    """A size of YOLOX with published weights.

    Attributes:
        name: of its experiment and weights.
        seconds: of a CPU core for a training step, an image of 256 x 320 px.
    """

    name: str
    seconds: float

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that make the network."""
        cls = load_class(name=self.name)
        return {name: getattr(cls, name) for name in SETTINGS}


NETWORKS = (Network("yolox_nano", 0.053), Network("yolox_tiny", 0.112), Network("yolox_s", 0.167))
"""Seconds: forward, SimOTA and backward of 8 images in float32 on one core of a Xeon with AMX."""
