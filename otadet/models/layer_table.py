"""Table of a network's layers, for ``--list-layers``."""

from __future__ import annotations

from tabulate import tabulate
from torch import nn
from torchvision.ops import FrozenBatchNorm2d


def layer_table(model: nn.Module) -> str:
    """Return a table of the layers with parameters: name, type, number, and which are frozen.

    A norm whose statistics stay as they are is ``frozen`` too.
    """
    rows = [
        (name, type(module).__name__, count, "" if learns else "frozen")
        for name, module in model.named_modules()
        if (own := list(module.parameters(recurse=False))) or isinstance(module, FrozenBatchNorm2d)
        for count in [sum(p.numel() for p in own)]
        for learns in [any(p.requires_grad for p in own)]
    ]
    total = sum(p.numel() for p in model.parameters())
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    table = tabulate(rows, headers=["layer", "type", "parameters", ""])
    return f"{table}\n{total:,} parameters, of which {learning:,} learn"
