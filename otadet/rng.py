"""Randomness as a function of seed and place, so that nothing depends on who computes it."""

from __future__ import annotations

import random

import numpy as np
import torch


def generator(seed: int, *place: int) -> np.random.Generator:
    """A generator for one place in a run, for example ``generator(seed, epoch, index)``.

    The same arguments give the same stream in any process, worker or order.
    """
    return np.random.default_rng([seed, *place])


def seed_all(seed: int) -> None:
    """Seed Python, numpy and torch (all devices) for code that uses their global states."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - this function is about the global states
    torch.manual_seed(seed)
