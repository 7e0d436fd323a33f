"""Two groups of positive numbers are compared by a ratio, with the interval that statistics give it."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from search.models.contrast import ratio


def test_the_interval_is_that_of_welch() -> None:
    one, other = [1.0, 1.5, 2.5, 1.2], [2.0, 4.0, 8.0]
    found = ratio(one, other)
    welch = ttest_ind(np.log(one), np.log(other), equal_var=False)
    interval = welch.confidence_interval(0.95)
    assert found.mean == pytest.approx(math.exp(np.log(one).mean() - np.log(other).mean()))
    assert (found.low, found.high) == (pytest.approx(math.exp(interval.low)), pytest.approx(math.exp(interval.high)))


@pytest.mark.parametrize(("one", "other"), [([1.0], [2.0, 3.0]), ([2.0, 2.0], [3.0, 3.0])])
def test_of_too_few_numbers_nobody_knows_how_sure_it_is(one: list[float], other: list[float]) -> None:
    found = ratio(one, other)
    assert math.isfinite(found.mean)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_without_numbers_there_is_no_ratio() -> None:
    assert math.isnan(ratio([], [1.0]).mean)
