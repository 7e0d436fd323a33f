"""Build one block from its specification: one class each, one signature.

Tensors are `n c h w`. Convolutions have no bias where a normalisation or the addition follows. Dropout stands where
the architecture places it: `between` the convolutions (before the last one), `after` the addition (in a dense block,
after each convolution), on the `shortcut`, on the whole `branch`, or on units of both (`swapout`). `head` belongs to
the network.

Sources: He et al. 2015 (figures 2 and 5), He et al. 2016 (figure 4), Zagoruyko & Komodakis 2016 (figure 1), Xie et al.
2017 (figure 3c), Zhao et al. 2016 (merge-and-run), Huang et al. 2016 (stochastic depth) and 2017 (DenseNet), Singh et
al. 2016 (swapout), Howard et al. 2017 (figure 3), Springenberg et al. 2014, Srivastava et al. 2015 (highway).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from spaces.errors import InfeasibleArchitecture, InputError
from spaces.fractals import Fractal
from spaces.layers import (
    DropBranch,
    Droppable,
    Gate,
    Gated,
    PadShortcut,
    PoolShortcut,
    Scaled,
    SqueezeExcite,
    Sum,
    Swapout,
    activation,
    conv,
)
from spaces.packages import builder
from spaces.plan import BlockSpec, Conv, LevelSpec
from spaces.shuffles import Shuffled


def _dropout(spec: BlockSpec, placement: str) -> nn.Module:
    return nn.Dropout(spec.dropout_rate) if spec.dropout == placement else nn.Identity()


def _drop_shortcut(spec: BlockSpec) -> nn.Module:
    return Swapout(spec.dropout_rate) if spec.dropout == "swapout" else _dropout(spec, "shortcut")


def _drop_branch(spec: BlockSpec) -> nn.Module:
    if spec.dropout == "swapout":
        return Swapout(spec.dropout_rate)
    return DropBranch(spec.dropout_rate, spec.drop_unit) if spec.dropout == "branch" else nn.Identity()


def _droppable(spec: BlockSpec, *before: nn.Module) -> nn.Sequential:
    """Return a branch that something is added to, with what drops it; without a shortcut its shape is the block's."""
    layers = (*before, *_branch(spec), *_squeeze(spec), _drop_branch(spec))
    return nn.Sequential(*layers) if spec.shortcut == "none" else Droppable(*layers)


def _squeeze(spec: BlockSpec) -> list[nn.Module]:
    return [SqueezeExcite(spec.out_width, spec.squeeze)] if spec.squeeze else []


def _shortcut(spec: BlockSpec, out_width: int, streams: int = 1) -> nn.Module | None:
    """Return the shortcut of one stream, or None where it has none.

    A projection is normalised, but for the two orders in which a normalisation follows the addition in any case.
    """
    in_width = spec.in_width // streams
    if spec.shortcut == "none":
        return None
    if spec.shortcut == "identity":
        return nn.Identity()
    if spec.shortcut == "pad":
        return PadShortcut(out_width - in_width, spec.stride)
    if spec.shortcut == "pool":
        return PoolShortcut(out_width - in_width, spec.stride)
    kernel = 3 if spec.shortcut == "project3x3" else 1
    projection = conv(Conv(in_width=in_width, out_width=out_width, kernel=kernel, stride=spec.stride))
    return (
        projection
        if spec.shortcut == "conv" or spec.order in ("full", "bn_after_addition")
        else nn.Sequential(projection, nn.BatchNorm2d(out_width))
    )


def _join(spec: BlockSpec) -> nn.Module:
    """Return what puts shortcut and branch together; a gate reads what the block does."""
    if spec.mix in ("sum", "scaled"):
        return Sum() if spec.mix == "sum" else Scaled()
    gate = Conv(in_width=spec.in_width, out_width=spec.out_width, kernel=1, stride=spec.stride)
    return Gated(Gate(gate, spec.gate_bias), exclusive=spec.mix == "exclusive")


def _branch(spec: BlockSpec) -> nn.Sequential:
    """Return the convolutions with what stands between them, in the block's order.

    A full pre-activation's first normalisation and ReLU are the block's own, since a projection may read them too.
    """
    layers: list[nn.Module] = [nn.ReLU()] if spec.order == "relu_only" else []
    for index, each in enumerate(spec.branch):
        last = index + 1 == len(spec.branch)
        layers += [_dropout(spec, "between")] if last else []
        layers.append(conv(each))
        if not last:
            layers += [nn.BatchNorm2d(each.out_width), activation(each.out_width, spec.branch[index + 1].in_width)]
        elif spec.order in ("original", "relu_before_addition", "relu_only"):
            layers.append(nn.BatchNorm2d(each.out_width))
    if spec.order == "relu_before_addition":
        layers.append(activation(spec.branch[-1].out_width, _stream_width(spec)))
    return nn.Sequential(*layers)


def _stream_width(spec: BlockSpec) -> int:
    return spec.out_width // spec.streams_out


