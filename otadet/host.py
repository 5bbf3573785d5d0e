"""Numbers that the host knows, as tensors of a device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def on_device(
    values: Sequence[float], device: torch.device, dtype: torch.dtype = torch.int64
) -> Tensor:
    """The host's numbers as a tensor ``[len(values)]``, without waiting for the device.

    A copy from memory that is not page-locked may wait until the device has nothing left to do.
    """
    tensor = torch.tensor(values, dtype=dtype)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
