"""What a training will come to is expected by what others came to that had shown as much at the same rung."""

import numpy as np
import pytest

from search.models.extrapolation import Axis, Expected, Extrapolation, expected

FINAL = np.array([0.05, 0.06, 0.08, 0.11, 0.15, 0.2, 0.3, 0.5])
NONE = np.empty(0)


def line(shown: np.ndarray, final: np.ndarray = FINAL) -> Extrapolation:
    return Extrapolation(Axis(shown if len(shown) else FINAL), Axis(FINAL), shown, final)


def told_by(learned: Extrapolation, shown: np.ndarray) -> Expected:
    return expected(learned.draws(shown))


def test_without_any_example_an_order_stays_as_it_is() -> None:
    told = told_by(line(NONE, NONE), np.array([0.1, 0.2, 0.4]))
    assert list(told.middle) == sorted(told.middle)
    assert (told.deviation > 0).all()


def test_the_level_of_a_rung_is_learned() -> None:
    told = told_by(line(FINAL + 0.3), np.array([0.35, 0.45]))
    assert told.middle == pytest.approx([0.05, 0.15], abs=0.05)


@pytest.mark.parametrize("shown", [100 * FINAL, 0.6 * FINAL + 0.5, FINAL - 7])
def test_a_rung_is_measured_by_its_own_errors(shown: np.ndarray) -> None:
    told = told_by(line(shown), shown)
    assert told.middle == pytest.approx(told_by(line(FINAL), FINAL).middle)
    assert told.deviation == pytest.approx(told_by(line(FINAL), FINAL).deviation)


def test_a_rung_that_tells_nothing_expects_the_same_of_all() -> None:
    told = told_by(line(np.full(len(FINAL), 0.9)), np.array([0.9, 0.9]))
    assert told.middle[0] == told.middle[1]
    assert 0.05 < told.middle[0] < 0.3
    shuffled = told_by(line(np.array([0.4, 0.1, 0.3, 0.2, 0.1, 0.4, 0.2, 0.3])), np.array([0.1, 0.4]))
    assert abs(shuffled.middle[1] - shuffled.middle[0]) < shuffled.deviation.mean()


def test_more_examples_leave_less_doubt() -> None:
    few, many = line(FINAL[:3], FINAL[:3]), line(np.tile(FINAL, 4), np.tile(FINAL, 4))
    at = np.array([0.1])
    assert told_by(many, at).deviation[0] < told_by(few, at).deviation[0]


def test_whoever_showed_less_error_is_expected_to_keep_less() -> None:
    told = told_by(line(FINAL * 1.5), np.linspace(0.05, 0.8, 20))
    assert (np.diff(told.middle) >= 0).all()


@pytest.mark.parametrize("errors", [[0.3], [0.3, 0.3], [0.0, 0.0, 1e9], [-1.0, -0.5], [1e-9, 1.0]])
def test_any_errors_give_finite_expectations(errors: list[float]) -> None:
    all_of_them = np.array(errors)
    draws = Extrapolation(Axis(all_of_them), Axis(all_of_them), all_of_them, all_of_them).draws(all_of_them)
    assert np.isfinite(draws).all()
    assert (np.diff(draws, axis=1) >= 0).all()


def test_an_axis_gives_back_what_it_placed() -> None:
    axis = Axis(FINAL)
    assert axis.error(axis.place(FINAL)) == pytest.approx(FINAL)


def test_how_far_differences_at_a_rung_last_is_learned() -> None:
    showed = np.array([0.05, 0.2])
    steep, flat = told_by(line(FINAL), showed), told_by(line(FINAL, 0.1 + FINAL / 10), showed)
    assert np.diff(flat.middle)[0] < np.diff(steep.middle)[0] / 2


def test_whatever_is_shown_an_expectation_stays_on_the_axis() -> None:
    axis = Axis(FINAL)
    draws = line(FINAL).draws(np.array([-1e9, 1e9]))
    assert draws.min() >= axis.error(np.array([-np.inf]))[0]
    assert draws.max() < 10 * FINAL.max()
    assert axis.error(axis.place(np.array([-1e9])))[0] < FINAL.min()
