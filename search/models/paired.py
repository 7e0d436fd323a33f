"""How far one group of numbers is above another, with intervals for pairs, for groups and for one group alone."""

from collections.abc import Sequence

import numpy as np

from search.models.distributions import student_quantile
from search.models.seeds import Interval

NOTHING = Interval(float("nan"), float("nan"), float("nan"))


def mean(values: Sequence[float], level: float = 0.95, step: float = 0.0) -> Interval:
    """Return the mean with Student's interval; its ends are NaN for fewer than two numbers.

    Args:
        values: one for each seed; of pairs, their differences.
        level: at which the interval holds the mean of ever more seeds.
        step: by which values can differ at least, as shares of images do. Where all are equal that is no certainty, so
            the deviation is taken to be at least that of rounding; where no step is known, the ends are NaN.
    """
    if not len(values):
        return NOTHING
    held = np.asarray(values, dtype=float)
    centre = float(held.mean())
    if len(held) < 2:
        return Interval(centre, float("nan"), float("nan"))
    deviation = max(float(held.std(ddof=1)), step / np.sqrt(12))
    if deviation == 0:
        return Interval(centre, float("nan"), float("nan"))
    half = float(student_quantile(len(held) - 1, 0.5 + level / 2)) * deviation / np.sqrt(len(held))
    return Interval(centre, centre - half, centre + half)


def paired(first: Sequence[float], second: Sequence[float], level: float = 0.95, step: float = 0.0) -> Interval:
    """Return how far the first are above the second, number by number: those of one seed stand at one place.

    Args:
        first: one for each seed.
        second: as many.
        level: as for `mean`.
        step: of the values themselves, as for `mean`; a difference of two is rounded twice.
    """
    apart = [one - other for one, other in zip(first, second, strict=True)]
    return mean(apart, level, step * float(np.sqrt(2)))
