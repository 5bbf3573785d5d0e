"""The data of an experiment and the settings that they are checked against."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from otadet.assign import DynamicK
from otadet.choices import Split
from otadet.data import Dataset, ReadOptions, SplitPaths
from otadet.data.annotation_table import Floats
from otadet.data.records import Records
from otadet.doctor.objects import Objects
from otadet.errors import InputError
from otadet.exp import BaseExp, Exp
from otadet.geometry import Size, padded, zoom_factors
from otadet.tile_choice import NetworkInput, Side, TileChoice, choose_tiling


@dataclass(frozen=True)
class InputFrame:
    """How images become the network's input in training.

    Attributes:
        resize: how images are brought to the input size.
        input_size: height and width (letterbox), or short side and limit of the longer one.
        strides: of the network's levels.
        tile: side of the tiles that images are cut into before, pixels; ``None`` takes them whole.
    """

    resize: str
    input_size: Size
    strides: tuple[int, ...]
    tile: int | None

    @staticmethod
    def of(exp: BaseExp) -> InputFrame:
        """Read them from an experiment."""
        tile = exp.tile if isinstance(exp.tile, int) else None
        return InputFrame(exp.resize, exp.input_size, exp.network_strides(), tile)

    def zoom(self, sizes: Floats) -> Floats:
        """Return ``[N]`` factor from images of ``sizes [N, 2]`` to the network's input."""
        if self.tile is not None:
            sizes = np.minimum(sizes, self.tile)
        return zoom_factors(sizes, self.resize, self.input_size)

    def canvas(self) -> Size:
        """Return height and width that any image fits into, multiples of all strides."""
        size = self.input_size if self.resize == "letterbox" else (max(self.input_size),) * 2
        return padded((size[0], size[1]), max(32, *self.strides))


@dataclass(frozen=True)
class DoctorConfig(InputFrame):
    """Data to check, and the settings of the experiment that matter for it.

    Attributes:
        name: of the experiment.
        places: files of the splits; a split whose annotations were not found is missing.
        absent: for these, the error message of the search.
        own: data sets that the experiment builds itself, in place of ``places``.
        reading: how annotations are read.
        num_classes: the setting.
        drop_empty: the setting.
        max_detections: largest number of detections an image.
        nms_threshold: IoU beyond which hard NMS drops a box; ``None`` for soft-NMS.
        anchor_scale: side of the anchors in strides, where the assigner compares any.
        q: how many IoUs an object's k sums, where the experiment is for data of one's own and its
            assigner has such a number.
        tile_settings: ``tile`` and ``tile_overlap``.
        choice: the tiles that ``tile=auto`` would take, within what these two give; ``None``
            until the training set is read.
    """

    name: str
    places: dict[Split, SplitPaths]
    absent: dict[Split, str]
    own: dict[Split, Dataset]
    reading: ReadOptions
    num_classes: int | None
    drop_empty: bool
    max_detections: int
    nms_threshold: float | None
    anchor_scale: float | None = None
    q: int | None = None
    tile_settings: tuple[Side, Side] = (None, None)
    choice: TileChoice | None = None

    @staticmethod
    def of(exp: BaseExp) -> DoctorConfig:
        """Read them from an experiment.

        Raises:
            InputError: the experiment trains on generated images.
        """
        places: dict[Split, SplitPaths] = {}
        absent: dict[Split, str] = {}
        own: dict[Split, Dataset] = {}
        if not reads_files(exp):
            own, absent = _own_data(exp)
        elif exp.data_dir is None:
            raise InputError(f"{exp.name}: no data to check; give data_dir=FOLDER")
        else:
            for split in ("train", "val"):
                found = _place(exp, split)
                if isinstance(found, str):
                    absent[split] = found
                else:
                    places[split] = found
        return DoctorConfig(
            name=exp.name,
            places=places,
            absent=absent,
            own=own,
            reading=exp.reading(),
            num_classes=exp.num_classes,
            drop_empty=exp.drop_empty,
            **vars(InputFrame.of(exp)),
            tile_settings=(exp.tile, exp.tile_overlap),
            max_detections=exp.max_detections,
            nms_threshold=exp.nms_threshold if exp.nms_kind == "hard" else None,
            anchor_scale=_anchor_scale(exp),
            q=_summed_ious(exp),
        )

    def with_choice(self, records: Records, objects: Objects) -> DoctorConfig:
        """Return the configuration with the tiles for this training set.

        The setting ``tile=auto`` takes them.
        """
        network = NetworkInput(self.resize, self.input_size, min(self.strides))
        sizes = records.sizes[objects.image]
        choice = choose_tiling(objects.boxes, sizes, network, *self.tile_settings)
        taken = choice.tiling if "auto" in self.tile_settings else None
        return replace(self, choice=choice, tile=taken.size if taken else self.tile)


def _place(exp: BaseExp, split: Split) -> SplitPaths | str:
    try:
        return exp.place(split)
    except InputError as error:
        return str(error)


def _own_data(exp: BaseExp) -> tuple[dict[Split, Dataset], dict[Split, str]]:
    own: dict[Split, Dataset] = {}
    absent: dict[Split, str] = {}
    exp = exp.with_tiles(None)  # whole images, as those of files are
    try:
        own["train"] = exp.build_train_data()
    except InputError as error:
        absent["train"] = str(error)
    try:
        own["val"] = exp.build_val_data(own["train"].class_names if "train" in own else None)
    except InputError as error:
        absent["val"] = str(error)
    return own, absent


def reads_files(exp: BaseExp) -> bool:
    """Return whether the experiment's data sets are read from files by its settings."""
    own = type(exp)
    return all(
        getattr(own, name) is getattr(BaseExp, name)
        for name in ("build_train_data", "_train_data", "build_val_data")
    )


def _anchor_scale(exp: BaseExp) -> float | None:
    assigner = exp.build_assigner()
    if getattr(assigner, "k", 0) is None:  # takes every candidate, whatever its anchor
        return None
    scale: float | None = getattr(assigner, "anchor_scale", None)
    if scale is not None and isinstance(exp, Exp) and exp.head == "retinanet":
        return exp.anchor_scale  # the head's own anchors
    return scale


def _summed_ious(exp: BaseExp) -> int | None:
    supply = getattr(exp.build_assigner(), "supply", None)
    return supply.q if exp.own_data and isinstance(supply, DynamicK) else None
