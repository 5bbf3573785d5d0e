"""What the rules know of the data and of the machine."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otadet.cores import busy_cores, usable_cores
from otadet.data.annotation_table import Floats
from otadet.data.free_space import free_memory, free_shared_memory
from otadet.data.records import Records
from otadet.doctor import Report
from otadet.doctor.config import InputFrame
from otadet.doctor.objects import Objects
from otadet.engine.devices import Devices
from otadet.errors import InputError
from otadet.exp import BaseExp
from otadet.geometry import Size
from otadet.tile_choice import NetworkInput, TileChoice, choose_tiling


@dataclass(frozen=True, eq=False)
class DataFacts:
    """Facts of a data set, from its annotations alone.

    Attributes:
        records: the training annotations.
        objects: those that training uses.
        val_images: number of validation images.
        most_objects: objects of the densest image of both splits.
        rare: classes of which the doctor finds few training objects.
    """

    records: Records
    objects: Objects
    val_images: int
    most_objects: int
    rare: tuple[str, ...]

    @staticmethod
    def of(report: Report) -> DataFacts:
        """Take them from the doctor's report of a data set that can be trained on."""
        train, val = report.splits["train"], report.splits.get("val")
        splits = [train] if val is None else [train, val]
        rare = [f.spots for f in report.findings if f.code == "class-rare"]
        return DataFacts(
            train.records,
            train.objects,
            0 if val is None else len(val.records),
            max(int(each.objects.counts.max(initial=0)) for each in splits),
            tuple(spot.got.rpartition(" (")[0] for spots in rare for spot in spots),
        )

    def __post_init__(self) -> None:
        if not len(self.objects.rows):
            raise InputError(f"{self.records.path}: expected training objects, got none")

    @property
    def images(self) -> int:
        """Number of training images."""
        return len(self.records)

    @property
    def sizes(self) -> Floats:
        """``[N, 2]`` height and width of the training images whose size is known."""
        sizes = self.records.sizes
        return sizes[np.isfinite(sizes).all(axis=1)]

    @property
    def size(self) -> Size:
        """Height and width of the median training image."""
        height, width = np.median(self.sizes, axis=0).round().astype(int).tolist()
        return height, width

    @property
    def decoded(self) -> int:
        """Bytes of all training images decoded."""
        return int(3 * self.sizes.prod(axis=1).sum())

    @property
    def sides(self) -> Floats:
        """``[G]`` shorter side of each training object, pixels of its image."""
        boxes = self.objects.boxes
        return np.asarray((boxes[:, 2:] - boxes[:, :2]).min(axis=1), np.float64)

    def input_sides(self, exp: BaseExp) -> Floats:
        """``[G]`` the same in pixels of the experiment's input."""
        zoom = InputFrame.of(exp).zoom(self.records.sizes[self.objects.image])
        return self.sides * zoom

    def tiles(self, network: NetworkInput) -> TileChoice:
        """Choose tiles by the training objects."""
        sizes = self.records.sizes[self.objects.image]
        return choose_tiling(self.objects.boxes, sizes, network)


@dataclass(frozen=True)
class Machine:
    """Facts of a machine.

    Attributes:
        kind: of the devices: ``cuda``, ``mps`` or ``cpu``.
        devices: number of devices.
        cores: CPU cores that this process may use.
        free_memory: bytes of main memory, shared memory included; ``None`` where not known.
        free_disk: bytes where runs are written.
        busy: cores, of these, on which other processes compute; ``None`` where it does not matter:
            on a GPU, and where ``OMP_NUM_THREADS`` says how many threads compute.
    """

    kind: str
    devices: int
    cores: int
    free_memory: int | None
    free_disk: int
    busy: float | None = None

    @staticmethod
    def here(devices: Devices) -> Machine:
        """Look at this machine."""
        free = [x for x in (free_memory(), free_shared_memory()) if x is not None]
        disk = shutil.disk_usage(Path.cwd()).free
        given = devices.kind != "cpu" or "OMP_NUM_THREADS" in os.environ
        return Machine(devices.kind, len(devices), usable_cores(), min(free, default=None), disk,
                       None if given else busy_cores())  # fmt: skip
