"""Training steps of otadet, of ``pixeltable-yolox`` and of torchvision's FCOS, phase by phase.

The rivals are taken as they are and adapted from outside:

- ``pixeltable-yolox`` (imported as ``yolox``; ``pip install --no-deps pixeltable-yolox`` and
  psutil): its trainer names CUDA, its model does not, so the step of its trainer is spelt out
  here, with its own optimizer and average of the weights. Its head enters
  ``torch.cuda.amp.autocast(enabled=False)`` around a cross entropy that half precision forbids;
  on a CPU that does not leave autocast, so there the whole assignment is made to.
- torchvision's FCOS: pictures come at their size and are not resized again. It has no averaged
  weights of its own, so it gets torch's.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any

import torch
from measure import Clock
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from otadet.engine.ema import Ema
from otadet.engine.precision import Precision
from otadet.exp import Exp
from otadet.types import Batch, Target

PHASES = ("forward", "assignment", "loss", "backward", "optimizer", "average")
LR = 1e-6
"""So small that a batch may be learned a hundred times without going anywhere."""
CLASSES = 80


class Contender(ABC):
    """A network in training on one batch.

    Attributes:
        clock: the phases of every step, and the step as a whole.
    """

    name: str
    scale: float | None = None
    """The loss's factor after every step, where it is fixed."""

    def __init__(self, model: nn.Module, precision: Precision, layout: torch.memory_format) -> None:
        self.device = precision.device_type
        self.model = model.to(device=self.device, memory_format=layout).train()  # type: ignore[call-overload]
        self.precision = precision
        self.scaler = self.make_scaler()
        self.clock = Clock(self.device)
        self.steps = 0
        self.optimizer = self.make_optimizer()
        for group in self.optimizer.param_groups:
            group["lr"] = LR

    def make_scaler(self) -> torch.amp.GradScaler:
        """Loss scaling in half precision only."""
        return torch.amp.GradScaler(self.device, enabled=self.precision.name == "fp16")

    @abstractmethod
    def make_optimizer(self) -> torch.optim.Optimizer:
        """As in its own training."""

    @abstractmethod
    def total_loss(self) -> Tensor:
        """Forward, assignment and loss; times the three."""

    @abstractmethod
    def average(self) -> None:
        """Move the averaged weights."""

    def step(self) -> float:
        """One training step; its loss."""
        self.clock.new_step((*PHASES, "step"))
        self.steps += 1
        return self.clock.timed("step", self._step)()

    def _step(self) -> float:
        loss = self.total_loss()
        self.optimizer.zero_grad(set_to_none=True)
        self.clock.timed("backward", self.scaler.scale(loss).backward)()
        self.clock.timed("optimizer", self._update)()
        self.clock.timed("average", self.average)()
        return float(loss.detach())

    def _update(self) -> None:
        self.scaler.step(self.optimizer)
        self.scaler.update(self.scale)

    def _move(self, inside: str, outside: str) -> None:
        """Phases of the present step hold no time of what ran inside them."""
        self.clock.seconds[outside][-1] -= self.clock.seconds[inside][-1]


class Ours(Contender):
    """The step of otadet's trainer."""

    name = "otadet"

    def __init__(
        self, exp: Exp, batch: Batch, precision: Precision, layout: torch.memory_format,
        compiled: bool = False,
    ) -> None:  # fmt: skip
        self.exp = exp
        super().__init__(exp.build_model(CLASSES), precision, layout)
        self.batch, self.layout = batch.to(self.device), layout
        self.ema = Ema(self.model, 0.9998, 2000.0)
        self.criterion: Any = exp.build_criterion()
        self.criterion.assigner = self.clock.timed("assignment", self.criterion.assigner)
        self.network = torch.compile(self.model) if compiled else self.model

    def make_scaler(self) -> torch.amp.GradScaler:
        """Also without scaling: it keeps steps of gradients that are not finite from being taken."""
        self.scale = self.precision.fixed_scale
        return self.precision.scaler()

    def make_optimizer(self) -> torch.optim.Optimizer:
        return self.exp.build_optimizer(self.model)

    def total_loss(self) -> Tensor:
        preds = self.clock.timed("forward", self._forward)()
        report = self.clock.timed("loss", self.criterion)(preds, self.batch.targets)
        self._move("assignment", "loss")
        total: Tensor = report.total
        return total

    def _forward(self) -> Any:
        images = self.batch.images.contiguous(memory_format=self.layout)
        with self.precision.autocast():
            return self.network(images)

    def average(self) -> None:
        self.ema.update(self.steps)


