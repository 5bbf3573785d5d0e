"""The layers of a network as a list to choose from."""

from __future__ import annotations

from tabulate import tabulate
from torch import nn
from torchvision.ops import FrozenBatchNorm2d


def layer_table(model: nn.Module) -> str:
    """Every layer with parameters of its own: name, type, how many, and whether they learn.

    A part that is frozen by name is said to be ``frozen``, and so is a norm whose statistics
    stay as they are.
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
