"""The expected gain is what a network would add to the front's hypervolume, over all that its error may be."""

import numpy as np
import pytest

from search.models.improvement import attainment, cost_bounds, expected_gain, integration_points
from search.models.pareto import hypervolume

COSTS = np.array([[1.0], [2.0], [3.0]])
ERRORS = np.array([0.5, 0.3, 0.35])  # the third costs more than the second for less


def test_costs_are_read_evenly_from_the_least_to_the_most() -> None:
    points = integration_points(np.array([1.0]), np.array([3.0]))
    assert points[0] == 1
    assert points[-1] == 3
    assert np.ptp(np.diff(points[:, 0])) < 1e-9
    assert np.array_equal(integration_points(np.array([]), np.array([])), np.empty((1, 0)))


def test_two_costs_are_read_within_their_box_the_same_each_time() -> None:
    low, high = np.array([0.0, 5.0]), np.array([1.0, 9.0])
    points = integration_points(low, high)
    assert (points >= low).all()
    assert (points <= high).all()
    assert np.array_equal(points, integration_points(low, high))


def test_what_is_reached_at_a_cost_is_the_best_of_all_that_cost_no_more() -> None:
    at = np.array([[0.5], [1.0], [2.5], [9.0]])
    assert attainment(at, COSTS, ERRORS, worst=0.9).tolist() == [0.9, 0.5, 0.3, 0.3]


def test_an_error_beyond_the_worst_counts_as_none() -> None:
    assert attainment(np.array([[1.0]]), COSTS[:1], np.array([0.95]), worst=0.9).tolist() == [0.9]


@pytest.mark.parametrize(("cost", "error"), [(1.5, 0.2), (0.5, 0.6), (2.5, 0.1), (3.5, 0.29), (2.0, 0.4)])
def test_where_the_error_is_certain_the_gain_is_that_of_the_hypervolume(cost: float, error: float) -> None:
    low, high, worst = np.array([0.0]), np.array([4.0]), 0.9
    points = integration_points(low, high)
    heights = attainment(points, COSTS, ERRORS, worst)
    gain = expected_gain(points, heights, np.array([[cost]]), np.array([error]), np.array([1e-9]))[0]
    before = np.column_stack([ERRORS, COSTS[:, 0]])
    after = np.vstack([before, [error, cost]])
    gained = hypervolume(after, [worst, 4.0]) - hypervolume(before, [worst, 4.0])
    assert gain * 4.0 == pytest.approx(gained, abs=0.01)


def test_with_an_unknown_error_the_gain_is_the_mean_over_what_it_may_be() -> None:
    points = integration_points(np.array([0.0]), np.array([4.0]))
    heights = attainment(points, COSTS, ERRORS, 0.9)
    cost, mean, deviation = np.array([[1.5]]), 0.32, 0.05
    drawn = np.random.default_rng(0).normal(mean, deviation, 4000)
    certain = expected_gain(points, heights, np.repeat(cost, 4000, axis=0), drawn, np.full(4000, 1e-9))
    expected = expected_gain(points, heights, cost, np.array([mean]), np.array([deviation]))[0]
    assert expected == pytest.approx(certain.mean(), rel=0.05)


def test_with_two_costs_only_what_is_dearer_in_both_is_gained() -> None:
    points = integration_points(np.zeros(2), np.ones(2))
    heights = np.full(len(points), 0.9)
    cheap, dear = expected_gain(points, heights, np.array([[0.0, 0.0], [0.5, 0.5]]), np.full(2, 0.1), np.full(2, 1e-9))
    assert cheap == pytest.approx(0.8, abs=1e-6)
    assert dear == pytest.approx(0.8 / 4, abs=0.01)


def test_without_a_cost_the_gain_is_the_expected_improvement() -> None:
    points = integration_points(np.array([]), np.array([]))
    heights = attainment(points, np.empty((2, 0)), np.array([0.4, 0.3]), worst=0.9)
    gain = expected_gain(points, heights, np.empty((2, 0)), np.array([0.1, 0.35]), np.full(2, 1e-9))
    assert gain == pytest.approx([0.2, 0.0], abs=1e-6)


def test_the_dearest_network_gains_by_being_better_than_all() -> None:
    costs = np.array([[1.0], [2.0], [3.0]])
    points = integration_points(*cost_bounds(costs))
    heights = attainment(points, costs[:2], np.array([0.5, 0.4]), 0.6)
    sure = np.array([1e-9])
    assert expected_gain(points, heights, costs[2:], np.array([0.1]), sure)[0] > 0.01
    assert cost_bounds(costs)[0] == 1.0
    assert 3.0 < cost_bounds(costs)[1] < 3.2
