"""An epoch takes so long for each layer and so long for each activation, as a few that were timed tell."""

import pytest

from search.models.epoch_time import EpochTime, spread_out


def test_times_that_are_such_sums_are_told_exactly() -> None:
    timed = [(layers, activations, 0.01 * layers + 1e-6 * activations) for layers, activations in
             ((14, 20_000), (56, 90_000), (16, 800_000))]  # fmt: skip
    assert EpochTime.of(timed).seconds(110, 160_000) == pytest.approx(1.1 + 0.16)


def test_no_time_is_below_nothing() -> None:
    model = EpochTime.of([(10, 1000, 1.0), (20, 5000, 0.5)])
    assert model.seconds(1, 1) >= 0
    assert EpochTime.of([]).seconds(20, 1000) == 0


def test_the_smallest_and_the_largest_are_among_those_that_are_timed() -> None:
    sizes = {name: size for size, name in enumerate("abcdefgh")}
    assert spread_out(sizes, 3) == ["a", "e", "h"]
    assert spread_out(sizes, 8) == list("abcdefgh")
