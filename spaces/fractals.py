"""Build a fractal block: columns of 1, 2, 4, ... convolutions that join in their mean (Larsson et al. 2017)."""

from collections.abc import Sequence
from functools import reduce
from operator import add

from torch import Tensor, nn

from spaces.layers import DropPath, activation, conv
from spaces.plan import BlockSpec, Conv


class Fractal(nn.Module):
    """f_C, f_(c+1)(x) = f_c(f_c(x)) joined with f_1(x) and f_1 = conv, BN, ReLU: a join is the mean of what meets.

    Columns that meet at one place do so in one join. Each is max-pooled before the last of them, as the authors' own
    generator has it, so that a column alone is a network. What a join drops is not computed.
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        convs = iter(spec.branch)
        self.columns = nn.ModuleList(
            nn.ModuleList(_activated(spec, next(convs)) for _ in range(2**column)) for column in range(spec.columns)
        )
        self.pool = nn.MaxPool2d(spec.stride, ceil_mode=True) if spec.stride > 1 else nn.Identity()
        self.drop = DropPath(spec.columns, spec.dropout_rate, spec.drop_global) if spec.dropout == "path" else None
        self.gone = frozenset[int]()  # columns that are taken out for a while

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        left = self._left(0)
        return _mean([self.pool(out) for out in self._ends(0, 0, x, left)])

    def _left(self, first: int) -> Sequence[int]:
        """Return which of a column and the deeper ones are left where they meet."""
        meet = [column for column in range(first, len(self.columns)) if column not in self.gone]
        return meet if self.drop is None else self.drop.left(meet)

    def _ends(self, column: int, number: int, x: Tensor, left: Sequence[int]) -> list[Tensor]:
        """Return what a column's convolution of that number makes of x, and what the deeper columns beside it make."""
        convs = self.columns[column]
        assert isinstance(convs, nn.ModuleList)
        ends = [convs[number](x)] if column in left else []
        if max(left) > column:
            halfway = _mean(self._ends(column + 1, 2 * number, x, self._left(column + 1)))
            ends += self._ends(column + 1, 2 * number + 1, halfway, left)
        return ends


def _activated(spec: BlockSpec, each: Conv) -> nn.Sequential:
    """Return a convolution, normalised and activated; units of it are dropped before that, as its authors do."""
    rate = spec.dropout_rate if spec.dropout == "after" else spec.unit_rate
    drop = nn.Dropout(rate) if rate else nn.Identity()
    norm = nn.BatchNorm2d(each.out_width)
    return nn.Sequential(conv(each), drop, norm, activation(each.out_width, spec.out_width))


def _mean(outs: list[Tensor]) -> Tensor:
    return reduce(add, outs) / len(outs) if len(outs) > 1 else outs[0]
