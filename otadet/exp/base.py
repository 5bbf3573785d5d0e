"""The base of all experiments: how the parts are made from the settings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import torch
from torch import nn

from otadet import optim
from otadet.assign import Assigner
from otadet.criteria import Criterion
from otadet.data import Dataset, SampleBuilder, WithTransform
from otadet.data.image_file import MAX_PIXELS
from otadet.data.transforms import Transform
from otadet.errors import InputError
from otadet.evaluation import Evaluator, build_evaluator
from otadet.exp.data_parts import DataParts
from otadet.exp.hooks import check_hooks
from otadet.exp.listing import listing
from otadet.exp.recipe import Phase, Row
from otadet.exp.settings import Settings
from otadet.geometry import Size, padded
from otadet.models import Backbone, Detector, Head, Neck, Normalize
from otadet.optim import Schedule
from otadet.postprocess import Postprocess
from otadet.tta import Augmentation, View, parse_scales, scaled_views, with_mirrors


class BaseExp(DataParts):
    """What all experiments share: data, recipe, evaluation, but no network of its own.

    Subclass :class:`~otadet.exp.Exp` for an FCOS, :class:`~otadet.exp.yolox.YoloxExp` for a YOLOX,
    and this class for a network and augmentation that have nothing of either. ``build_*`` methods
    are pure factories: they read settings and make parts; override one to use a part of your own.
    """

    name: ClassVar[str] = "exp"
    """Name of the file; the run directory is called so."""
    file: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other names under which ``-n`` finds the experiment."""
    automatic: ClassVar[bool] = False
    """Settings that a command does not give are derived before training, see ``otadet/auto``."""
    rows: ClassVar[tuple[Row, ...]] = (Row(),)
    """The experiment as it stands and its variants, with what was published for each."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("otadet."):  # defines the hooks
            return
        known = {name for base in cls.__bases__ if issubclass(base, Settings) for name in dir(base)}
        # A mixin without settings is part of the class that takes it.
        bodies = [base for base in cls.__mro__ if base is cls or not issubclass(base, Settings)]
        own = {name: None for body in bodies for name in vars(body)}
        names = [name for name in own if name not in known and name not in cls.hints()]
        cls._said = (*cls._said, *check_hooks(cls.__name__, names, known))

    def validate(self) -> None:
        """Check settings against each other; see :meth:`Settings.validate`."""
        super().validate()
        parse_scales(self.tta_scales)
        for name in self.sizes:
            height, width = getattr(self, name)
            if height * width > MAX_PIXELS:
                got = f"{height} x {width}"
                raise InputError(
                    f"setting {name}: expected at most {MAX_PIXELS:,} pixels, got {got}"
                )
        if self.tile is not None and self.tta != "none":
            raise InputError(
                f"settings tile={self.tile} and tta={self.tta}: expected one of them; tiles are "
                "not augmented"
            )
        try:
            if not self.auto_tiles:
                self.build_tiling()
        except ValueError as error:
            raise InputError(f"settings tile, tile_overlap: {error}") from error
        try:
            self.build_image_options()
        except ValueError as error:
            raise InputError(f"setting {error}") from error

    def build_model(self, num_classes: int) -> Detector:
        """Make the network with fresh weights. Weights that are to be loaded come later."""
        backbone = self.build_backbone()
        neck = self.build_neck(backbone)
        head = self.build_head(neck.channels, num_classes, neck.strides)
        return Detector(backbone, neck, head, self.build_normalize())

    def network_strides(self) -> tuple[int, ...]:
        """Return the strides of the network's levels; 8, 16, 32 where its head does not say."""
        with torch.device("meta"):  # shapes without memory
            model = self.build_model(self.num_classes or 1)
        strides = getattr(getattr(model, "head", None), "strides", (8, 16, 32))
        return tuple(int(stride) for stride in strides)

    def build_backbone(self) -> Backbone:
        """Make what turns images into features, with fresh weights."""
        raise self._missing("build_backbone")

    def build_neck(self, backbone: Backbone) -> Neck:
        """Make what turns the backbone's features into pyramid features, with fresh weights."""
        raise self._missing("build_neck")

    def build_head(self, in_channels: Any, num_classes: int, strides: Sequence[int]) -> Head:
        """Make what turns pyramid features into predictions, with fresh weights.

        Args:
            in_channels: the neck's ``channels``.
            num_classes: number of classes.
            strides: the neck's.
        """
        raise self._missing("build_head")

    def build_normalize(self) -> nn.Module:
        """Make what turns pixels, 0 to 255, into what the backbone expects."""
        return Normalize()

    def load_pretrained(self, model: Detector) -> None:
        """Load weights for a run that starts afresh; evaluation and demo never call this."""

    def check_start(self, model: Detector, loaded: Collection[str], source: str) -> None:
        """Check that the settings suit a network that took over other weights.

        Args:
            model: the network.
            loaded: names of the parameters and buffers that were taken over.
            source: where from, for the message.

        Raises:
            InputError: they do not.
        """

    def build_assigner(self) -> Assigner:
        """Make the rule by which points are assigned to objects."""
        raise self._missing("build_assigner")

    def build_criterion(self) -> Criterion:
        """Make the loss around the assigner."""
        raise self._missing("build_criterion")

    def before_step(self, model: Detector, progress: float) -> None:
        """Prepare the network for a training step; nothing to do unless a subclass has it.

        Args:
            model: the network that trains.
            progress: share of the run before the step, 0 to below 1. What depends on nothing else
                is the same after a resume and in a replay.
        """

    def build_sample_builder(self, size: Size) -> SampleBuilder:
        """Make the rule by which a training sample is made, for an input of ``size``."""
        raise self._missing("build_sample_builder")

    def build_post_transform(self) -> Transform | None:
        """Make an augmentation of your own; ``None`` for none.

        It is applied to every finished training sample: one image or a mosaic, at the size of the
        input.
        """
        return None

    def train_sample_builder(self, size: Size) -> SampleBuilder:
        """Return how training samples are made: the draw, and what comes after it."""
        draw, after = self.build_sample_builder(size), self.build_post_transform()
        return draw if after is None else WithTransform(draw, after)

    def group_by_aspect(self) -> bool:
        """Say whether upright and lying images go into different batches."""
        return False

    def phases(self) -> tuple[Phase, ...]:
        """Return what changes in the last epochs; nothing, where a recipe does not say so."""
        return ()

    def listing(self) -> str:
        """Write every setting with its value and meaning."""
        return listing(self)

    def notices(self) -> tuple[str, ...]:
        """Return what a command should tell about the settings before it begins, a line each."""
        lines = super().notices()
        if self.tta != "none" and self.tta_detections < self.max_detections:
            lines += (
                f"tta_detections={self.tta_detections} is less than "
                f"max_detections={self.max_detections}: so many of an image are kept",
            )
        if self.resize == "shortest":
            return lines
        sizes = {"input_size": self.input_size, "test_size": self.test_size}
        return lines + tuple(
            f"{name}={size[0]},{size[1]} is no multiple of 32: taking {whole[0]},{whole[1]}"
            for name, size in sizes.items()
            if (whole := padded(size, 32)) != size
        )

    def build_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer. Weights decay; norms, biases and scales do not."""
        groups = optim.param_groups(model, self.weight_decay)
        return optim.build_optimizer(groups, self.optimizer, self.lr, self.momentum, self.nesterov)

    def scaled_lr(self, batch_size: int) -> float:
        """Return the learning rate for ``batch_size`` images a step (Goyal et al. 2017)."""
        return self.lr * batch_size / self.lr_batch

    def build_schedule(self, total: int, batch_size: int, hold: int = 0) -> Schedule:
        """Make the learning rate as a function of the step; constant in the last ``hold`` steps."""
        return Schedule(
            base_lr=self.scaled_lr(batch_size),
            total=total,
            warmup=min(self.warmup_iters, total // 10),
            warmup_power=self.warmup_power,
            kind=self.schedule,
            milestones=tuple(round(m * total) for m in self.milestones),
            final_factor=self.final_lr,
            hold=hold,
            flat=round(self.flat * total),
        )

    def build_postprocess(self) -> Postprocess:
        """Make what turns predictions into detections, in evaluation, demo and export alike."""
        return Postprocess(
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
            score_rule=self.score_rule,
            nms_kind=self.nms_kind,
            soft_sigma=self.soft_sigma,
            point_labels=self.point_labels,
        )

    def build_augmentation(self) -> Augmentation | None:
        """Make the passes over an image at test time; ``None`` for a single one."""
        if self.tta == "none":
            return None
        views: tuple[View, ...] = (View(self.build_val_transform()),)
        if self.tta == "atss":
            views = scaled_views(self.tta_scales, self.resize, self.test_size)
        if self.tta_flip or self.tta == "flip":
            views = with_mirrors(views)
        return Augmentation(views, self.tta_vote, self.score_threshold, self.tta_detections)

    def build_evaluator(self, dataset: Dataset) -> Evaluator:
        """Make the metrics over the data set's ground truth."""
        gts = [dataset.ground_truth(i) for i in range(len(dataset))]
        return build_evaluator(gts, dataset.class_names, self.metrics, self.max_detections)

    def _missing(self, method: str) -> InputError:
        return InputError(
            f"experiment {self.name}: {method} is missing; {type(self).__name__} has to define it"
        )
