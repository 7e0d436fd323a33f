"""Count the paths through a network: how many, how long, and the ensemble they are.

A path takes one branch or the shortcut in each block. Its length is its convolutions, and those of stem and head;
1x1s on shortcuts and before columns count as nothing. Merge-and-run is counted as its authors do: to
either stream lead one branch and the shortcuts of both, in all blocks alike; only the number of all paths knows that
the last block ends in one.

Sources: Veit et al. 2016 (section 3), Zhao et al. 2016 (section 3.2), Larsson et al. 2017 (section 3).
"""

import math
from dataclasses import dataclass
from itertools import product, zip_longest

from spaces.plan import BlockSpec, Plan

Lengths = dict[int, int]  # length to the number of paths that are as long


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The paths through a network; the lengths are of those to one stream, where two go side by side."""

    count: int
    lengths: Lengths

    @property
    def mean(self) -> float:
        """Return the mean length."""
        return sum(length * share for length, share in self._shares())

    @property
    def std(self) -> float:
        """Return the standard deviation of the lengths."""
        mean = self.mean
        return math.sqrt(sum((length - mean) ** 2 * share for length, share in self._shares()))

    @property
    def longest(self) -> int:
        """Return the length of the longest path."""
        return max(self.lengths)

    @property
    def shortest(self) -> int:
        """Return the length of the shortest path."""
        return min(self.lengths)

    def share(self, low: int, high: int) -> float:
        """Return the share of paths whose length is in [low, high]."""
        return sum(share for length, share in self._shares() if low <= length <= high)

    def _shares(self) -> list[tuple[int, float]]:
        total = sum(self.lengths.values())
        return [(length, number / total) for length, number in self.lengths.items()]


def paths(described: Plan) -> Paths:
    """Return the paths from stem to classifier, by their layers."""
    lengths: Lengths = {int(described.stem.kernel > 0) + described.head.layers: 1}
    begun = lengths
    for stage, level in zip_longest(described.stages, described.levels):
        before = lengths
        for spec in stage:
            lengths = _through(spec, lengths)
        lengths = lengths if level is None else _beside(before, lengths)
    if described.root is None:
        return Paths(count=_count(described), lengths=lengths)
    lengths = _beside(begun, lengths)
    return Paths(count=sum(lengths.values()), lengths=lengths)


def _beside(before: Lengths, behind: Lengths) -> Lengths:
    """Return the lengths behind blocks with a shortcut around them all."""
    return {length: before.get(length, 0) + behind.get(length, 0) for length in before.keys() | behind.keys()}


def _through(spec: BlockSpec, lengths: Lengths) -> Lengths:
    """Return the lengths behind a block."""
    if spec.kind == "fractal":
        return _joined(lengths, _columns(spec))
    around, branches = _ways(spec)
    aside = int(spec.shortcut == "project3x3")  # convolutions of the shortcut
    return _joined(lengths, _beside({aside: around}, {len(spec.branch): branches}))


def _joined(lengths: Lengths, others: Lengths) -> Lengths:
    """Return the lengths of every path of one kind that is gone on with by every path of another."""
    behind: Lengths = {}
    for (length, number), (more, ways) in product(lengths.items(), others.items()):
        if ways:
            behind[length + more] = behind.get(length + more, 0) + number * ways
    return behind


def _columns(spec: BlockSpec) -> Lengths:
    """Return the lengths of paths through columns: by one convolution, or twice through the columns beside it."""
    if spec.branch[0].kernel == 1:
        return {0: 1}
    found: Lengths = {1: 1}
    for _ in range(spec.columns - 1):
        found = _beside({1: 1}, _joined(found, found))
    return found


def _number(spec: BlockSpec) -> int:
    """Return how many ways lead through a block to one stream."""
    return sum(_columns(spec).values()) if spec.kind == "fractal" else sum(_ways(spec))


def _ways(spec: BlockSpec) -> tuple[int, int]:
    """Return how many ways lead around a block's branches to one stream, and how many through them."""
    shortcut = spec.shortcut != "none"
    if spec.kind == "merge_run":
        return (2 if shortcut else 0), 1
    if spec.kind == "inception":
        return int(shortcut), 2
    if spec.kind == "multi_residual":
        return int(shortcut), spec.branches
    return int(shortcut or spec.kind in ("dense", "shuffle")), 1  # which hand on what they read


def _count(described: Plan) -> int:
    """Return the number of all paths: where both streams end in one, each brings a branch and a shortcut."""
    *earlier, last = described.blocks
    to_one = math.prod(map(_number, earlier))
    if last.kind != "merge_run":
        return to_one * _number(last)
    around, branches = _ways(last)
    return to_one * ((around + 2 * branches) if last.streams_out == 1 else 2 * (around + branches))
