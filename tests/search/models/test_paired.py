"""Differences of pairs, with Student's interval: too few numbers, or none that differ, are no certainty."""

from math import isnan

import numpy as np
import pytest
from scipy import stats

from search.models.paired import mean, paired


def test_an_interval_is_students() -> None:
    values = [0.1, 0.2, 0.4, 0.3]
    found = mean(values)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((0.25, low, high))


def test_what_seeds_share_is_no_doubt_in_a_difference() -> None:
    found = paired([0.5, 0.1, 0.9], [0.4, 0.0, 0.7])
    assert found.mean == pytest.approx(0.4 / 3)
    assert found.high - found.low < 0.3


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5]])
def test_too_little_bounds_nothing(values: list[float]) -> None:
    assert isnan(mean(values).low)
    assert isnan(mean(values).high)


def test_equal_shares_of_few_images_are_known_to_their_rounding() -> None:
    found = paired([0.02, 0.02, 0.02], [0.01, 0.01, 0.01], step=0.01)
    assert found.low < 0.01 < found.high
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.975, 2) * 0.01 * np.sqrt(2 / 12 / 3))


def test_95_of_100_intervals_hold_the_mean() -> None:
    rng = np.random.default_rng(0)
    held = [found.low <= 0.3 <= found.high for found in (mean(rng.normal(0.3, 1, 4).tolist()) for _ in range(2000))]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)
