"""Build a block of grouped 1x1 convolutions with shuffled channels between them (ShuffleNet, Zhang et al. 2018)."""

import torch
from torch import Tensor, nn

from spaces.layers import Shuffle, activation, conv
from spaces.plan import BlockSpec


class Shuffled(nn.Module):
    """relu(x + f(x)), f = 1x1 in groups, BN, ReLU, shuffle, 3x3 of one channel each, BN, 1x1 in groups, BN.

    Where channels are added f has those alone, beside x; where it strides x is its means over 3x3 pixels, those of the
    border counted as 0.
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        first, depthwise, last = spec.branch
        self.branch = nn.Sequential(
            conv(first),
            nn.BatchNorm2d(first.out_width),
            activation(first.out_width, depthwise.in_width),
            Shuffle(last.groups),
            conv(depthwise),
            nn.BatchNorm2d(depthwise.out_width),
            nn.Dropout(spec.dropout_rate) if spec.dropout == "between" else nn.Identity(),
            conv(last),
            nn.BatchNorm2d(last.out_width),
        )
        self.shortcut = nn.AvgPool2d(3, spec.stride, 1) if spec.stride > 1 else nn.Identity()
        self.beside = spec.in_width != spec.out_width
        after = nn.Dropout(spec.dropout_rate) if spec.dropout == "after" else nn.Identity()
        self.leave = nn.Sequential(nn.ReLU(), after)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        through, made = self.shortcut(x), self.branch(x)
        left: Tensor = self.leave(torch.cat([through, made], dim=1) if self.beside else through + made)
        return left
