"""Random generators derived from seed and position, independent of process and worker."""

from __future__ import annotations

import random

import numpy as np
import torch


def generator(seed: int, *position: int) -> np.random.Generator:
    """Return the generator of one position in a run, for example ``generator(seed, epoch, index)``.

    The same arguments give the same stream in any process, worker or order.
    """
    return np.random.default_rng([seed, *position])


def seed_all(seed: int) -> None:
    """Seed Python, numpy and torch (all devices) for code that uses their global states."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - this function is about the global states
    torch.manual_seed(seed)
