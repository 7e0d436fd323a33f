"""Test `search.models.pareto`."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.models.pareto import Layers, Points, as_points, crowding, dominates, front, hypervolume, order, ranks

relaxed = settings(deadline=None, max_examples=50)

COARSE = st.integers(0, 5).map(float)  # so that ties and duplicates come often
MIXED = st.one_of(COARSE, st.floats(-1e3, 1e3))


@st.composite
def points(draw: st.DrawFn, values: st.SearchStrategy[float] = MIXED, most: int = 12) -> Points:
    m = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(values, min_size=m, max_size=m), min_size=1, max_size=most))
    return as_points(rows)


def beats(one: Points, other: Points) -> bool:
    """Say by definition whether one point dominates another."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(a < b for a, b in zip(one, other, strict=True))


def brute_front(rows: Points) -> list[bool]:
    return [not any(beats(other, row) for other in rows) for row in rows]


def inclusion_exclusion(rows: Points, corner: list[float]) -> float:
    """Add up the boxes between points and corner, less what two share, plus what three share, and so on."""
    total = 0.0
    for count in range(1, len(rows) + 1):
        for chosen in itertools.combinations(rows, count):
            sides = np.clip(np.array(corner) - np.max(chosen, axis=0), 0, None)
            total += (-1) ** (count + 1) * float(np.prod(sides))
    return total


@relaxed
@given(rows=points())
def test_dominance_is_its_definition(rows: Points) -> None:
    matrix = dominates(rows)
    expected = [[beats(one, other) for other in rows] for one in rows]
    assert matrix.tolist() == expected


@relaxed
@given(rows=points())
def test_points_that_come_one_by_one_have_the_ranks_that_all_of_them_have(rows: Points) -> None:
    layers = Layers()
    for name, row in enumerate(rows.tolist()):
        layers.add(name, row)
        so_far = ranks(rows[: name + 1])
        for rank in range(so_far.max() + 1):
            names, points = layers[rank]
            assert sorted(names.tolist()) == np.flatnonzero(so_far == rank).tolist()
            assert points.tolist() == rows[names].tolist()
            assert layers.above(rank) == (so_far < rank).sum()
        assert [layers.rank(each) for each in rows[: name + 1].tolist()] == so_far.tolist()


@relaxed
@given(rows=points())
def test_the_front_is_what_nothing_dominates(rows: Points) -> None:
    assert front(rows).tolist() == brute_front(rows)
    assert front(rows).any()


@relaxed
@given(rows=points())
def test_ranks_peel_front_after_front(rows: Points) -> None:
    expected = np.full(len(rows), -1)
    left, rank = list(range(len(rows))), 0
    while left:
        here = [index for index, best in zip(left, brute_front(rows[left]), strict=True) if best]
        expected[here] = rank
        left = [index for index in left if index not in here]
        rank += 1
    assert ranks(rows).tolist() == expected.tolist()


@relaxed
@given(rows=points(), scale=st.floats(0.1, 10), shift=COARSE)
def test_ranks_hang_on_the_order_of_values_alone(rows: Points, scale: float, shift: float) -> None:
    coarse = np.round(rows)
    assert ranks(coarse * scale + shift).tolist() == ranks(coarse).tolist()


def test_equal_points_are_all_on_the_front() -> None:
    rows = as_points([[1, 2], [1, 2], [2, 3], [1, 2]])
    assert front(rows).tolist() == [True, True, False, True]
    assert ranks(rows).tolist() == [0, 0, 1, 0]


def test_of_points_equal_in_one_value_the_better_in_the_other_dominates() -> None:
    assert front(as_points([[1, 2], [1, 3], [2, 2]])).tolist() == [True, False, False]


@relaxed
@given(rows=points())
def test_the_ends_of_a_rank_are_infinitely_far(rows: Points) -> None:
    distance, rank = crowding(rows), ranks(rows)
    for level in set(rank.tolist()):
        members = rows[rank == level]
        for column in members.T:
            far = distance[rank == level] == math.inf
            assert column.min() in column[far]
            assert column.max() in column[far]


def test_crowding_adds_the_gaps_between_neighbours_over_the_spread() -> None:
    rows = as_points([[0, 10], [1, 6], [4, 2], [10, 0]])
    assert crowding(rows).tolist() == pytest.approx([math.inf, 4 / 10 + 8 / 10, 9 / 10 + 6 / 10, math.inf])


def test_crowding_is_measured_within_a_rank() -> None:
    best = [[0, 10], [1, 6], [4, 2], [10, 0]]
    worse = [[x + 100, y + 100] for x, y in best]
    distance = crowding(as_points(best + worse))
    assert distance[:4].tolist() == pytest.approx(distance[4:].tolist())


@relaxed
@given(rows=points())
def test_the_order_names_each_point_once_from_the_best_rank_to_the_worst(rows: Points) -> None:
    indices = order(rows)
    assert sorted(indices.tolist()) == list(range(len(rows)))
    keys = [(ranks(rows)[index], -crowding(rows)[index], index) for index in indices]
    assert keys == sorted(keys)


