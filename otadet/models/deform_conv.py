"""Modulated deformable convolution (Zhu et al. 2019, "Deformable ConvNets v2")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.ops import DeformConv2d, deform_conv2d


# torchvision is untyped
class ModulatedDeformConv2d(DeformConv2d):  # type: ignore[misc]
    """Convolution that samples at learned offsets and weighs each sample (DCNv2).

    The kernel keeps the name and shape of a plain convolution's, so that its weights load; only
    ``offset`` is new. It starts at zero: no shift, and a weight of a half for every place (the
    paper's start, section 3.1), so that a fresh one gives half of what the plain one gives.

    Args:
        inputs: channels.
        outputs: channels.
        kernel: odd size of the kernel; padding keeps the size at stride 1.
        stride: of the output.
        dilation: distance between the kernel's places.
        groups: of the kernel; all groups sample at the same places.
        bias: whether there is one behind the kernel.
    """

    offset: nn.Conv2d

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(inputs, outputs, kernel, stride, padding, dilation, groups, bias)
        places = kernel * kernel
        # Two numbers a place for the shift, one for the weight.
        self.offset = nn.Conv2d(inputs, 3 * places, kernel, stride, padding, dilation)
        self.reset_offset()

    def reset_offset(self) -> None:
        """Set offsets to zero and all weights to a half."""
        nn.init.zeros_(self.offset.weight)
        if self.offset.bias is not None:
            nn.init.zeros_(self.offset.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Turn ``[B, inputs, H, W]`` into ``[B, outputs, H / stride, W / stride]``, same dtype.

        Float32 inside, also under autocast: in half precision a place 100 cells from the border
        is known to a sixteenth of a cell, and the sampling has no half-precision form on a CPU.
        """
        kind = x.device.type
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
            with torch.autocast(kind, enabled=False):
                return self._sample(x.float()).to(x.dtype)
        return self._sample(x)

    def _sample(self, x: Tensor) -> Tensor:
        offsets = self.offset(x)
        shifts, weights = offsets.split([offsets.shape[1] // 3 * 2, offsets.shape[1] // 3], dim=1)
        y: Tensor = deform_conv2d(
            x, shifts, self.weight, self.bias, self.stride, self.padding, self.dilation,
            mask=weights.sigmoid(),
        )  # fmt: skip
        return y

    @staticmethod
    def of(conv: nn.Conv2d) -> ModulatedDeformConv2d:
        """Make a deformable convolution with the weights of ``conv``, whose padding is ``same``."""
        made = ModulatedDeformConv2d(
            conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0],
            conv.dilation[0], conv.groups, conv.bias is not None,
        )  # fmt: skip
        made.weight, made.bias = conv.weight, conv.bias
        return made


def deform(module: nn.Module) -> None:
    """Replace every 3x3 convolution inside ``module``, in place, by a deformable one."""
    for name, child in list(module.named_modules()):
        if type(child) is nn.Conv2d and child.kernel_size == (3, 3):
            parent, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(parent), leaf, ModulatedDeformConv2d.of(child))


def is_deformable(module: nn.Module) -> bool:
    """Return whether there is a deformable convolution inside."""
    return any(isinstance(m, DeformConv2d) for m in module.modules())


def offset_names(module: nn.Module) -> set[str]:
    """Return the state names of the layers that a plain network does not have."""
    return {
        f"{name}.offset.{leaf}"
        for name, child in module.named_modules()
        if isinstance(child, ModulatedDeformConv2d)
        for leaf in child.offset.state_dict()
    }
