"""Build one block from its specification: one class each, one signature.

Tensors are `n c h w`. No convolution has a bias, since a normalisation or the addition follows. Dropout stands where
the architecture places it: `between` the convolutions (before the last one), `after` the addition, or on the
`shortcut`. `head` belongs to the network.

Sources: He et al. 2015 (figures 2 and 5), He et al. 2016 (figure 4e), Zagoruyko & Komodakis 2016 (figure 1),
Xie et al. 2017 (figure 3c).
"""

from collections.abc import Callable

import torch.nn.functional as F  # noqa: N812  # torch's own documentation names it so
from torch import Tensor, nn

from spaces.architecture import BlockSpec


def conv(in_width: int, out_width: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Return a convolution that keeps the map's size at stride 1, without bias."""
    return nn.Conv2d(in_width, out_width, kernel, stride, kernel // 2, groups=groups, bias=False)


class PadShortcut(nn.Module):
    """Subsample by the stride and append channels of zeros (shortcut A): no parameters."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        self.stride = spec.stride
        self.extra = spec.out_width - spec.in_width

    def forward(self, x: Tensor) -> Tensor:
        """Return the shortcut's output."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


def _shortcut(spec: BlockSpec, *, norm: bool) -> nn.Module:
    if spec.shortcut == "identity":
        return nn.Identity()
    if spec.shortcut == "pad":
        return PadShortcut(spec)
    projection = conv(spec.in_width, spec.out_width, 1, spec.stride)
    return nn.Sequential(projection, nn.BatchNorm2d(spec.out_width)) if norm else projection


def _dropout(spec: BlockSpec, placement: str) -> nn.Module:
    return nn.Dropout(spec.dropout_rate) if spec.dropout == placement else nn.Identity()


def _strides(spec: BlockSpec) -> tuple[int, int]:
    """Return the strides of a bottleneck's first 1x1 and of its 3x3."""
    return (spec.stride, 1) if spec.stride_in == "first" else (1, spec.stride)


class _PostActivated(nn.Module):
    """relu(shortcut(x) + branch(x)), the order of the first residual networks."""

    def __init__(self, spec: BlockSpec, branch: nn.Sequential) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = nn.Sequential(_shortcut(spec, norm=True), _dropout(spec, "shortcut"))
        self.after = _dropout(spec, "after")

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        out: Tensor = self.after(F.relu(self.shortcut(x) + self.branch(x)))
        return out


class Basic(_PostActivated):
    """relu(x + f(x)), f = 3x3, BN, ReLU, 3x3, BN."""

    def __init__(self, spec: BlockSpec) -> None:
        branch = nn.Sequential(
            conv(spec.in_width, spec.inner_width, 3, spec.stride),
            nn.BatchNorm2d(spec.inner_width),
            nn.ReLU(),
            _dropout(spec, "between"),
            conv(spec.inner_width, spec.out_width, 3),
            nn.BatchNorm2d(spec.out_width),
        )
        super().__init__(spec, branch)


class Bottleneck(_PostActivated):
    """relu(x + f(x)), f = 1x1, BN, ReLU, 3x3 in groups, BN, ReLU, 1x1, BN; one group but for resnext."""

    def __init__(self, spec: BlockSpec) -> None:
        first, second = _strides(spec)
        branch = nn.Sequential(
            conv(spec.in_width, spec.inner_width, 1, first),
            nn.BatchNorm2d(spec.inner_width),
            nn.ReLU(),
            conv(spec.inner_width, spec.inner_width, 3, second, spec.groups),
            nn.BatchNorm2d(spec.inner_width),
            nn.ReLU(),
            _dropout(spec, "between"),
            conv(spec.inner_width, spec.out_width, 1),
            nn.BatchNorm2d(spec.out_width),
        )
        super().__init__(spec, branch)


class _PreActivated(nn.Module):
    """shortcut + branch(a), a = ReLU(BN(x)); a projection reads a, an identity or padding reads the raw x."""

    def __init__(self, spec: BlockSpec, branch: nn.Sequential) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(spec.in_width)
        self.branch = branch
        self.shortcut = nn.Sequential(_shortcut(spec, norm=False), _dropout(spec, "shortcut"))
        self.after = _dropout(spec, "after")
        self.shares = spec.shortcut == "project"

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        activated = F.relu(self.norm(x))
        out: Tensor = self.after(self.shortcut(activated if self.shares else x) + self.branch(activated))
        return out


class Preact(_PreActivated):
    """x + f(x), f = BN, ReLU, 3x3, BN, ReLU, dropout, 3x3: the block of wide residual networks, B(3,3)."""

    def __init__(self, spec: BlockSpec) -> None:
        branch = nn.Sequential(
            conv(spec.in_width, spec.inner_width, 3, spec.stride),
            nn.BatchNorm2d(spec.inner_width),
            nn.ReLU(),
            _dropout(spec, "between"),
            conv(spec.inner_width, spec.out_width, 3),
        )
        super().__init__(spec, branch)


class PreactBottleneck(_PreActivated):
    """x + f(x), f = BN, ReLU, 1x1, BN, ReLU, 3x3, BN, ReLU, 1x1."""

    def __init__(self, spec: BlockSpec) -> None:
        first, second = _strides(spec)
        branch = nn.Sequential(
            conv(spec.in_width, spec.inner_width, 1, first),
            nn.BatchNorm2d(spec.inner_width),
            nn.ReLU(),
            conv(spec.inner_width, spec.inner_width, 3, second),
            nn.BatchNorm2d(spec.inner_width),
            nn.ReLU(),
            _dropout(spec, "between"),
            conv(spec.inner_width, spec.out_width, 1),
        )
        super().__init__(spec, branch)


BLOCKS: dict[str, Callable[[BlockSpec], nn.Module]] = {
    "basic": Basic,
    "bottleneck": Bottleneck,
    "resnext": Bottleneck,
    "preact": Preact,
    "preact_bottleneck": PreactBottleneck,
}