def test_of_equally_good_points_the_earlier_comes_first() -> None:
    assert order(as_points([[1, 1]] * 4)).tolist() == [0, 3, 1, 2]  # the first and the last are taken for the ends
    assert order(as_points([[0, 2], [2, 0]])).tolist() == [0, 1]


@relaxed
@given(rows=points(values=COARSE, most=7))
def test_hypervolume_is_that_of_the_boxes_together(rows: Points) -> None:
    corner = [4.5] * rows.shape[1]
    assert hypervolume(rows, corner) == pytest.approx(inclusion_exclusion(rows, corner))


@pytest.mark.parametrize("m", [2, 3])
def test_hypervolume_is_the_share_of_random_darts_that_are_dominated(m: int) -> None:
    rng = np.random.default_rng(m)
    rows = rng.uniform(size=(20, m))
    darts = rng.uniform(size=(40_000, m))
    hit = (rows[:, None] <= darts[None]).all(axis=2).any(axis=0).mean()
    assert hypervolume(rows, [1.0] * m) == pytest.approx(hit, abs=0.01)


@relaxed
@given(rows=points(), data=st.data())
def test_another_point_never_takes_hypervolume_away(rows: Points, data: st.DataObject) -> None:
    m = rows.shape[1]
    corner = data.draw(st.lists(COARSE, min_size=m, max_size=m))
    more = np.vstack([rows, data.draw(st.lists(COARSE, min_size=m, max_size=m))])
    before = hypervolume(rows, corner)
    assert 0 <= before <= hypervolume(more, corner) * (1 + 1e-9)


@relaxed
@given(rows=points(values=COARSE), data=st.data())
def test_hypervolume_hangs_on_the_front_alone_in_whatever_order(rows: Points, data: st.DataObject) -> None:
    corner = [6.0] * rows.shape[1]
    shuffled = rows[data.draw(st.permutations(range(len(rows))))]
    assert hypervolume(shuffled, corner) == pytest.approx(hypervolume(rows[front(rows)], corner))
    assert hypervolume(np.vstack([rows, rows]), corner) == pytest.approx(hypervolume(rows, corner))


def test_points_on_or_beyond_the_reference_add_nothing() -> None:
    assert hypervolume(as_points([[1, 0], [0, 1], [2, -5]]), [1, 1]) == 0
    assert hypervolume(as_points([[0.5, 0.5], [1, 0], [-9, 1]]), [1, 1]) == 0.25


def test_hypervolume_in_two_dimensions_by_hand() -> None:
    assert hypervolume(as_points([[1, 3], [2, 2], [3, 1]]), [4, 4]) == 6


def test_nothing_has_no_front_and_no_volume() -> None:
    for rows in (as_points([]), np.empty((0, 2))):
        assert front(rows).tolist() == ranks(rows).tolist() == crowding(rows).tolist() == order(rows).tolist() == []
        assert hypervolume(rows, [1, 1]) == 0


def test_one_point_is_its_own_front() -> None:
    rows = as_points([[3, 4]])
    assert front(rows).tolist() == [True]
    assert crowding(rows).tolist() == [math.inf]
    assert order(rows).tolist() == [0]
    assert hypervolume(rows, [5, 6]) == 4


def test_numbers_in_a_row_are_points_of_one_value() -> None:
    assert as_points([3, 1, 2]).shape == (3, 1)  # type: ignore[list-item]
    assert ranks(as_points([3, 1, 2])).tolist() == [2, 0, 1]  # type: ignore[list-item]


@pytest.mark.parametrize("rows", [[[0.0, math.nan]], [[0.0, 1.0], [math.nan, math.inf]]])
def test_a_nan_is_refused(rows: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="a NaN cannot be ranked"):
        as_points(rows)


@pytest.mark.parametrize(
    "rows",
    [
        [[math.inf, 0.0], [0.0, 1.0], [1.0, -math.inf]],
        [[math.inf, math.inf], [math.inf, math.inf]],
        [[-math.inf, 0.0], [-math.inf, 1.0], [-math.inf, 0.0]],
        [[0.0, math.inf], [0.5, math.inf], [1.0, -math.inf]],
    ],
)
def test_infinities_are_ranked_like_any_value(rows: list[list[float]]) -> None:
    given_points = as_points(rows)
    assert front(given_points).tolist() == brute_front(given_points)
    assert sorted(order(given_points).tolist()) == list(range(len(rows)))
    assert not np.isnan(crowding(given_points)).any()
    assert hypervolume(given_points, [2.0, 2.0]) >= 0


def test_a_point_infinitely_good_has_an_infinite_volume() -> None:
    assert hypervolume(as_points([[-math.inf, 0.0], [-math.inf, 0.5]]), [1, 1]) == math.inf
    assert hypervolume(as_points([[0.0, -math.inf], [0.5, -math.inf]]), [1, 1]) == math.inf