class Residual(nn.Module):
    """shortcut(x) + f(x), in any of five orders of BN, ReLU and addition.

    original             relu(shortcut + f), f = conv, BN, ReLU, conv, BN
    bn_after_addition    relu(BN(shortcut + f)), f = conv, BN, ReLU, conv
    relu_before_addition shortcut + f, f = conv, BN, ReLU, conv, BN, ReLU
    relu_only            shortcut + f, f = ReLU, conv, BN, ReLU, conv, BN
    full                 shortcut + f, f = BN, ReLU, conv, BN, ReLU, conv; a projection reads the first ReLU

    The convolutions are 3x3, 3x3 in a basic block, any sequence in a wide one, 1x1, 3x3 in groups, 1x1 in a bottleneck.
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        self.enter = _enter(spec) if spec.preactivated else nn.Identity()
        self.branch = _droppable(spec)
        shortcut = _shortcut(spec, spec.out_width)
        self.shortcut = None if shortcut is None else nn.Sequential(shortcut, _drop_shortcut(spec))
        self.join = _join(spec)
        self.leave = nn.Sequential(*_leave(spec), _dropout(spec, "after"))
        self.shares = spec.preactivated and spec.projects

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        entered = self.enter(x)
        out = self.branch(entered)
        if self.shortcut is not None:
            out = self.join(x, self.shortcut(entered if self.shares else x), out)
        left: Tensor = self.leave(out)
        return left


class MultiResidual(nn.Module):
    """shortcut(x) + f1(x) + ... + fk(x), in any of the five orders, each f with normalisations of its own.

    That which a full pre-activation begins with is shared where a projection reads it too, as its authors have it.
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        self.shares = spec.preactivated and spec.projects
        self.enter = _enter(spec) if self.shares else nn.Identity()
        own = [] if self.shares or not spec.preactivated else [_enter]
        self.branches = nn.ModuleList(_droppable(spec, *(make(spec) for make in own)) for _ in range(spec.branches))
        shortcut = _shortcut(spec, spec.out_width)
        self.shortcut = None if shortcut is None else nn.Sequential(shortcut, _drop_shortcut(spec))
        self.join = _join(spec)
        self.leave = nn.Sequential(*_leave(spec), _dropout(spec, "after"))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        entered = self.enter(x)
        out = self.branches[0](entered)
        for branch in self.branches[1:]:
            out = out + branch(entered)
        if self.shortcut is not None:
            out = self.join(x, self.shortcut(entered), out)
        left: Tensor = self.leave(out)
        return left


def _enter(spec: BlockSpec) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(spec.in_width), nn.ReLU())


def _leave(spec: BlockSpec) -> list[nn.Module]:
    """Return what follows the addition, where it does not follow that of an outer shortcut."""
    return leaving(spec.order, _stream_width(spec)) if spec.leaves else []


def leaving(order: str, width: int) -> list[nn.Module]:
    """Return what follows an addition in an order of normalisation, ReLU and addition."""
    if order == "bn_after_addition":
        return [nn.BatchNorm2d(width), nn.ReLU()]
    return [nn.ReLU()] if order == "original" else []


class Level(nn.Module):
    """What blocks make of x, and a 1x1 of x beside it (Zhang et al. 2016); the last block leaves ReLU and BN to it."""

    def __init__(self, spec: LevelSpec) -> None:
        super().__init__()
        projection = conv(Conv(in_width=spec.in_width, out_width=spec.out_width, kernel=1, stride=spec.stride))
        bare = spec.order in ("full", "bn_after_addition")
        self.shortcut = projection if bare else nn.Sequential(projection, nn.BatchNorm2d(spec.out_width))
        self.leave = nn.Sequential(*(leaving(spec.order, spec.out_width) if spec.leaves else []))

    def forward(self, x: Tensor, made: Tensor) -> Tensor:
        """Return the sum, given what the blocks read and what they made of it."""
        left: Tensor = self.leave(self.shortcut(x) + made)
        return left