class PixeltableYolox(Contender):
    """The step of ``pixeltable-yolox``'s trainer."""

    name = "pixeltable-yolox"

    def __init__(
        self, size: str, batch: Batch, precision: Precision, layout: torch.memory_format,
        compiled: bool = False,
    ) -> None:  # fmt: skip
        from yolox.config import YoloxConfig
        from yolox.utils import ModelEMA

        self.config = YoloxConfig.get_named_config(size)
        super().__init__(self.config.get_model(), precision, layout)
        images = batch.images.flip(1).float().to(self.device)  # its loader gives BGR, float32
        self.images = images.contiguous(memory_format=layout)
        self.labels = padded_labels(batch.targets).to(self.device)
        self.ema = ModelEMA(self.model, 0.9998)
        head = self.model.head
        head.get_assignments = self.clock.timed("assignment", self._outside_autocast)
        head.get_losses = self.clock.timed("loss", head.get_losses)
        if compiled:
            self.model.backbone = torch.compile(self.model.backbone)

    def make_optimizer(self) -> torch.optim.Optimizer:
        optimizer: torch.optim.Optimizer = self.config.get_optimizer(64)
        return optimizer

    def _outside_autocast(self, *args: Any) -> Any:
        with torch.autocast("cpu", enabled=False), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return type(self.model.head).get_assignments(self.model.head, *args)

    def total_loss(self) -> Tensor:
        with self.precision.autocast():
            outputs = self.clock.timed("forward", self.model)(self.images, self.labels)
        self._move("loss", "forward")
        self._move("assignment", "loss")
        total: Tensor = outputs["total_loss"]
        return total

    def average(self) -> None:
        self.ema.update(self.model)


class TorchvisionFcos(Contender):
    """torchvision's FCOS on the same backbone, as its reference scripts train it."""

    name = "torchvision"

    def __init__(
        self, exp: Exp, batch: Batch, precision: Precision, layout: torch.memory_format,
        compiled: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(fcos_like(exp), precision, layout)
        pixels = (batch.images.float() / 255).to(self.device)
        self.images = list(pixels.contiguous(memory_format=layout))
        self.targets = [
            {"boxes": t.boxes.to(self.device), "labels": t.labels.to(self.device)}
            for t in batch.targets
        ]
        rule = get_ema_multi_avg_fn(0.9998)
        self.ema = AveragedModel(self.model, multi_avg_fn=rule, use_buffers=True)
        model = self.model
        model.compute_loss = self.clock.timed("assignment", model.compute_loss)
        model.head.compute_loss = self.clock.timed("loss", model.head.compute_loss)
        if compiled:
            model.backbone = torch.compile(model.backbone)

    def make_optimizer(self) -> torch.optim.Optimizer:
        learning = [p for p in self.model.parameters() if p.requires_grad]
        return torch.optim.SGD(learning, lr=LR, momentum=0.9, weight_decay=1e-4)

    def total_loss(self) -> Tensor:
        with self.precision.autocast():
            losses = self.clock.timed("forward", self.model)(self.images, self.targets)
        self._move("assignment", "forward")
        self._move("loss", "assignment")
        return torch.stack(list(losses.values())).sum()

    def average(self) -> None:
        self.ema.update_parameters(self.model)


def fcos_like(exp: Exp) -> nn.Module:
    """torchvision's FCOS with the backbone, frozen parts and norms of the experiment."""
    from torchvision.models.detection import FCOS
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
    from torchvision.ops import FrozenBatchNorm2d
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7

    backbone = resnet_fpn_backbone(
        backbone_name=exp.backbone,
        weights=None,
        norm_layer=FrozenBatchNorm2d if exp.frozen_norm else nn.BatchNorm2d,
        trainable_layers=5 - exp.frozen_stages,
        returned_layers=[2, 3, 4],
        extra_blocks=LastLevelP6P7(256, 256),
    )
    model: nn.Module = FCOS(backbone, num_classes=CLASSES, _skip_resize=True)
    return model


def padded_labels(targets: tuple[Target, ...], rows: int = 120) -> Tensor:
    """``[B, rows, 5]`` of class, centre, width and height; 120 rows in YOLOX's mosaic recipe."""
    labels = torch.zeros(len(targets), rows, 5)
    for row, one in zip(labels, targets):
        count = min(len(one), rows)
        row[:count, 0] = one.labels[:count].float()
        row[:count, 1:3] = (one.boxes[:count, :2] + one.boxes[:count, 2:]) / 2
        row[:count, 3:] = one.boxes[:count, 2:] - one.boxes[:count, :2]
    return labels
