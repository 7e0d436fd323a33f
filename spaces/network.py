"""Build the network of an architecture: stem, stages of blocks, head. Reads `n c h w`, returns logits `n k`."""

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture, ImageSpec, Plan, plan
from spaces.blocks import BLOCKS, conv
from spaces.errors import InfeasibleArchitecture


class Stem(nn.Sequential):
    """3x3 (small images), or 7x7 of stride 2 and max-pool (large); BN and ReLU unless the first block begins so.

    A small stem of a pre-activated network is the bare convolution (He et al. 2016, section 4.1); a large one keeps
    its BN and ReLU before the pooling.
    """

    def __init__(self, kind: str, channels: int, width: int, *, preactivated: bool) -> None:
        layers: list[nn.Module] = [conv(channels, width, 7, 2) if kind == "large" else conv(channels, width, 3)]
        if kind == "large" or not preactivated:
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
        if kind == "large":
            layers.append(nn.MaxPool2d(3, 2, 1))
        super().__init__(*layers)


class Head(nn.Module):
    """BN and ReLU where the last block leaves its sum raw, then mean over the map, dropout, linear."""

    def __init__(self, width: int, classes: int, *, preactivated: bool, dropout_rate: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU()) if preactivated else nn.Identity()
        self.dropout = nn.Dropout(dropout_rate)
        self.linear = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits `n k`."""
        logits: Tensor = self.linear(self.dropout(self.norm(x).mean(dim=(2, 3))))
        return logits


class Network(nn.Module):
    """head(stages(stem(x)))."""

    def __init__(self, described: Plan, image: ImageSpec) -> None:
        super().__init__()
        preactivated = described.preactivated
        self.stem = Stem(described.stem, image.channels, described.stem_width, preactivated=preactivated)
        self.stages = nn.Sequential(
            *(nn.Sequential(*(BLOCKS[spec.kind](spec) for spec in stage)) for stage in described.stages)
        )
        self.head = Head(
            described.out_width, image.classes, preactivated=preactivated, dropout_rate=described.head_dropout_rate
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits `n k` for images `n c h w`."""
        logits: Tensor = self.head(self.stages(self.stem(x)))
        return logits


def build(architecture: Architecture, image: ImageSpec, *, generator: torch.Generator | None = None) -> Network:
    """Return a freshly initialised network.

    Convolutions are He-normal by fan-out, gammas 1, betas and the classifier's bias 0, its weights torch's default.

    Args:
        architecture: what to build.
        image: what it reads.
        generator: source of the initial weights, and then torch's global one is left as it was; the global one where
            none is given.

    Raises:
        InfeasibleArchitecture: the image is too small for the strides.
    """
    check_fits(architecture, image)
    # Layers draw weights of their own as they are made, from the global generator.
    with torch.random.fork_rng(devices=[], enabled=generator is not None):
        network = Network(plan(architecture), image)
    for module in network.modules():
        _initialise(module, generator)
    return network


def _initialise(module: nn.Module, generator: torch.Generator | None) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
    elif isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, a=5**0.5, generator=generator)
        nn.init.zeros_(module.bias)


def check_fits(architecture: Architecture, image: ImageSpec) -> None:
    """Refuse images that the strides would bring below one pixel before the last stride.

    Raises:
        InfeasibleArchitecture: naming the image, the stem and the number of strided stages.
    """
    strides = architecture.stages - 1 + (2 if architecture.stem == "large" else 0)
    smallest = min(image.height, image.width)
    if smallest < 2**strides:
        raise InfeasibleArchitecture(
            f"an image of {image.height}x{image.width} is too small for stem {architecture.stem} and "
            f"{architecture.stages} stages: at least {2**strides} pixels are needed"
        )