class Inception(nn.Module):
    """relu(shortcut(x) + f(x) + g(x)), f and g two branches of the same shape (DFN-IL)."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_droppable(spec) for _ in range(2))
        shortcut = _shortcut(spec, spec.out_width)
        self.shortcut = None if shortcut is None else nn.Sequential(shortcut, _drop_shortcut(spec))
        self.join = _join(spec)
        self.leave = nn.Sequential(nn.ReLU(), _dropout(spec, "after"))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        out = self.branches[0](x) + self.branches[1](x)
        if self.shortcut is not None:
            out = self.join(x, self.shortcut(x), out)
        left: Tensor = self.leave(out)
        return left


class MergeRun(nn.Module):
    """relu(m + f(x1)), relu(m + g(x2)) side by side, m = (shortcut(x1) + shortcut'(x2)) / 2 (DFN-MR).

    Where one tensor comes, both streams are it; where one goes, it is relu(m + f(x1) + g(x2)).
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        self.streams_in, self.streams_out = spec.streams_in, spec.streams_out
        width = _stream_width(spec)
        self.branches = nn.ModuleList(_droppable(spec) for _ in range(2))
        shortcuts = [_shortcut(spec, width, spec.streams_in) for _ in range(2)]
        self.shortcuts = nn.ModuleList(each for each in shortcuts if each is not None)
        self.dropout = _drop_shortcut(spec)
        self.leave = nn.Sequential(nn.ReLU(), _dropout(spec, "after"))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, both streams along the channels."""
        streams = self.apart(x) if self.streams_in == 2 else (x, x)
        outs = [branch(stream) for branch, stream in zip(self.branches, streams, strict=True)]
        merged: Tensor | float = 0.0
        if self.shortcuts:
            means = [shortcut(stream) for shortcut, stream in zip(self.shortcuts, streams, strict=True)]
            merged = self.dropout((means[0] + means[1]) / 2)
        if self.streams_out == 1:
            left: Tensor = self.leave(merged + outs[0] + outs[1])
            return left
        return self.together([self.leave(merged + out) for out in outs])

    def apart(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the streams."""
        return x.chunk(2, dim=1)

    def together(self, streams: Sequence[Tensor]) -> Tensor:
        """Return the streams side by side."""
        return torch.cat(list(streams), dim=1)


class Dense(nn.Module):
    """x and f(x) along the channels, f = BN, ReLU, 3x3 or BN, ReLU, 1x1, BN, ReLU, 3x3."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        reads = spec.in_width
        for index, each in enumerate(spec.branch):
            last = index + 1 == len(spec.branch)
            before = spec.branch[index - 1].out_width if index else reads
            layers += [nn.BatchNorm2d(before), activation(before, each.in_width)]
            layers += [_dropout(spec, "between")] if last else []
            layers += [conv(each), _dropout(spec, "after")]
        self.branch = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        return torch.cat([x, self.branch(x)], dim=1)


class Transition(nn.Sequential):
    """BN, ReLU, 1x1, mean over stride by stride pixels: between two dense stages."""

    def __init__(self, spec: BlockSpec) -> None:
        pool: nn.Module = nn.AvgPool2d(spec.stride) if spec.stride > 1 else nn.Identity()
        norm = nn.BatchNorm2d(spec.in_width)
        super().__init__(norm, nn.ReLU(), conv(spec.branch[0]), _dropout(spec, "after"), pool)


class Chain(nn.Sequential):
    """f(x), f = each convolution, BN and ReLU; without BN, one with bias and ReLU; a max-pool may begin it."""

    def __init__(self, spec: BlockSpec) -> None:
        layers: list[nn.Module] = (
            [nn.MaxPool2d(spec.pool + spec.overlaps, spec.pool, ceil_mode=True)] if spec.pool > 1 else []
        )
        for index, each in enumerate(spec.branch):
            last = index + 1 == len(spec.branch)
            reads = spec.out_width if last else spec.branch[index + 1].in_width
            layers += [_dropout(spec, "between")] if last else []
            layers.append(conv(each, bias=spec.bias or not spec.norm))
            layers += [nn.BatchNorm2d(each.out_width)] if spec.norm else []
            layers.append(activation(each.out_width, reads))
        super().__init__(*layers, _dropout(spec, "after"))


class Highway(nn.Module):
    """h(x) t(x) + x (1 - t(x)), h = a convolution with bias and ReLU, t = one with bias and a sigmoid."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        (only,) = spec.branch
        self.branch = nn.Sequential(conv(only, bias=True), activation(only.out_width, spec.out_width))
        gate = Conv(in_width=spec.in_width, out_width=spec.out_width, kernel=only.kernel)
        self.join = Gated(Gate(gate, spec.gate_bias), exclusive=True)
        self.leave = _dropout(spec, "after")

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        left: Tensor = self.leave(self.join(x, x, self.branch(x)))
        return left


def block(spec: BlockSpec) -> nn.Module:
    """Return the block of a specification.

    Raises:
        InputError: it is of a package that is not loaded, or that does not build it.
    """
    if spec.kind in BLOCKS:
        return BLOCKS[spec.kind](spec)
    name = spec.kind.partition("@")[0]
    try:
        found = builder(spec.kind)(spec)
    except (InputError, InfeasibleArchitecture):
        raise
    except Exception as error:  # whatever a person's code raises
        raise InputError(f"block {name} cannot be built: {type(error).__name__}: {error}") from error
    if not isinstance(found, nn.Module):
        raise InputError(f"block {name} is built as a {type(found).__name__}, which is no module")
    return found


BLOCKS: dict[str, Callable[[BlockSpec], nn.Module]] = {
    "residual": Residual,
    "multi_residual": MultiResidual,
    "inception": Inception,
    "merge_run": MergeRun,
    "dense": Dense,
    "transition": Transition,
    "chain": Chain,
    "highway": Highway,
    "shuffle": Shuffled,
    "fractal": Fractal,
}
