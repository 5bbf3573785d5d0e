"""Images inside a page."""

from __future__ import annotations

import base64
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt


class Figure(NamedTuple):
    """An image of a page: file name, caption, and a JPEG in base64."""

    name: str
    caption: str
    jpeg: str


def jpeg_base64(image: npt.NDArray[np.uint8], quality: int = 82) -> str:
    """Encode ``[H, W, 3]`` uint8 RGB as JPEG in base64."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return base64.b64encode(data.tobytes()).decode()


def shrunk(image: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Shrink an image whose longer side exceeds ``side`` pixels."""
    zoom = side / max(image.shape[:2])
    if zoom >= 1:
        return image
    size = max(1, round(image.shape[1] * zoom)), max(1, round(image.shape[0] * zoom))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
