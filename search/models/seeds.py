"""What repeated trainings of the same networks tell: means, intervals, who is on the front, and whom to train next.

The deviation between seeds is one number for all networks of a study, in proportion to what their values allow: the
root of `e (1 - e)` for a rate of error e, the value itself for everything else. Two seeds of each of five networks then
tell it as well as six of one; by its own two seeds alone, a network's interval would be several times as wide.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.models.distributions import student_quantile

Values = NDArray[np.float64]
DRAWS = 4000
AT_ONCE = 2_000_000  # comparisons of two networks, for the memory that they take
LEAST_RATE = 1e-4  # a network without an error still has a deviation
LEAST = 1e-12  # what a value of nothing counts as


@dataclass(frozen=True, slots=True)
class Spread:
    """How much seeds differ in one objective."""

    unit: float  # standard deviation between seeds, in units of `scale`; NaN where no network has two
    freedom: int  # degrees of freedom that it is known by

    def deviation(self, mean: float, *, rate: bool) -> float:
        """Return the standard deviation between seeds of a network with this mean."""
        return self.unit * scale(mean, rate=rate)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with what it may be."""

    mean: float
    low: float
    high: float


def scale(mean: float, *, rate: bool) -> float:
    """Return to what the deviation between seeds is in proportion: see above."""
    if not rate:
        return max(abs(mean), LEAST)
    kept = min(max(mean, LEAST_RATE), 1 - LEAST_RATE)
    return float(np.sqrt(kept * (1 - kept)))


def spread(values: Sequence[Sequence[float]], *, rate: bool) -> Spread:
    """Return how much seeds differ, by all networks that have two or more.

    Rates count images: where all of them are equal, that is no certainty but too few images, and nothing is known.

    Args:
        values: of one objective, a row for each network, a number for each of its seeds.
        rate: whether the objective is a share in [0, 1], whose deviation vanishes at both ends.
    """
    several = [np.asarray(row, dtype=float) for row in values if len(row) > 1]
    freedom = sum(len(row) - 1 for row in several)
    if not freedom:
        return Spread(np.nan, 0)
    squares = sum(float(((row - row.mean()) ** 2).sum()) / scale(row.mean(), rate=rate) ** 2 for row in several)
    unit = max(float(np.sqrt(squares / freedom)), _resolution(values) if rate else 0.0)
    return Spread(unit, freedom) if unit or not rate else Spread(np.nan, 0)


def _resolution(values: Sequence[Sequence[float]]) -> float:
    """Return the deviation that rounding alone makes of rates, as far as the smallest step between two shows it."""
    flat = np.unique(np.concatenate([np.asarray(row, dtype=float) for row in values if len(row)]))
    steps = np.diff(flat)
    steps = steps[steps > 1e-9]
    return float(steps.min() / np.sqrt(12) / scale(float(flat.mean()), rate=True)) if len(steps) else 0.0


def interval(values: Sequence[float], known: Spread, *, rate: bool, level: float) -> Interval:
    """Return the mean over seeds and the interval that holds the mean of ever more seeds at a level.

    Without a spread, or without seeds, nothing bounds it: its ends are NaN.
    """
    mean = float(np.mean(values)) if len(values) else np.nan
    if not known.freedom or not len(values):
        return Interval(mean, np.nan, np.nan)
    half = (
        float(student_quantile(known.freedom, (1 + level) / 2))
        * known.deviation(mean, rate=rate)
        / np.sqrt(len(values))
    )
    low, high = mean - half, mean + half
    return Interval(mean, max(low, 0.0), min(high, 1.0) if rate else high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """What is known of networks `n` in objectives `m`, all turned so that less is better."""

    means: Values  # n m
    deviations: Values  # n m; of the means; 0 where a value is exact
    freedom: Values  # m; degrees of freedom of the deviations

    def draws(self, count: int = DRAWS, seed: int = 0) -> Values:
        """Return `count n m` values that the true means may have: the deviation is one for all, so is its doubt."""
        rng = np.random.default_rng(seed)
        shape = (count, *self.means.shape)
        doubt = np.ones((count, 1, len(self.freedom)))
        known = self.freedom > 0
        doubt[:, 0, known] = np.sqrt(
            self.freedom[known] / rng.chisquare(self.freedom[known], (count, int(known.sum())))
        )
        drawn: Values = self.means + rng.standard_normal(shape) * self.deviations * doubt
        return drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How sure it is which network is better than which."""

    on_front: Values  # n; the probability that none dominates it
    dominates: Values  # n n; the probability that the first dominates the second

    @classmethod
    def of(cls, drawn: Values) -> "Order":
        """Return it by draws `k n m` of what the true means may be."""
        count, networks, _ = drawn.shape
        front, pairs = np.zeros(networks), np.zeros((networks, networks))
        at_once = max(1, AT_ONCE // max(networks**2, 1))
        for start in range(0, count, at_once):
            some = drawn[start : start + at_once]
            first, second = some[:, :, None, :], some[:, None, :, :]
            over = (first <= second).all(axis=-1) & (first < second).any(axis=-1)
            front += (~np.any(over, axis=1)).sum(axis=0)
            pairs += over.sum(axis=0)
        return cls(on_front=front / count, dominates=pairs / count)

    def least_sure(self, trainable: Sequence[bool], counts: Sequence[int], level: float) -> int | None:
        """Return the network whose next seed decides most, or None where the front is known at the level.

        Looked for is the pair whose order is least sure, among those whose second network may or may not be on the
        front, as the first may dominate it; of the two, the one with fewer seeds is trained.

        Args:
            trainable: whether a network may have another seed.
            counts: seeds that each has, those under way included.
            level: at which membership counts as known.
        """
        unsure = (self.on_front > 1 - level) & (self.on_front < level)
        doubt = np.minimum(self.dominates, 1 - self.dominates) * unsure[None, :]
        for place in np.argsort(-doubt, axis=None, kind="stable").tolist():
            pair = divmod(place, len(unsure))
            if doubt[pair] <= 0:
                return None
            open_ = [int(each) for each in pair if trainable[each]]
            if open_:
                return min(open_, key=lambda each: (counts[each], each))
        return None
