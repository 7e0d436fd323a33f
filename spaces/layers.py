"""Build what torch has no layer for: shortcuts without parameters, CReLU, dropped branches, the cosine classifier."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own documentation names it so
from torch import Tensor, nn

from spaces.plan import Conv


def conv(spec: Conv, *, bias: bool = False, border: int | None = None) -> nn.Conv2d:
    """Return a convolution that keeps the map's size at stride 1, but where its border is told."""
    pad = spec.kernel // 2 if border is None else border
    kind = StridedPointwise if spec.kernel == 1 and spec.stride > 1 else nn.Conv2d
    return kind(spec.in_width, spec.out_width, spec.kernel, spec.stride, pad, groups=spec.groups, bias=bias)


class StridedPointwise(nn.Conv2d):
    """w x[::s, ::s]: a 1x1 convolution with a stride, on a processor as a dense one over every s-th pixel.

    That is the same function. oneDNN's own backward pass of it writes past its workspace in channels_last float32
    where there are fewer input channels than a vector has lanes (oneDNN issue 6035): it crashes, or is silently wrong.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `n c h w`."""
        if x.device.type != "cpu" or x.shape[0] == 0:  # a batch of none only counts: the slice is no memory of its own
            return super().forward(x)
        across, down = self.stride
        return F.conv2d(x[:, :, ::across, ::down], self.weight, self.bias, groups=self.groups)


class CReLU(nn.Module):
    """relu(x) and relu(-x) along the channels (Shang et al. 2016): what is negated is already normalised."""

    def forward(self, x: Tensor) -> Tensor:
        """Return twice the channels."""
        return F.relu(torch.cat([x, -x], dim=1))


def activation(width: int, reads: int) -> nn.Module:
    """Return what stands between a convolution of some width and what reads it."""
    return nn.ReLU() if width == reads else CReLU()


class PadShortcut(nn.Module):
    """Subsample by the stride and append channels of zeros (shortcut A): no parameters."""

    def __init__(self, extra: int, stride: int) -> None:
        super().__init__()
        self.extra = extra
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the shortcut's output."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


class PoolShortcut(nn.Module):
    """Average over stride by stride pixels and append channels of zeros (Huang et al. 2016): no parameters."""

    def __init__(self, extra: int, stride: int) -> None:
        super().__init__()
        self.extra = extra
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the shortcut's output; a last odd row or column is averaged by itself, as a convolution keeps it."""
        pooled = F.avg_pool2d(x, self.stride, ceil_mode=True, count_include_pad=False)
        return F.pad(pooled, (0, 0, 0, 0, 0, self.extra))


class Sum(nn.Module):
    """shortcut + branch."""

    def forward(self, _x: Tensor, through: Tensor, added: Tensor) -> Tensor:
        """Return the sum."""
        return through + added


class Scaled(nn.Module):
    """(shortcut + branch) / 2 (He et al. 2016, table 1)."""

    def forward(self, _x: Tensor, through: Tensor, added: Tensor) -> Tensor:
        """Return the mean of both."""
        return (through + added) / 2


