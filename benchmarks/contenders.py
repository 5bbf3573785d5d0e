"""Training steps of otadet, of ``pixeltable-yolox`` and of torchvision's FCOS, phase by phase.

The rivals are taken as they are and adapted from outside:

- ``pixeltable-yolox`` (imported as ``yolox``; ``pip install --no-deps pixeltable-yolox`` and
  psutil): its trainer names CUDA, its model does not, so the step of its trainer is spelt out
  here, with its own optimizer and average of the weights. Its head enters
  ``torch.cuda.amp.autocast(enabled=False)`` around a cross entropy that half precision forbids;
  on a CPU that does not leave autocast, so there the whole assignment is made to.
- torchvision's FCOS: images come at their size and are not resized again. It has no averaged
  weights of its own, so it gets torch's.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import torch
from measure import Clock
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from otadet.engine.ema import Ema
from otadet.engine.precision import Precision
from otadet.engine.state import TrainState
from otadet.engine.step import Step, StepResult
from otadet.exp import Exp
from otadet.types import Batch, LossReport, Target

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

    def __init__(self, model: nn.Module, precision: Precision, layout: torch.memory_format) -> None:
        self.device = precision.device_type
        self.model = model.to(device=self.device, memory_format=layout).train()  # type: ignore[call-overload]
        self.precision = precision
        self.clock = Clock(self.device)
        self.optimizer = self.make_optimizer()
        for group in self.optimizer.param_groups:
            group["lr"] = LR

    @abstractmethod
    def make_optimizer(self) -> torch.optim.Optimizer:
        """As in its own training."""

    @abstractmethod
    def take(self) -> None:
        """One training step, each phase timed."""

    def step(self) -> None:
        """One training step."""
        self.clock.new_step((*PHASES, "step"))
        self.clock.timed("step", self.take)()

    def _move(self, inside: str, outside: str) -> None:
        """Phases of the present step hold no time of what ran inside them."""
        self.clock.seconds[outside][-1] -= self.clock.seconds[inside][-1]


@dataclass(frozen=True, eq=False)
class TimedStep(Step):
    """Otadet's step with a clock at its inner seams."""

    clock: Clock = field(kw_only=True)

    def _backward(self, *args: Any) -> LossReport | None:
        return self.clock.timed("backward", super()._backward)(*args)

    def _update(self, *args: Any) -> StepResult:
        return self.clock.timed("optimizer", super()._update)(*args)


class Ours(Contender):
    """The step of otadet's trainer, as the trainer takes it."""

    name = "otadet"

    def __init__(
        self, exp: Exp, batch: Batch, precision: Precision, layout: torch.memory_format,
        compiled: bool = False,
    ) -> None:  # fmt: skip
        self.exp = exp
        super().__init__(exp.build_model(CLASSES), precision, layout)
        self.batch = batch.to(self.device)
        ema = Ema(self.model, 0.9998, 2000.0)
        self.state = TrainState(self.model, self.optimizer, precision.scaler(), ema)
        ema.update = self.clock.timed("average", ema.update)  # type: ignore[method-assign]
        criterion: Any = exp.build_criterion()
        criterion.assigner = self.clock.timed("assignment", criterion.assigner)
        self.criterion = self.clock.timed("loss", criterion)
        network: Any = torch.compile(self.model) if compiled else self.model
        forward: Any = self.clock.timed("forward", network)
        self.taken = TimedStep(
            forward, lambda _: LR, precision, layout, parts=exp.accumulate, clock=self.clock,
            keep_buffers=exp.skip_nonfinite > 0,
        )  # fmt: skip

    def make_optimizer(self) -> torch.optim.Optimizer:
        return self.exp.build_optimizer(self.model)

    def take(self) -> None:
        self.taken(self.state, self.criterion, self.batch)
        self._move("loss", "backward")
        self._move("forward", "backward")
        self._move("assignment", "loss")


class Rival(Contender):
    """The order of a step in the rivals' own scripts; losses are scaled in fp16 only."""

    def __init__(self, model: nn.Module, precision: Precision, layout: torch.memory_format) -> None:
        super().__init__(model, precision, layout)
        self.scaler = torch.amp.GradScaler(self.device, enabled=precision.name == "fp16")

    @abstractmethod
    def total_loss(self) -> Tensor:
        """Forward, assignment and loss; times the three."""

    @abstractmethod
    def average(self) -> None:
        """Move the averaged weights."""

    def take(self) -> None:
        loss = self.total_loss()
        self.optimizer.zero_grad()
        self.clock.timed("backward", self.scaler.scale(loss).backward)()
        self.clock.timed("optimizer", self._update)()
        self.clock.timed("average", self.average)()

    def _update(self) -> None:
        self.scaler.step(self.optimizer)
        self.scaler.update()


class PixeltableYolox(Rival):
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


class TorchvisionFcos(Rival):
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
