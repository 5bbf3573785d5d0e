"""Published weights by the name of their experiment: on the web, or in this package."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torchvision.models.detection import FCOS_ResNet50_FPN_Weights

from otadet.download import fetch
from otadet.errors import InputError

MIRROR = "OTADET_WEIGHTS_URL"
"""Environment variable: address of a folder with the files, in place of the official ones."""


PACKAGED = Path(__file__).parents[1] / "weights"
"""Folder of the package with the weights that come with it."""


class Published(Protocol):
    """A file of weights that is known by a name."""

    @property
    def path(self) -> Path:
        """Path of the file, which may not be there yet."""

    def fetch(self) -> Path:
        """Return the path of the file, which is there then.

        Raises:
            InputError: it cannot be had.
        """


@dataclass(frozen=True)
class Packaged:
    """File of weights that comes with this package.

    Attributes:
        name: of the file, in the package's folder of weights.
    """

    name: str

    @property
    def path(self) -> Path:
        """Path of the file."""
        return PACKAGED / self.name

    def fetch(self) -> Path:
        """Return the path of the file; nothing is downloaded.

        Raises:
            InputError: the installation lacks it.
        """
        if not self.path.is_file():
            raise InputError(
                f"{self.path}: expected weights that come with otadet, got no file; install otadet "
                "again"
            )
        return self.path


@dataclass(frozen=True)
class Download:
    """File of weights on the web.

    Attributes:
        url: its official address.
        sha256: its digest or the beginning of it, or ``None`` where none is known.
    """

    url: str
    sha256: str | None

    @property
    def path(self) -> Path:
        """Path of the file once it is fetched: in the folder of torch's hub."""
        return Path(torch.hub.get_dir()) / "checkpoints" / self.url.rpartition("/")[2]

    def fetch(self) -> Path:
        """Return the path of the file, fetched if it is not there yet.

        Raises:
            InputError: fetching fails, see :func:`~otadet.download.fetch`.
        """
        mirror = os.environ.get(MIRROR)
        url = f"{mirror.rstrip('/')}/{self.path.name}" if mirror else self.url
        return fetch(url, self.path, self.sha256)


def _yolox(size: str, sha256: str | None) -> Download:
    base = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"
    return Download(f"{base}/yolox_{size}.pth", sha256)


_FCOS = FCOS_ResNet50_FPN_Weights.COCO_V1.url

YOLOX: dict[str, Published] = {
    "yolox_nano": _yolox(
        "nano", "cd28f55fbbc1829f99d9ac9b38a16d259a22889739c8728ea877610201feff7b"
    ),
    "yolox_tiny": _yolox(
        "tiny", "9de513de589ac98bb92d3bca53b5af7b9acfa9b0bacb831f7999d0f7afaee8f0"
    ),
    "yolox_s": _yolox("s", "f55ded7181e1b0c13285c56e7790b8f0e8f8db590fe4edb37f0b7f345c913a30"),
    "yolox_m": _yolox("m", "60076992b32da82951c90cfa7bd6ab70eba9eda243e08b940a396f60ac2d19b6"),
    "yolox_l": _yolox("l", "1e6b7fa6240375370b2a8a8eab9066b3cdd43fd1d0bfa8d2027fd3a51def2917"),
    "yolox_x": _yolox("x", "5652330b6ae860043f091b8f550a60c10e1129f416edfdb65c259be6caf355cf"),
    "yolov3": _yolox("darknet", None),
}
"""Files of YOLOX's release 0.1.1rc0 by the experiment's name. The digests are those that several
independent projects state; none was found for Darknet-53."""

PUBLISHED: dict[str, Published] = {
    **YOLOX,
    # torch's hub puts the beginning of the digest into the file's name
    "fcos_r50_torchvision": Download(_FCOS, _FCOS.rpartition("-")[2].removesuffix(".pth")),
    "ota_nano_cells": Packaged("ota_nano_cells.pth"),
}
"""All by the experiment's name."""
