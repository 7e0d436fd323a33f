"""The median rule stops whoever is worse at its best than the others were on average."""

from collections.abc import Sequence

import pytest

from search.core.records import TrialRecord
from search.schedulers.base import Decision, Verdict
from search.schedulers.median import Median, MedianOptions
from tests import factories


def median_of(curves: Sequence[Sequence[float]], *, min_trials: int = 2, grace: int = 1) -> Median:
    made = Median(factories.study(max_epochs=9), MedianOptions(min_trials=min_trials, grace_epochs=grace), (1, 3), 0.1)
    for number, curve in enumerate(curves):
        show(made, factories.trial(number, accuracies=curve))
    return made


def show(made: Median, trial: TrialRecord) -> TrialRecord:
    for measurement in trial.measurements:
        made.observe(trial, measurement)
    return trial


def judge(made: Median, curve: Sequence[float]) -> Decision:
    trial = show(made, factories.trial(99, accuracies=curve))
    assert trial.last is not None
    return made.on_measurement(trial, trial.last)


OTHERS = [(0.2, 0.4, 0.6), (0.3, 0.5, 0.7), (0.4, 0.6, 0.8)]  # on average 0.3, 0.4, 0.5 by epoch 2


@pytest.mark.parametrize(("curve", "stops"), [((0.1, 0.39), True), ((0.1, 0.41), False), ((0.41, 0.1), False)])
def test_the_best_of_a_trial_is_compared_with_the_median_of_averages(curve: tuple[float, ...], stops: bool) -> None:
    assert judge(median_of(OTHERS), curve).stop is stops


def test_the_reason_says_how_many_others_there_were() -> None:
    why = "epoch 2: its best is worse than the median of what 3 others showed on average"
    assert judge(median_of(OTHERS), (0.1, 0.2)) == Decision(Verdict.STOP, why)


def test_too_few_others_stop_nobody_and_those_who_never_came_so_far_are_none() -> None:
    assert judge(median_of(OTHERS, min_trials=4), (0.0, 0.0)).stop is False
    assert judge(median_of([*OTHERS, (0.9,)], min_trials=4), (0.0, 0.0)).stop is False
    assert judge(median_of([*OTHERS, (0.9, 0.9)], min_trials=4), (0.0, 0.0)).stop is True


def test_before_the_first_rung_nobody_stops() -> None:
    assert judge(median_of(OTHERS, grace=3), (0.0, 0.0)).stop is False
    assert judge(median_of(OTHERS, grace=3), (0.0, 0.0, 0.0)).stop is True
