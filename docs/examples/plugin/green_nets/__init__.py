"""Squeeze-and-excitation blocks, the energy of one inference as an objective, noise, and a network of no grammar."""

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture, ImageSpec
from spaces.blocks import Residual
from spaces.counting import cost
from spaces.packages import Block
from spaces.plan import BlockSpec
from workers.objectives import Objective

__version__ = "1.0"

REDUCTION = 4  # channels that one channel of the gate's inner layer stands for


class Gate(nn.Module):
    """Each channel times what the means of all channels make of it (Hu et al. 2018, figure 2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = max(1, width // REDUCTION)
        self.layers = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Return `n c h w`."""
        gates: Tensor = self.layers(x.mean(dim=(2, 3)))
        return x * gates[:, :, None, None]


class SqueezeExcite(Residual):
    """A residual block whose branch ends in a gate; orders, shortcuts and dropout are those of `Residual`."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__(spec)
        self.branch.append(Gate(spec.out_width))


BLOCKS = {
    "se_basic": Block(build=SqueezeExcite, like="basic"),
    "se_preact": Block(build=SqueezeExcite, like="preact"),
}

PICOJOULES = {"mac": 3.7 + 0.9, "word": 640.0}  # float32 product and sum; 32 bits of DRAM (Horowitz 2014, 45 nm)


def energy(architecture: Architecture, image: ImageSpec) -> float:
    """Return the microjoules of one inference that reads every weight once from memory."""
    counted = cost(architecture, image)
    return (counted.macs * PICOJOULES["mac"] + counted.params * PICOJOULES["word"]) / 1e6


OBJECTIVES = {
    "energy_uj": Objective(
        name="energy_uj", title="energy of one inference, estimated", unit="uJ", direction="minimize", static=True,
        count=energy,
    ),
}  # fmt: skip


def noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return normalised images with a little noise."""
    drawn = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
    return images + 0.05 * drawn


AUGMENTATIONS = {"noise": noise}


class Mixer(nn.Sequential):
    """Patches, then layers of a depthwise convolution beside a shortcut and a 1x1 one (Trockman & Kolter 2022)."""

    def __init__(self, image: ImageSpec, width: int, layers: int, patch: int, kernel: int) -> None:
        if patch > min(image.height, image.width):
            raise ValueError(f"patches of {patch} pixels do not fit into {image.height}x{image.width}")
        begin = nn.Sequential(nn.Conv2d(image.channels, width, patch, patch), nn.GELU(), nn.BatchNorm2d(width))
        body = (part for _ in range(layers) for part in (Depthwise(width, kernel), pointwise(width)))
        super().__init__(begin, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, image.classes))


class Depthwise(nn.Module):
    """x + BN(gelu(conv(x))), a convolution for each channel."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        conv = nn.Conv2d(width, width, kernel, groups=width, padding="same")
        self.layers = nn.Sequential(conv, nn.GELU(), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return `n c h w`."""
        return x + self.layers(x)


def pointwise(width: int) -> nn.Module:
    """Return BN(gelu(1x1 conv))."""
    return nn.Sequential(nn.Conv2d(width, width, 1), nn.GELU(), nn.BatchNorm2d(width))


def mixer(image: ImageSpec, *, width: int, layers: int, patch: int, kernel: int = 5) -> nn.Module:
    """Return a network for `space: {network: green_nets:mixer}`; ValueError says that no network has these options."""
    return Mixer(image, width, layers, patch, kernel)
