"""torchvision's ResNets as backbones, with their classification weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

from torch import Tensor, nn
from torchvision import models
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.ops import FrozenBatchNorm2d

from otadet.errors import InputError
from otadet.models.deform_conv import deform, offset_names
from otadet.models.state_dict import load_state
from otadet.models.torch_file import read_file


def _resnet10(norm_layer: Callable[..., nn.Module]) -> ResNet:
    return ResNet(BasicBlock, [1, 1, 1, 1], norm_layer=norm_layer)


BACKBONES: dict[str, Callable[..., ResNet]] = {
    "resnet10": _resnet10,  # one block a stage: half of ResNet-18, for quick runs on a CPU
    "resnet18": models.resnet18,
    "resnet34": models.resnet34,
    "resnet50": models.resnet50,
    "resnet101": models.resnet101,
    "resnext50_32x4d": models.resnext50_32x4d,
    "resnext101_32x8d": models.resnext101_32x8d,
    "resnext101_64x4d": models.resnext101_64x4d,
}
"""Constructors by name; each takes ``norm_layer``."""

_STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")
_STEM = ("conv1", "bn1")


class ResNetBackbone(nn.Module):
    """A ResNet cut after its last stage.

    Args:
        name: a key of :data:`BACKBONES`.
        frozen_norm: BatchNorm with fixed statistics and weights, as detectors with few images a
            device use it on pretrained weights. Without pretrained weights it must be off.
        frozen_stages: how many parts do not learn, from the input on: 1 is the stem, 2 the stem
            and the first stage (the paper's recipe), 5 all.
        deform_stages: in how many of the last stages the 3x3 convolutions are deformable (2 in
            the paper's largest network), 0 to 4.
        finest: stride of the finest output, 8 or 4.

    Raises:
        InputError: unknown name, or a number of stages out of range.
    """

    def __init__(
        self,
        name: str,
        frozen_norm: bool = False,
        frozen_stages: int = 0,
        deform_stages: int = 0,
        finest: int = 8,
    ) -> None:
        super().__init__()
        outputs = _STAGES[1 if finest == 4 else 2 :]
        self.strides = (4, 8, 16, 32) if finest == 4 else (8, 16, 32)
        if name not in BACKBONES:
            raise InputError(
                f"backbone: expected one of {', '.join(BACKBONES)}, or timm/NAME; got {name!r}"
            )
        if not 0 <= frozen_stages <= len(_STAGES):
            raise InputError(f"frozen_stages: expected 0 to {len(_STAGES)}, got {frozen_stages}")
        if not 0 <= deform_stages < len(_STAGES):
            raise InputError(
                f"deform_stages: expected 0 to {len(_STAGES) - 1}, got {deform_stages}"
            )
        norm: Callable[..., nn.Module] = FrozenBatchNorm2d if frozen_norm else nn.BatchNorm2d
        network = BACKBONES[name](norm_layer=norm)
        self.channels = tuple(_out_channels(getattr(network, s)) for s in outputs)
        for stage in _STAGES[len(_STAGES) - deform_stages :]:
            deform(getattr(network, stage))
        self.body = IntermediateLayerGetter(network, {s: s for s in outputs})
        self.frozen = tuple(
            part
            for stage in _STAGES[:frozen_stages]
            for part in (_STEM if stage == "stem" else (stage,))
        )
        for part in self.frozen:
            self.body[part].requires_grad_(False)

    def train(self, mode: bool = True) -> ResNetBackbone:
        """Set the mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        for part in self.frozen:
            self.body[part].eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """Turn normalised images ``[B, 3, H, W]`` into features, finest first."""
        return list(self.body(images).values())


def _out_channels(stage: nn.Module) -> int:
    convs = [m for m in stage.modules() if isinstance(m, nn.Conv2d)]
    return max(c.out_channels for c in convs)


def load_backbone_weights(backbone: ResNetBackbone, name: str, weights: str) -> None:
    """Load classification weights into a backbone.

    A deformable convolution takes the plain one's weights; its offsets stay at zero.

    Args:
        backbone: changed in place.
        name: a key of :data:`BACKBONES`.
        weights: a file with a torchvision state dict, or the name of weights that torchvision
            publishes for this network, such as ``IMAGENET1K_V1``, which are downloaded once.

    Raises:
        InputError: the file, the name, the download or the fit fails.
    """
    state = _read_file(Path(weights)) if Path(weights).is_file() else _download(name, weights)
    state = {k: v for k, v in state.items() if not k.startswith("fc.")}
    own = backbone.body.state_dict()
    state = {**{k: own[k] for k in offset_names(backbone.body)}, **state}
    load_state(backbone.body, state, f"backbone_weights {weights}, for {name}")


def _read_file(path: Path) -> dict[str, Tensor]:
    state = read_file(path, "backbone_weights")
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f"backbone_weights {path}: expected a state dict of tensors")
    return state


def _download(name: str, weights: str) -> dict[str, Tensor]:
    if name not in models.list_models():
        raise InputError(
            f"backbone_weights {weights!r}: no such file, and torchvision publishes no weights "
            f"for {name}; use backbone_weights=none to start from scratch"
        )
    known = models.get_model_weights(name)
    if weights not in known.__members__:
        raise InputError(
            f"backbone_weights {weights!r}: no such file, and no weights of this name for {name}; "
            f"torchvision has {', '.join(known.__members__)}"
        )
    entry = known[weights]
    try:
        state: dict[str, Tensor] = entry.get_state_dict(progress=True, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"backbone_weights {weights}: could not fetch {entry.url} ({error}); fetch the file "
            f"on a machine with a network and pass backbone_weights=PATH, or "
            f"backbone_weights=none to start from scratch"
        ) from error
    return state
