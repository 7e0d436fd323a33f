"""Intervals hold what they say, front membership is a probability, and seeds go where the order is least sure."""

import numpy as np
import pytest

from search.models.seeds import Estimates, Order, Spread, interval, scale, spread

RATES = (0.02, 0.05, 0.2, 0.4)  # of errors


def drawn(rng: np.random.Generator, seeds: int, factor: float = 0.05) -> list[list[float]]:
    """Return accuracies of networks whose deviation is in proportion to what their rate allows."""
    return [list(1 - rate + factor * scale(rate, rate=True) * rng.standard_normal(seeds)) for rate in RATES]


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_an_interval_holds_the_mean_as_often_as_it_says(seeds: int, level: float) -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(500):
        values = drawn(rng, seeds)
        known = spread(values, rate=True)
        for row, rate in zip(values, RATES, strict=True):
            found = interval(row, known, rate=True, level=level)
            held.append(found.low <= 1 - rate <= found.high)
    assert len(held) == 2000
    assert abs(np.mean(held) - level) < 0.02


def test_the_deviation_of_a_good_network_is_smaller_than_that_of_a_bad_one() -> None:
    known = spread(drawn(np.random.default_rng(2), 50), rate=True)
    assert known.unit == pytest.approx(0.05, rel=0.1)
    assert known.deviation(0.98, rate=True) == pytest.approx(0.05 * 0.14, rel=0.1)
    assert known.deviation(0.6, rate=True) == pytest.approx(0.05 * 0.49, rel=0.1)


def test_the_deviation_of_a_time_is_in_proportion_to_it() -> None:
    known = spread([[9.0, 11.0], [90.0, 110.0]], rate=False)
    assert known.deviation(1000.0, rate=False) == pytest.approx(10 * known.deviation(100.0, rate=False))


def test_one_seed_of_each_tells_no_deviation_and_bounds_nothing() -> None:
    known = spread([[0.9], [0.8]], rate=True)
    assert known.freedom == 0
    found = interval([0.9], known, rate=True, level=0.95)
    assert found.mean == 0.9
    assert np.isnan([found.low, found.high]).all()


def test_seeds_that_happen_to_be_equal_are_no_certainty() -> None:
    known = spread([[0.98, 0.98], [0.96, 0.96]], rate=True)
    found = interval([0.98, 0.98], known, rate=True, level=0.95)
    assert found.low < 0.98 < found.high


def test_an_interval_of_a_share_stays_in_zero_to_one() -> None:
    found = interval([0.999, 1.0], Spread(1.0, 1), rate=True, level=0.95)
    assert (found.low, found.high) == (0.0, pytest.approx(1.0)) or (0 <= found.low <= found.high <= 1)


def test_a_network_without_error_still_has_a_deviation() -> None:
    assert Spread(0.1, 4).deviation(1.0, rate=True) > 0


def estimates(means: list[list[float]], deviation: float = 0.01, freedom: int = 100) -> Estimates:
    """Return networks with a doubt in the first objective and none in the second."""
    deviations = np.zeros((len(means), 2))
    deviations[:, 0] = deviation
    return Estimates(means=np.array(means), deviations=deviations, freedom=np.array([freedom, 0.0]))


def test_membership_is_sure_where_networks_are_far_apart_and_open_where_they_are_alike() -> None:
    order = Order.of(estimates([[-0.9, 1.0], [-0.95, 2.0], [-0.951, 3.0]]).draws())
    assert order.on_front[0] == 1.0  # nothing is cheaper
    assert order.on_front[1] > 0.99
    assert 0.4 < order.on_front[2] < 0.65  # hardly better than the one before, for more
    assert order.dominates[1, 2] == pytest.approx(1 - order.on_front[2], abs=0.02)
    assert order.dominates[2, 1] == 0.0  # what costs more dominates nothing


def test_few_degrees_of_freedom_are_doubt() -> None:
    means = [[-0.9, 1.0], [-0.93, 2.0]]
    sure = Order.of(estimates(means, 0.01, 100).draws()).on_front[1]
    unsure = Order.of(estimates(means, 0.01, 1).draws()).on_front[1]
    assert unsure < sure


def test_the_next_seed_goes_to_the_pair_whose_order_is_least_sure() -> None:
    order = Order.of(estimates([[-0.9, 1.0], [-0.95, 2.0], [-0.951, 3.0]]).draws())
    assert order.least_sure([True] * 3, [3, 2, 3], 0.95) == 1  # of the two that are alike, the one with fewer
    assert order.least_sure([True] * 3, [3, 4, 3], 0.95) == 2
    assert order.least_sure([True, False, True], [3, 2, 3], 0.95) == 2  # that may have no more


def test_no_seed_is_spent_where_the_front_is_known() -> None:
    order = Order.of(estimates([[-0.9, 1.0], [-0.95, 2.0], [-0.8, 3.0]]).draws())
    assert order.least_sure([True] * 3, [1, 1, 1], 0.95) is None


def test_a_network_that_is_surely_dominated_gets_no_seed_for_another_pair_of_it() -> None:
    """The first two are alike, but the third beats both for less."""
    order = Order.of(estimates([[-0.9, 2.0], [-0.901, 3.0], [-0.99, 1.0]]).draws())
    assert order.least_sure([True] * 3, [1, 1, 1], 0.95) is None


def test_equal_rates_are_no_certainty_and_equal_costs_are() -> None:
    assert not spread([[0.95, 0.95]], rate=True).freedom
    assert np.isnan(interval([0.95, 0.95], spread([[0.95, 0.95]], rate=True), rate=True, level=0.95).low)
    known = spread([[1e9, 1e9, 1e9], [1.1e9, 1.1e9]], rate=False)  # what lies between two networks is no noise
    assert (known.unit, known.freedom) == (0.0, 3)


def test_a_network_without_any_loss_is_known_too() -> None:
    known = spread([[0.0, 0.0], [1.0, 1.1]], rate=False)
    assert 0 < known.unit < 0.1
