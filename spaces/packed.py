"""Build what keeps networks apart that lie side by side along the channels: `n (K c) h w`, member by member.

Most layers do by themselves: a convolution of K times the groups, a normalisation of K times the channels, whatever
looks at one channel alone. Here are the others: those that split or join channels, mix them all, or draw. A layer's
twin has its parameters under its names, K times as long along their first axis: member i's are the i-th of K parts.

Each member draws from a generator of its own, in the order and the layout in which it would draw alone.

Source: Wang et al. 2021 (HFTA: horizontally fused training).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own documentation names it so
from torch import Tensor, nn

from spaces.blocks import Dense, MergeRun
from spaces.layers import Cosine, CReLU, DropBranch, PadShortcut, PoolShortcut, Shuffle, Swapout
from spaces.shuffles import Shuffled


@dataclass(slots=True)
class Members:
    """How many networks lie side by side, and what each of them draws from."""

    count: int
    generators: list[torch.Generator] = field(default_factory=list)  # one a member, on the device
    on_the_cpu: list[torch.Generator] = field(default_factory=list)  # the same ones, or where a GPU would be waited for

    def begin(self, seeds: Sequence[int], device: torch.device) -> None:
        """Let each member draw by a seed from now on."""
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        apart = device.type != "cpu"
        self.on_the_cpu = [torch.Generator().manual_seed(seed) for seed in seeds] if apart else self.generators

    def part(self, x: Tensor) -> Tensor:
        """Return an empty tensor of one member's shape, in the layout that it would have alone."""
        shape = (x.shape[0], x.shape[1] // self.count, *x.shape[2:])
        last = x.ndim == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout)

    def beside(self, parts: Sequence[Tensor]) -> Tensor:
        """Return tensors of all members along the channels, each member's together."""
        return torch.cat([each for mine in zip(*map(self.split, parts), strict=True) for each in mine], dim=1)

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return each member's channels."""
        return x.chunk(self.count, dim=1)

    def weigh(self, x: Tensor, weights: Tensor) -> Tensor:
        """Return each member's channels of each image times its number of `n K` or `1 K`."""
        wide = weights.repeat_interleave(x.shape[1] // self.count, dim=1)
        return x * wide.view(*wide.shape, *(1 for _ in x.shape[2:]))


class PackedLinear(nn.Module):
    """K classifiers in one multiplication: `n (K in)` to `n (K out)`."""

    def __init__(self, layer: nn.Linear, members: Members) -> None:
        super().__init__()
        self.members = members
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return each member's sums."""
        count = self.members.count
        inputs = x.view(len(x), count, -1).transpose(0, 1)
        weights = self.weight.view(count, -1, self.weight.shape[1]).transpose(1, 2)
        sums = inputs @ weights if self.bias is None else torch.baddbmm(self.bias.view(count, 1, -1), inputs, weights)
        return sums.transpose(0, 1).flatten(1)


class PackedCosine(nn.Module):
    """scale |cos(x, w)|, each member by its own directions."""

    weight: Tensor

    def __init__(self, layer: Cosine, members: Members) -> None:
        super().__init__()
        self.members = members
        self.scale = layer.scale
        self.register_buffer("weight", layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits `n (K k)` in [0, scale] for features `n (K c)`."""
        with torch.autocast(x.device.type, enabled=False):  # as alone
            count, width = self.members.count, self.weight.shape[1]
            features = x.to(torch.promote_types(x.dtype, torch.float32)).view(len(x), count, width)
            directions = self.weight.to(features.dtype).view(count, -1, width)
            turned: Tensor = F.normalize(features, dim=2).transpose(0, 1) @ directions.transpose(1, 2)
            return self.scale * turned.transpose(0, 1).flatten(1).abs()


class PackedCReLU(nn.Module):
    """relu(x) and relu(-x) along each member's channels."""

    def __init__(self, _layer: CReLU, members: Members) -> None:
        super().__init__()
        self.members = members

    def forward(self, x: Tensor) -> Tensor:
        """Return twice the channels."""
        return F.relu(self.members.beside([x, -x]))


class Padded(nn.Module):
    """A shortcut without parameters, and channels of zeros behind each member's."""

    def __init__(self, layer: PadShortcut | PoolShortcut, members: Members) -> None:
        super().__init__()
        self.members = members
        self.extra, layer.extra = layer.extra, 0
        self.bare = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return the shortcut's output."""
        taken: Tensor = self.bare(x)
        if not self.extra:
            return taken
        return torch.cat([F.pad(each, (0, 0, 0, 0, 0, self.extra)) for each in self.members.split(taken)], dim=1)


class PackedShuffle(nn.Module):
    """Deal each member's channels of some groups out."""

    def __init__(self, layer: Shuffle, members: Members) -> None:
        super().__init__()
        self.members = members
        self.groups = layer.groups

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels in another order."""
        n, _, height, width = x.shape
        dealt = x.reshape(n, self.members.count, self.groups, -1, height, width).transpose(2, 3)
        return dealt.reshape(x.shape)


class PackedShuffled(nn.Module):
    """relu(x + f(x)), or x and f(x) along each member's channels: see `spaces.shuffles.Shuffled`."""

    def __init__(self, layer: Shuffled, members: Members) -> None:
        super().__init__()
        self.members = members
        self.branch, self.shortcut, self.leave = layer.branch, layer.shortcut, layer.leave
        self.is_beside = layer.beside

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        through, made = self.shortcut(x), self.branch(x)
        left: Tensor = self.leave(self.members.beside([through, made]) if self.is_beside else through + made)
        return left


class PackedDense(nn.Module):
    """x and f(x) along each member's channels."""

    def __init__(self, layer: Dense, members: Members) -> None:
        super().__init__()
        self.members = members
        self.branch = layer.branch

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        return self.members.beside([x, self.branch(x)])


class PackedMergeRun(MergeRun):
    """Two streams of each member: see `spaces.blocks.MergeRun`."""

    def __init__(self, layer: MergeRun, members: Members) -> None:
        nn.Module.__init__(self)
        self.members = members
        self.streams_in, self.streams_out = layer.streams_in, layer.streams_out
        self.branches, self.shortcuts = layer.branches, layer.shortcuts
        self.dropout, self.leave = layer.dropout, layer.leave

    def apart(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return all members' first streams and all members' second ones."""
        halves = x.chunk(2 * self.members.count, dim=1)
        return torch.cat(halves[0::2], dim=1), torch.cat(halves[1::2], dim=1)

    def together(self, streams: Sequence[Tensor]) -> Tensor:
        """Return each member's streams side by side."""
        return self.members.beside(streams)


class PackedDropout(nn.Dropout):
    """Drop units of each member by its own rate and draws."""

    def __init__(self, rates: Sequence[float], members: Members) -> None:
        super().__init__(max(rates))
        self.members = members
        self.rates = tuple(rates)

    def forward(self, x: Tensor) -> Tensor:
        """Return some of the units, divided by the share that is kept."""
        return x * torch.cat(self._drawn(x), dim=1) if self.training else x

    def _drawn(self, x: Tensor) -> list[Tensor]:
        """Return what each member's units are multiplied by."""
        return [
            self.members.part(x).bernoulli_(1 - rate, generator=each).div_(1 - rate) if rate
            else torch.ones_like(self.members.part(x))
            for rate, each in zip(self.rates, self.members.generators, strict=True)
        ]  # fmt: skip


class PackedSwapout(Swapout):
    """Drop units of each member by its own draws, without making up for it."""

    def __init__(self, rates: Sequence[float], members: Members) -> None:
        super().__init__(max(rates))
        self.members = members
        self.keeps = tuple(1 - rate for rate in rates)

    def forward(self, x: Tensor) -> Tensor:
        """Return the term's units, some of them 0."""
        if not self.training:
            return self.members.weigh(x, x.new_tensor([self.keeps]))
        drawn = [
            self.members.part(x).uniform_(generator=each) < keep
            for keep, each in zip(self.keeps, self.members.generators, strict=True)
        ]
        return x * torch.cat(drawn, dim=1)


class PackedDropBranch(DropBranch):
    """Drop whole branches of some members: a branch is computed for all of them, so none saves time by it."""

    def __init__(self, rates: Sequence[float], unit: str, members: Members) -> None:
        super().__init__(max(rates), unit)
        self.members = members
        self.kept = tuple(1 - rate for rate in rates)

    @property
    def drops_all(self) -> bool:
        """Return that it has to be computed."""
        return False

    def forward(self, x: Tensor) -> Tensor:
        """Return the branch's output, or nothing of it, member by member."""
        if not self.training:
            return self.members.weigh(x, x.new_tensor([self.kept])) if self.unit == "batch" else x
        weights = self._whole(x) if self.unit == "batch" else self._whole_of_each(x)
        return self.members.weigh(x, weights.to(x.dtype))

    def _whole(self, x: Tensor) -> Tensor:
        """Return for each member whether its branch is whole for this batch: `1 K`."""
        drawn = zip(self.kept, self.members.on_the_cpu, strict=True)
        return torch.tensor([[bool(torch.rand((), generator=each) < keep) for keep, each in drawn]], device=x.device)

    def _whole_of_each(self, x: Tensor) -> Tensor:
        """Return by what each image's branch is multiplied: `n K`."""
        drawn = [
            (torch.rand(len(x), 1, generator=each, device=x.device) < keep).to(x.dtype) / keep
            for keep, each in zip(self.kept, self.members.generators, strict=True)
        ]
        return torch.cat(drawn, dim=1)
