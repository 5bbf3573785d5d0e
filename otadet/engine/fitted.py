"""The network of some weights."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import torch
from torch import Tensor

from otadet.exp import BaseExp
from otadet.models import Detector, check_state, load_state


def fitted_model(exp: BaseExp, classes: int, weights: Mapping[str, Tensor], where: str) -> Detector:
    """Build an experiment's network and load weights into it.

    The sizes of both are compared before the network takes memory: the settings, which may come
    from the same file, can ask for any size.

    Args:
        exp: the experiment.
        classes: number of classes.
        weights: tensors by name.
        where: their file, for the message.

    Raises:
        InputError: names, shapes or types differ.
    """
    # A user's network may need numbers where it is built, which this device does not have.
    with suppress(NotImplementedError, RuntimeError), torch.device("meta"):
        check_state(exp.build_model(classes), weights, where)
    model: Detector = exp.build_model(classes)
    load_state(model, weights, where)
    return model