class Gate(nn.Conv2d):
    """sigmoid(w x + b), b at first as told: of two gates side by side, the one that lets the branch through."""

    def __init__(self, spec: Conv, start: float) -> None:
        super().__init__(spec.in_width, spec.out_width, spec.kernel, padding=spec.kernel // 2)
        self.start = start
        self.step = spec.stride

    def forward(self, x: Tensor) -> Tensor:
        """Return a share for each pixel and channel, of every s-th pixel."""
        return super().forward(x[:, :, :: self.step, :: self.step]).sigmoid()


class Gated(nn.Module):
    """(1 - g) shortcut + branch, g a gate; exclusive: (1 - g) shortcut + g branch (He et al. 2016, table 1)."""

    def __init__(self, gate: Gate, *, exclusive: bool) -> None:
        super().__init__()
        self.gate = gate
        self.exclusive = exclusive

    def forward(self, x: Tensor, through: Tensor, added: Tensor) -> Tensor:
        """Return the sum of what the gate lets through, given what it reads and both terms."""
        share: Tensor = self.gate(x)
        return (1 - share) * through + (share * added if self.exclusive else added)


class Shuffle(nn.Module):
    """Deal channels of some groups out, so that each group behind holds some of each before (Zhang et al. 2018)."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels in another order."""
        n, _, height, width = x.shape
        return x.view(n, self.groups, x.shape[1] // self.groups, height, width).transpose(1, 2).reshape(x.shape)


class SqueezeExcite(nn.Module):
    """sigmoid(v relu(u mean(x))) x, the mean over the map (Hu et al. 2018)."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, squeezed)
        self.excite = nn.Linear(squeezed, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels, each weighed by a share in [0, 1]."""
        share: Tensor = self.excite(F.relu(self.squeeze(x.mean(dim=(2, 3))))).sigmoid()
        return x * share[:, :, None, None]


class OverlappingPool(nn.Module):
    """The largest of 3x3 pixels at every other one, without a border; of a map of a pixel, that."""

    def forward(self, x: Tensor) -> Tensor:
        """Return half the map."""
        windows = (min(3, x.shape[2]), min(3, x.shape[3]))
        return F.max_pool2d(x, windows, 2, ceil_mode=True)


class HiddenLayers(nn.Sequential):
    """A max-pool, means over a map of fixed size, two layers with ReLU and dropout (Simonyan & Zisserman 2015).

    With dropout before each of them, and windows of the max-pool that overlap, they are AlexNet's (Krizhevsky 2014).
    """

    def __init__(self, width: int, hidden: int, side: int, rate: float, *, dropped: bool = False) -> None:
        layers: list[nn.Module] = []
        for linear in (nn.Linear(width * side**2, hidden), nn.Linear(hidden, hidden)):
            layers += [nn.Dropout(rate), linear, nn.ReLU()] if dropped else [linear, nn.ReLU(), nn.Dropout(rate)]
        pool = OverlappingPool() if dropped else nn.MaxPool2d(2, ceil_mode=True)
        super().__init__(pool, nn.AdaptiveAvgPool2d(side), nn.Flatten(), *layers)


class DropBranch(nn.Module):
    """Drop a whole branch at random in training (stochastic depth, Huang et al. 2016).

    For a `batch` the branch is 0 or whole, and at evaluation scaled by its share kept, as the paper has it. For each
    `sample` it is 0 or divided by that share, and at evaluation whole: equal in expectation.
    """

    def __init__(self, rate: float, unit: str) -> None:
        super().__init__()
        self.rate = rate
        self.unit = unit

    @property
    def drops_all(self) -> bool:
        """Return whether the branch is now 0 or whole."""
        return self.training and self.unit == "batch"

    def keeps(self) -> bool:
        """Draw whether the branch is whole; on the CPU, as a draw on a GPU would have to be waited for."""
        return bool(torch.rand(()) < 1 - self.rate)

    def forward(self, x: Tensor) -> Tensor:
        """Return the branch's output, or nothing of it."""
        keep = 1 - self.rate
        if self.drops_all:
            return x * float(self.keeps())
        if self.unit == "batch":
            return x * keep
        if not self.training:
            return x
        kept = torch.rand(len(x), 1, 1, 1, device=x.device) < keep
        return x * kept / keep

    def extra_repr(self) -> str:
        """Return what tells two of them apart."""
        return f"rate={self.rate}, unit={self.unit}"


class Droppable(nn.Sequential):
    """A branch that ends with `DropBranch` and is added to something: where it is dropped whole, it is not computed.

    What it begins with draws nothing, so whether it is dropped is the next draw before it as after it. Its parameters
    then have no gradient, which an optimizer may not take for none: decay and momentum go on.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the branch's output, or a scalar 0."""
        drop = self[-1]
        if not (isinstance(drop, DropBranch) and drop.drops_all):
            found: Tensor = super().forward(x)  # type: ignore[no-untyped-call]  # torch's own stub
            return found
        if not drop.keeps():
            return x.new_zeros(())
        for layer in list(self)[:-1]:
            x = layer(x)
        return x


class DropPath(nn.Module):
    """Leave some of the columns that meet, at random in training (Larsson et al. 2017).

    Each is dropped at a rate, but not all of them. For a share of the batches it is one column alone, the same wherever
    columns meet in the network, which draws it (`draw_column`). At evaluation all are left.
    """

    def __init__(self, columns: int, rate: float, share: float) -> None:
        super().__init__()
        self.columns = columns
        self.rate = rate
        self.share = share
        self.only: int | None = None  # the column that is left for this batch

    def left(self, meet: Sequence[int]) -> Sequence[int]:
        """Return which of the columns are left; drawn on the CPU, as a draw on a GPU would have to be waited for."""
        if not self.training or len(meet) == 1:
            return meet
        if self.only is not None and self.only in meet:
            return [self.only]
        kept = [column for column in meet if torch.rand(()) >= self.rate]
        return kept or [meet[int(torch.randint(len(meet), ()))]]

    def extra_repr(self) -> str:
        """Return what tells two of them apart."""
        return f"columns={self.columns}, rate={self.rate}, share={self.share}"


def draw_column(drops: Sequence[DropPath]) -> None:
    """Draw for a batch whether one column alone is left in all blocks, and which."""
    if drops and drops[0].training:
        alone = torch.rand(()) < drops[0].share
        only = int(torch.randint(drops[0].columns, ())) if alone else None
        for drop in drops:
            drop.only = only


class Swapout(nn.Module):
    """Drop units of one of the two terms of a sum, without making up for it (Singh et al. 2016).

    At evaluation each unit is scaled by its share kept: the expectation, of which the paper's stochastic inference (the
    switch for Monte-Carlo passes) is the better form.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Return the term's units, some of them 0."""
        keep = 1 - self.rate
        return x * (torch.rand_like(x) < keep) if self.training else x * keep

    def extra_repr(self) -> str:
        """Return what tells two of them apart."""
        return f"rate={self.rate}"


class Cosine(nn.Module):
    """scale |cos(x, w)| for fixed orthogonal directions w, one a class (Zaeemzadeh et al. 2021).

    Without a scale the logits would stay in [0, 1], and the loss above log(1 + (k - 1) / e), 1.46 for ten classes.
    """

    weight: Tensor

    def __init__(self, width: int, classes: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("weight", torch.empty(classes, width))

    def reset(self, generator: torch.Generator | None) -> None:
        """Draw the directions anew."""
        nn.init.orthogonal_(self.weight, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits `n k` in [0, scale] for features `n c`."""
        with torch.autocast(x.device.type, enabled=False):  # the angles of many classes lie close together
            features = x.to(torch.promote_types(x.dtype, torch.float32))
            return self.scale * F.linear(F.normalize(features, dim=1), self.weight.to(features.dtype)).abs()
