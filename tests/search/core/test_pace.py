"""The time that is left is a range that holds the truth where the pace stays, and is wide where it does not."""

import random
from itertools import accumulate

import pytest

from search.core.pace import FEWEST, left_s


def test_too_few_epochs_tell_nothing() -> None:
    assert left_s([], 10) is None
    assert left_s([float(each) for each in range(FEWEST)], 10) is None
    assert left_s([5.0] * 20, 10) is None  # all at once, as where a journal was brought


def test_an_even_pace_gives_a_narrow_range_around_the_truth() -> None:
    low, high = left_s([2.0 * each for each in range(50)], 30) or (0, 0)
    assert (low, high) == pytest.approx((60 * 0.9, 60 * 1.1))


def test_an_uneven_pace_gives_a_wider_one() -> None:
    even = left_s([float(each) for each in range(40)], 40) or (0, 0)
    slower = left_s(list(accumulate([1.0] * 20 + [5.0] * 20)), 40) or (0, 0)
    assert slower[1] / slower[0] > even[1] / even[0]
    assert slower[0] > 0


def test_most_ranges_hold_the_truth_where_epochs_differ_by_chance() -> None:
    rng, held = random.Random(4), 0
    for _ in range(200):
        took = [rng.expovariate(1.0) for _ in range(160)]
        moments = list(accumulate(took))
        low, high = left_s(moments[:80], 80) or (0, 0)
        held += low <= moments[159] - moments[79] <= high
    assert held > 130  # of 200: the rest of a study is one draw too, which the pace of its first half does not tell
