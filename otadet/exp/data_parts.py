"""What the base experiment makes from the settings of data and input."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np

from otadet import dist
from otadet.choices import Split
from otadet.data import (
    Dataset,
    ImageOptions,
    ReadOptions,
    RepeatedDataset,
    ShapesDataset,
    SplitPaths,
    TiledDataset,
    cached,
    open_data,
    transforms,
)
from otadet.data.layouts import Named, find_split
from otadet.errors import InputError
from otadet.exp.defaults import (
    DataSettings,
    EvaluationSettings,
    ImageSettings,
    InputSettings,
    ShapesSettings,
    TileSettings,
    TrainingSettings,
    TtaSettings,
)
from otadet.exp.recipe import SizeRule
from otadet.exp.sizes import whole_size
from otadet.exp.values import as_word
from otadet.geometry import Size, padded
from otadet.tile_choice import NetworkInput, TileChoice, choose_tiling
from otadet.tiling import Tiling

P = TypeVar("P", bound="DataParts")


class DataParts(
    TileSettings,
    TtaSettings,
    EvaluationSettings,
    TrainingSettings,
    InputSettings,
    ShapesSettings,
    ImageSettings,
    DataSettings,
):
    """Data sets, and the way of an image to the network's input."""

    sizes: ClassVar[tuple[str, ...]] = ("input_size", "test_size", "shapes_size")
    own_data: ClassVar[bool] = False
    """The experiment is for images of one's own: without data_dir it refuses to start."""

    def build_train_data(self) -> Dataset:
        """Make the training set, kept decoded where ``cache`` says so.

        Class names and ids come from its file.
        """
        kept = cached(
            self.in_tiles(self._train_data()),
            self.cache,
            longest=self.cache_longest,
            folder=self.cache_dir,
            progress=dist.is_main(),
        )
        return RepeatedDataset(kept, self.repeat_rare, self.seed) if self.repeat_rare else kept

    def build_tiling(self) -> Tiling | None:
        """Make the rule that cuts images into tiles; ``None`` takes them whole.

        Raises:
            InputError: it is yet to be chosen from the training set.
        """
        if self.auto_tiles:
            raise InputError(
                f"tile={self.tile} tile_overlap={as_word(self.tile_overlap)}: training chooses "
                "auto from its objects, and the checkpoint holds the numbers; expected numbers here"
            )
        if not isinstance(self.tile, int):
            return None
        overlap = self.tile_overlap if isinstance(self.tile_overlap, int) else self.tile // 5
        return Tiling(self.tile, overlap)

    @property
    def auto_tiles(self) -> bool:
        """Whether tiles are chosen from the training set."""
        return self.tile is not None and "auto" in (self.tile, self.tile_overlap)

    def network_strides(self) -> tuple[int, ...]:
        """Return the strides of the network's levels; an experiment with a network has them."""
        raise NotImplementedError

    def network_input(self) -> NetworkInput:
        """Return what of the network decides on tiles."""
        return NetworkInput(self.resize, self.input_size, min(self.network_strides()))

    def tile_choice(self, dataset: Dataset) -> TileChoice:
        """Choose tiles for a training set of whole images, within what the settings give.

        Raises:
            InputError: the overlap that the settings give is too large.
        """
        gts = [dataset.ground_truth(index) for index in range(len(dataset))]
        boxes = np.concatenate([np.zeros((0, 4), np.float32), *(gt.boxes for gt in gts)])
        images = np.repeat(dataset.sizes, [len(gt) for gt in gts], axis=0)
        return choose_tiling(boxes, images, self.network_input(), self.tile, self.tile_overlap)

    def with_tiles(self: P, tiling: Tiling | None) -> P:
        """Return the experiment with these tiles, or with images taken whole."""
        numbers = (None, None) if tiling is None else (tiling.size, tiling.overlap)
        return type(self)({**self.as_dict(), **dict(zip(("tile", "tile_overlap"), numbers))})

    def in_tiles(self, dataset: Dataset) -> Dataset:
        """Return the tiles of a data set, as training sees them; the data set itself without."""
        tiling = self.tile_choice(dataset).tiling if self.auto_tiles else self.build_tiling()
        if tiling is None:
            return dataset
        return TiledDataset(dataset, tiling, self.tile_empty, self.seed)

    def _train_data(self) -> Dataset:
        if self.data_dir is None:
            return self._shapes(self.shapes_train, seed=self.seed)
        return self._checked(open_data(self.place("train"), self.reading(), self.drop_empty))

    def build_val_data(self, class_names: tuple[str, ...] | None = None) -> Dataset:
        """Make the validation set, its classes in the order of ``class_names`` where given."""
        if self.data_dir is None:
            # Another seed: no image of the validation set is ever trained on.
            shapes = self._shapes(self.shapes_val, seed=self.seed + 1_000_003)
            if class_names is not None and shapes.class_names != class_names:
                raise InputError(
                    f"shapes_classes: expected the network's classes, {', '.join(class_names)}; "
                    f"got {', '.join(shapes.class_names)}"
                )
            return shapes
        return self._checked(open_data(self.place("val"), self.reading(class_names)))

    def place(self, split: Split) -> SplitPaths:
        """Return where the files of ``train`` or ``val`` lie; InputError where there are none."""
        named: Named = {
            "train": (self.train_ann, self.train_images), "val": (self.val_ann, self.val_images)
        }  # fmt: skip
        return find_split(self.data_dir or ".", split, named, self.data_format, self.val_fraction)

    def reading(self, class_names: tuple[str, ...] | None = None) -> ReadOptions:
        """Return how annotations are read."""
        return ReadOptions(
            class_names, self.class_names, self.odgt_box, self.voc_difficult, self.amodal,
            self.unreadable, self.strict_data, pixels=self.build_image_options(),
            decoded=Path(self.cache_dir),
        )  # fmt: skip

    def build_image_options(self) -> ImageOptions:
        """Make the rule by which pixels of image files are read."""
        return ImageOptions(self.image_pages, self.image_channels, self.image_stretch)

    @property
    def whole_boxes(self) -> bool:
        """Return whether detections are boxes of whole objects, as far as the settings say it.

        It applies to images of which no annotations are read.
        """
        if self.amodal is not None:
            return self.amodal
        named = (self.train_ann or "").endswith(".odgt")
        return self.odgt_box == "fbox" and (self.data_format == "odgt" or named)

    def require_data(self) -> None:
        """Check that there are images to train on or to evaluate.

        Raises:
            InputError: the experiment is for images of one's own, and no ``data_dir`` is given.
        """
        if self.own_data and self.data_dir is None:
            raise InputError(
                "data_dir: expected the folder of your images and annotations, as data_dir=my/data "
                "(COCO, YOLO, VOC or odgt; datasets/README.md says what lies where), got none; "
                "generated shapes are for -n quickstart"
            )

    def _whole(self, name: str, side: int) -> Size:
        if name == "shapes_size":
            return side, side
        return whole_size(side, self.resize, getattr(self, name))

    def _shapes(self, count: int, seed: int) -> Dataset:
        self.require_data()
        return self._checked(
            ShapesDataset(
                count,
                seed=seed,
                size=self.shapes_size,
                classes=self.shapes_classes,
                crowding=self.shapes_crowding,
                object_size=self.shapes_object,
            )
        )

    def _checked(self, dataset: Dataset) -> Dataset:
        found = len(dataset.class_names)
        if self.num_classes is not None and self.num_classes != found:
            raise InputError(
                f"num_classes={self.num_classes}, but the data have {found} classes: "
                f"{', '.join(dataset.class_names[:20])}; leave num_classes out to use them all"
            )
        return dataset

    def build_size_rule(self) -> SizeRule:
        """Make the input's size as a function of the step."""
        if self.resize == "shortest":
            return SizeRule(self.input_size)
        return SizeRule(
            padded(self.input_size, 32), self.multiscale, self.seed, self.multiscale_interval
        )

    def build_val_transform(self) -> transforms.Transform:
        """Make the resize alone; demo and export use the same."""
        if self.resize == "letterbox":
            return transforms.Letterbox(padded(self.test_size, 32))
        return transforms.ResizeShortest(*self.test_size)
