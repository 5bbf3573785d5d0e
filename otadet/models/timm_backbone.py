"""Networks of timm with features of strides 8, 16 and 32 as backbones."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from otadet.errors import InputError
from otadet.models.detector import Normalize
from otadet.models.state_dict import load_state
from otadet.texts import nearest

PREFIX = "timm/"
"""``backbone=timm/NAME`` is timm's NAME, which may carry a tag: ``timm/convnext_tiny.fb_in1k``."""

_PROBE = (128, 160)
"""Height and width of the image that probes a network's features: not square."""


class TimmBackbone(nn.Module):
    """Features of strides 8, 16 and 32 of one of timm's networks (``features_only``).

    Args:
        name: timm's, without the prefix.

    Raises:
        InputError: timm is not installed or does not know the name, or the network has no
            such features or takes images of one size alone.
    """

    strides = (8, 16, 32)

    def __init__(self, name: str) -> None:
        super().__init__()
        with torch.device("meta"):  # to see which of its features are wanted
            whole = _create(name)
        if missing := set(self.strides) - set(whole.feature_info.reduction()):
            raise InputError(
                f"backbone {PREFIX}{name}: expected features of strides 8, 16 and 32; it has "
                f"{', '.join(map(str, whole.feature_info.reduction()))}, not {min(missing)}"
            )
        wanted = tuple(whole.feature_info.reduction().index(s) for s in self.strides)
        with torch.device("meta"):
            self.channels, self.last = _probe(_create(name, out_indices=wanted), name)
        self.body = _create(name, out_indices=wanted)
        self._wanted = wanted

    def forward(self, images: Tensor) -> list[Tensor]:
        """Turn normalised images ``[B, 3, H, W]`` into features of strides 8, 16 and 32."""
        features: list[Tensor] = self.body(images)
        return [f.permute(0, 3, 1, 2) if self.last else f for f in features]

    def load_pretrained(self, name: str, weights: str) -> None:
        """Load classification weights into the body.

        Args:
            name: as above.
            weights: file of a state dict, or ``pretrained`` for what timm publishes under the name.

        Raises:
            InputError: they cannot be fetched or do not fit.
        """
        made = _create(name, weights, out_indices=self._wanted)
        load_state(self.body, made.state_dict(), f"backbone_weights {weights}, for {PREFIX}{name}")


def timm_normalize(name: str) -> Normalize:
    """Make the normalisation that timm's network of this name was trained with."""
    config = _timm().get_pretrained_cfg(name)
    if config is None:
        return Normalize()
    return Normalize([255 * m for m in config.mean], [255 * s for s in config.std])


def _timm() -> Any:
    if importlib.util.find_spec("timm") is None:
        raise InputError(f"backbone {PREFIX}...: timm is not installed; pip install 'otadet[timm]'")
    import timm

    return timm


def _create(name: str, weights: str | None = None, **options: Any) -> Any:
    timm = _timm()
    if not timm.is_model(name.partition(".")[0]):
        near = nearest(name, timm.list_models(), 0.3)
        hint = f"; did you mean {near!r}?" if near else ""
        raise InputError(f"backbone {PREFIX}{name}: timm {timm.__version__} has none{hint}")
    if weights is not None:
        options["pretrained"] = True
        if weights != "pretrained":
            if not Path(weights).is_file():
                raise InputError(
                    f"backbone_weights: expected a file, or 'pretrained' for timm's own of "
                    f"{name}; got {weights!r}"
                )
            options["pretrained_cfg_overlay"] = {"file": weights}
    try:
        return timm.create_model(name, features_only=True, **options)
    except Exception as error:  # timm raises what each network's constructor raises
        what = f"backbone_weights {weights}, for {PREFIX}{name}" if weights else f"{PREFIX}{name}"
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{what}: timm cannot make it: {reason}") from error


def _probe(body: nn.Module, name: str) -> tuple[tuple[int, ...], bool]:
    """Return the channels of the features, and whether they are the last dimension."""
    height, width = _PROBE
    try:
        shapes = [tuple(f.shape) for f in body.eval()(torch.zeros(1, 3, height, width))]
    except Exception as error:  # nothing common to what networks raise at a size not theirs
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"backbone {PREFIX}{name}: expected a network for images of any size; got: {reason}"
        ) from error
    cells = [(height // s, width // s) for s in TimmBackbone.strides]
    if [s[2:] for s in shapes] == cells:
        return tuple(s[1] for s in shapes), False
    if [s[1:3] for s in shapes] == cells:
        return tuple(s[3] for s in shapes), True
    raise InputError(f"backbone {PREFIX}{name}: expected features of {cells}; got {shapes}")
