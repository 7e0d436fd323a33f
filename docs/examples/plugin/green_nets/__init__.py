"""Squeeze-and-excitation blocks, and the energy of one inference as an objective: parts for `plugins: [green_nets]`."""

import torch
from torch import Tensor, nn

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


def energy(architecture, image) -> float:  # type: ignore[no-untyped-def]
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
