"""Load state dicts, with one line where they do not fit."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from otadet.errors import InputError
from otadet.schema import shown

_COUNTER = "num_batches_tracked"  # FrozenBatchNorm2d has none; nothing depends on it


def load_state(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load ``state`` into ``module``, whole or not at all.

    Args:
        module: changed in place.
        state: tensors by name.
        source: where they came from, for the message.

    Raises:
        InputError: names, shapes or kinds of numbers differ; states how many and the first.
    """
    check_state(module, state, source)
    known = module.state_dict().keys()
    counters = {k: v for k, v in state.items() if k in known and v.numel() == 1}
    wanted = {k: v for k, v in state.items() if k in counters or not k.endswith(_COUNTER)}
    module.load_state_dict(wanted, strict=False)


def check_state(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Check that ``state`` fits into ``module``, see :func:`load_state`.

    Raises:
        InputError: it does not.
    """
    own = {k: v for k, v in module.state_dict().items() if not k.endswith(_COUNTER)}
    theirs = {k: v for k, v in state.items() if not k.endswith(_COUNTER)}
    missing = [k for k in own if k not in theirs]
    unknown = [k for k in theirs if k not in own]
    reshaped = [k for k in own if k in theirs and _form(own[k]) != _form(theirs[k])]
    if missing or unknown or reshaped:
        if reshaped:
            key = reshaped[0]
            first = f"{shown(key)} is {_form(theirs[key])} there and {_form(own[key])} here"
        else:
            first = f"{shown((missing or unknown)[0])} is {'missing' if missing else 'unknown'}"
        raise InputError(
            f"{source}: the weights of another network: {len(missing)} entries missing, "
            f"{len(unknown)} unknown, {len(reshaped)} of another shape; {first}"
        )


def _form(tensor: Tensor) -> str:
    """Shape of a tensor, and whether its numbers are whole."""
    return f"{list(tensor.shape)}{'' if tensor.is_floating_point() else ' of whole numbers'}"
