"""The base experiment: every setting with its default, and how the parts are made from them."""

from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

import torch
from torch import nn

from otadet import assign, optim
from otadet.assign import Assigner
from otadet.criteria import Criterion, FCOSCriterion
from otadet.data import SHAPES, CocoDataset, ColorJitter, Dataset, ShapesDataset, transforms
from otadet.errors import InputError
from otadet.evaluation import CocoMetrics
from otadet.exp.settings import Settings
from otadet.models import (
    FPN,
    Detector,
    FCOSHead,
    Normalize,
    ResNetBackbone,
    load_backbone_weights,
)
from otadet.models.fcos_head import Quality
from otadet.optim import Schedule
from otadet.postprocess import Postprocess, ScoreRule


class Exp(Settings):
    """Subclass it in ``exps/``, override what differs, and train it with ``tools/train.py``.

    The defaults are an FCOS with OTA on generated shapes. ``build_*`` methods are pure factories:
    they read settings and make parts; override one to use a part of your own.
    """

    name: ClassVar[str] = "exp"
    """Name of the file; the run's folder is called so."""
    file: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other names under which ``-n`` finds the experiment."""
    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        **dict.fromkeys(
            ("num_classes", "shapes_train", "shapes_val", "shapes_size", "input_size", "test_size",
             "fpn_channels", "head_width", "batch_size", "max_epochs", "max_iters", "lr_batch",
             "eval_interval", "max_detections"),
            (1, inf),
        ),
        **dict.fromkeys(
            ("workers", "head_convs", "lr", "weight_decay", "warmup_iters", "clip_grad", "seed"),
            (0, inf),
        ),
        **dict.fromkeys(
            ("flip", "crop", "shapes_crowding", "milestones", "momentum", "ema_decay",
             "score_threshold", "nms_threshold"),
            (0, 1),
        ),
        "scale_range": (0.05, 20),
    }  # fmt: skip

    # --- data -----------------------------------------------------------------------------------
    data_dir: str | None = None
    """Folder of the data set; none trains on generated shapes."""
    train_ann: str = "annotations/instances_train2017.json"
    """COCO annotation file, relative to data_dir."""
    val_ann: str = "annotations/instances_val2017.json"
    train_images: str = "train2017"
    """Folder of the pictures, relative to data_dir."""
    val_images: str = "val2017"
    num_classes: int | None = None
    """none: as many as the annotation file names; a number is checked against it."""
    drop_empty: bool = False
    """Leave out training pictures without objects."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What a picture that cannot be read does to a run."""
    workers: int = 4
    """Processes that load pictures, for each device."""
    shapes_train: int = 2000
    """Number of generated training pictures, without data_dir."""
    shapes_val: int = 100
    shapes_size: tuple[int, int] = (256, 256)
    shapes_classes: tuple[str, ...] = SHAPES
    shapes_object: tuple[float, float] = (24.0, 96.0)
    """Smallest and largest width of an object, pixels."""
    shapes_crowding: float = 0.5
    """0: objects apart; 1: heavily overlapping."""

    # --- input ----------------------------------------------------------------------------------
    resize: Literal["shortest", "letterbox"] = "letterbox"
    """shortest: shorter side to the first number of the size, the longer to at most the second."""
    input_size: tuple[int, int] = (256, 256)
    """Height and width in training (letterbox), or short side and limit of the longer one."""
    test_size: tuple[int, int] = (256, 256)
    """The same for evaluation, demo and export."""
    flip: float = 0.5
    """Probability of a mirror image."""
    scale_range: tuple[float, float] = (1.0, 1.0)
    """Random factor on the shorter side in training (shortest only)."""
    crop: float = 0.0
    """Probability of a random crop in training."""
    color_jitter: bool = False
    """Random hue, saturation and brightness in training."""
    aspect_grouping: bool = True
    """Do not mix upright and lying pictures in a batch (shortest only)."""

    # --- network --------------------------------------------------------------------------------
    backbone: str = "resnet18"
    backbone_weights: str | None = None
    """A torchvision weights name, a file, or none."""
    frozen_norm: bool = False
    """Fixed BatchNorm in the backbone; for pretrained weights and few pictures a device."""
    frozen_stages: int = 0
    """Parts of the backbone that do not learn: 1 stem, 2 and the first stage, ... 5 all."""
    fpn_channels: int = 256
    extra_levels: bool = True
    """P6 and P7 besides P3 to P5."""
    head_width: int = 256
    head_convs: int = 4
    quality: Quality = "iou"

    # --- recipe ---------------------------------------------------------------------------------
    batch_size: int = 16
    """Over all devices; -b replaces it."""
    max_epochs: int = 12
    max_iters: int | None = None
    """Number of steps, in place of max_epochs."""
    lr: float = 0.01
    """For lr_batch pictures a step; scaled in proportion to the batch that is used."""
    lr_batch: int = 16
    optimizer: Literal["sgd", "adamw"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Literal["multistep", "cosine"] = "multistep"
    milestones: tuple[float, ...] = (2 / 3, 8 / 9)
    """Shares of the run after which the rate is divided by 10 (multistep)."""
    warmup_iters: int = 1000
    """At most a tenth of the run."""
    clip_grad: float = 0.0
    """Largest norm of the gradient; 0 leaves it alone."""
    ema_decay: float = 0.9998
    """0 turns the averaged weights off."""
    seed: int = 0

    # --- evaluation -----------------------------------------------------------------------------
    eval_interval: int = 1
    """Epochs between evaluations; there is one at the end in any case."""
    score_threshold: float = 0.05
    nms_threshold: float = 0.6
    max_detections: int = 100
    score_rule: ScoreRule = "geometric"

    # --- parts ----------------------------------------------------------------------------------
    def build_model(self, num_classes: int) -> Detector:
        """The network with fresh weights. Weights that are to be loaded come later."""
        backbone = ResNetBackbone(self.backbone, self.frozen_norm, self.frozen_stages)
        neck = FPN(backbone.channels, self.fpn_channels, self.extra_levels)
        head = FCOSHead(
            neck.channels,
            num_classes,
            neck.strides,
            width=self.head_width,
            num_convs=self.head_convs,
            quality=self.quality,
        )
        return Detector(backbone, neck, head, self.build_normalize())

    def build_normalize(self) -> nn.Module:
        """Pixels 0 to 255 to what the backbone expects."""
        return Normalize()

    def load_pretrained(self, model: Detector) -> None:
        """Weights for a run that starts afresh; evaluation and demo never come here."""
        if self.backbone_weights is None and self.frozen_norm:
            raise InputError(
                "frozen_norm=true fixes BatchNorm at what pretrained weights say, but "
                "backbone_weights is none; give weights, or set frozen_norm=false frozen_stages=0"
            )
        if self.backbone_weights is not None and isinstance(model.backbone, ResNetBackbone):
            load_backbone_weights(model.backbone, self.backbone, self.backbone_weights)

    def build_assigner(self) -> Assigner:
        """Which point serves which object."""
        return assign.OTA()

    def build_criterion(self) -> Criterion:
        """The loss around the assigner."""
        return FCOSCriterion(self.build_assigner(), quality=self.quality)

    def build_train_data(self) -> Dataset:
        """The training set; class names and ids come from its file."""
        if self.data_dir is None:
            return self._shapes(self.shapes_train, seed=self.seed)
        return self._checked(
            CocoDataset(
                self.data_dir,
                self.train_ann,
                self.train_images,
                drop_empty=self.drop_empty,
                unreadable=self.unreadable,
            )
        )

    def build_val_data(self, class_names: tuple[str, ...] | None = None) -> Dataset:
        """The validation set, its classes in the order of ``class_names`` where given."""
        if self.data_dir is None:
            # Another seed: no picture of the validation set is ever trained on.
            shapes = self._shapes(self.shapes_val, seed=self.seed + 1_000_003)
            if class_names is not None and shapes.class_names != class_names:
                raise InputError(
                    f"shapes_classes: expected the network's classes, {', '.join(class_names)}; "
                    f"got {', '.join(shapes.class_names)}"
                )
            return shapes
        return self._checked(
            CocoDataset(
                self.data_dir,
                self.val_ann,
                self.val_images,
                class_names=class_names,
                unreadable=self.unreadable,
            )
        )

    def _shapes(self, count: int, seed: int) -> Dataset:
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

    def build_train_transform(self) -> transforms.Transform:
        """Random augmentation and the resize to the network's input."""
        steps: list[transforms.Transform] = []
        if self.color_jitter:
            steps.append(ColorJitter())
        if self.crop > 0:
            steps.append(transforms.RandomCrop(self.crop))
        if self.flip > 0:
            steps.append(transforms.Flip(self.flip))
        if self.resize == "letterbox":
            steps.append(transforms.Letterbox(self.input_size))
        else:
            short, longest = self.input_size
            low, high = self.scale_range
            steps.append(transforms.ScaleJitter((round(low * short), round(high * short)), longest))
        return transforms.Compose(tuple(steps))

    def build_val_transform(self) -> transforms.Transform:
        """The resize alone; demo and export use the same."""
        if self.resize == "letterbox":
            return transforms.Letterbox(self.test_size)
        return transforms.ResizeShortest(*self.test_size)

    def build_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Weights decay; norms, biases and scales do not."""
        groups = optim.param_groups(model, self.weight_decay)
        return optim.build_optimizer(groups, self.optimizer, self.lr, self.momentum)

    def scaled_lr(self, batch_size: int) -> float:
        """Learning rate for ``batch_size`` pictures a step (linear rule, Goyal et al. 2017)."""
        return self.lr * batch_size / self.lr_batch

    def build_schedule(self, total: int, batch_size: int) -> Schedule:
        """The learning rate as a function of the step."""
        return Schedule(
            base_lr=self.scaled_lr(batch_size),
            total=total,
            warmup=min(self.warmup_iters, total // 10),
            kind=self.schedule,
            milestones=tuple(round(m * total) for m in self.milestones),
        )

    def build_postprocess(self) -> Postprocess:
        """Predictions to detections, in evaluation, demo and export alike."""
        return Postprocess(
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
            score_rule=self.score_rule,
        )

    def build_evaluator(self, dataset: Dataset) -> CocoMetrics:
        """COCO metrics over the data set's truth."""
        truths = [dataset.truth(i) for i in range(len(dataset))]
        return CocoMetrics(truths, dataset.class_names, max_detections=self.max_detections)
