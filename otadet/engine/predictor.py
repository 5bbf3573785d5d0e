"""A trained network that is ready to look at pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from otadet.data import collate
from otadet.engine.checkpoint import Checkpoint, load_weights
from otadet.engine.devices import memory_layout
from otadet.engine.evaluate import detect
from otadet.engine.precision import Precision
from otadet.exp import Exp
from otadet.geometry import Geometry
from otadet.models import Detector
from otadet.rng import generator
from otadet.types import Detections, Sample


@dataclass(frozen=True, eq=False)
class Predictor:
    """Network, settings and class names of a checkpoint, on a device.

    Attributes:
        model: in evaluation mode.
        exp: resize and postprocess are its.
        class_names: in the order of the network's outputs.
        device: where the network is.
        precision: of the forward pass.
    """

    model: Detector
    exp: Exp
    class_names: tuple[str, ...]
    device: torch.device
    precision: Precision

    @staticmethod
    def from_checkpoint(
        checkpoint: Checkpoint, exp: Exp, device: torch.device, precision: Precision
    ) -> Predictor:
        """Build the network of ``exp`` and load the checkpoint's weights into it."""
        model = exp.build_model(len(checkpoint.class_names))
        load_weights(model, checkpoint)
        model = model.eval().to(device=device, memory_format=memory_layout(device))  # type: ignore[call-overload]
        return Predictor(model, exp, checkpoint.class_names, device, precision)

    def __call__(self, image: npt.NDArray[np.uint8]) -> Detections:
        """Detections of one picture ``[H, W, 3]`` uint8 RGB, in its own pixels."""
        none = np.zeros((0, 4), np.float32)
        sample = Sample(
            image, none, np.zeros(0, np.int64), none, 0, Geometry.identity(image.shape[:2])
        )
        sample = self.exp.build_val_transform()(sample, generator(0))
        return detect(self.model, collate([sample]), self.exp, self.device, self.precision)[0]
