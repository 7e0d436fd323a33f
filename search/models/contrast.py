"""How much larger one group of positive numbers is than another, as a ratio with an interval."""

from collections.abc import Sequence

import numpy as np

from search.models.distributions import student_quantile
from search.models.seeds import Interval


def ratio(group: Sequence[float], others: Sequence[float], level: float = 0.95) -> Interval:
    """Return the ratio of geometric means, with Welch's interval of the logarithms (unequal deviations).

    Its ends are NaN where a group has fewer than two numbers, or all of both are equal; so is the ratio of no numbers.
    """
    if not group or not others:
        return Interval(float("nan"), float("nan"), float("nan"))
    one, two = np.log(np.asarray(group, dtype=float)), np.log(np.asarray(others, dtype=float))
    apart = float(one.mean() - two.mean())
    half = _half(one, two, level)
    return Interval(float(np.exp(apart)), float(np.exp(apart - half)), float(np.exp(apart + half)))


def _half(one: np.ndarray, two: np.ndarray, level: float) -> float:
    """Return half of the interval of the difference of means."""
    if min(len(one), len(two)) < 2:
        return float("nan")
    shares = [float(each.var(ddof=1)) / len(each) for each in (one, two)]
    total = sum(shares)
    if total == 0:
        return float("nan")
    freedom = total**2 / sum(part**2 / (len(each) - 1) for part, each in zip(shares, (one, two), strict=True))
    return float(student_quantile(freedom, 0.5 + level / 2)) * float(np.sqrt(total))
