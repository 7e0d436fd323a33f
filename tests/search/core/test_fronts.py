"""Test `search.core.fronts`."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.core.fronts import complete_trials, front_hypervolume, front_trials, minimised_values, objective_values
from search.core.records import State, StudyRecord, TrialRecord
from spaces.cost import Cost

Make = Callable[..., TrialRecord]
MakeStudy = Callable[..., StudyRecord]

SHOWN = st.lists(st.tuples(st.floats(0, 1), st.floats(1e3, 1e8), st.sampled_from(list(State))), min_size=1, max_size=12)
relaxed = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])


def costing(macs: float, params: float = 1000.0) -> Cost:
    return Cost(params=int(params), macs=int(macs), activations=500, weight_bytes=4000)


def made(make_trial: Make, shown: list[tuple[float, float, State]]) -> list[TrialRecord]:
    return [
        make_trial(number, accuracies=(0.1, accuracy), cost=costing(macs), state=state)
        for number, (accuracy, macs, state) in enumerate(shown)
    ]


@pytest.fixture
def study(make_study: MakeStudy) -> StudyRecord:
    return make_study()  # accuracy and macs, ten classes, from 10,000 to 1,000,000 macs


@relaxed
@given(shown=SHOWN)
def test_only_complete_trials_are_on_the_front(
    make_trial: Make, make_study: MakeStudy, shown: list[tuple[float, float, State]]
) -> None:
    trials = made(make_trial, shown)
    front = front_trials(make_study(), trials)
    assert all(trial.state is State.COMPLETE for trial in front)
    assert bool(front) == any(state is State.COMPLETE for _, _, state in shown)


@relaxed
@given(shown=SHOWN)
def test_the_front_is_what_no_complete_trial_beats(
    make_trial: Make, make_study: MakeStudy, shown: list[tuple[float, float, State]]
) -> None:
    trials = made(make_trial, shown)
    complete = [
        (accuracy, int(macs), number) for number, (accuracy, macs, state) in enumerate(shown) if state is State.COMPLETE
    ]
    unbeaten = [
        number
        for accuracy, macs, number in complete
        if not any(a >= accuracy and m <= macs and (a, m) != (accuracy, macs) for a, m, _ in complete)
    ]
    assert sorted(trial.number for trial in front_trials(make_study(), trials)) == unbeaten


@relaxed
@given(shown=SHOWN)
def test_the_front_goes_from_the_cheapest_to_the_dearest_and_so_from_the_worst_to_the_best(
    make_trial: Make, make_study: MakeStudy, shown: list[tuple[float, float, State]]
) -> None:
    study = make_study()
    front = front_trials(study, made(make_trial, shown))
    values = [objective_values(study, trial) for trial in front]
    assert [macs for _, macs in values] == sorted(macs for _, macs in values)
    assert [accuracy for accuracy, _ in values] == sorted(accuracy for accuracy, _ in values)


def test_a_stopped_trial_is_not_on_the_front_however_good(study: StudyRecord, make_trial: Make) -> None:
    good = make_trial(0, accuracies=(0.99,), cost=costing(1), state=State.STOPPED)
    plain = make_trial(1, accuracies=(0.5, 0.6), cost=costing(50_000), state=State.COMPLETE)
    assert front_trials(study, [good, plain]) == [plain]
    assert complete_trials([good, plain]) == [plain]


def test_what_a_study_would_not_propose_any_more_stands_on_no_front(study: StudyRecord, make_trial: Make) -> None:
    plain = make_trial(1, accuracies=(0.6,), cost=costing(50_000), state=State.COMPLETE)
    good = make_trial(0, accuracies=(0.99,), cost=costing(1000), state=State.COMPLETE, outside="oversteps params by 5%")
    assert front_trials(study, [good, plain]) == [plain]
    assert front_hypervolume(study, [good, plain]) == front_hypervolume(study, [plain])


def test_equal_trials_are_both_on_the_front_by_number(study: StudyRecord, make_trial: Make) -> None:
    twins = [make_trial(number, accuracies=(0.9,), cost=costing(50_000), state=State.COMPLETE) for number in (7, 3)]
    assert [trial.number for trial in front_trials(study, twins)] == [3, 7]


def test_where_the_last_objective_is_accuracy_the_most_accurate_comes_first(
    make_study: MakeStudy, make_trial: Make
) -> None:
    study = make_study(objectives=("macs", "accuracy"))
    trials = made(make_trial, [(0.6, 20_000, State.COMPLETE), (0.9, 90_000, State.COMPLETE)])
    assert [trial.number for trial in front_trials(study, trials)] == [1, 0]


def test_a_trial_is_worth_what_it_showed_last(study: StudyRecord, make_trial: Make) -> None:
    trial = make_trial(accuracies=(0.2, 0.9, 0.7), cost=costing(12_345), state=State.COMPLETE)
    assert objective_values(study, trial) == (0.7, 12_345)
    assert minimised_values(study, [trial]).tolist() == [[-0.7, 12_345]]


def test_what_no_epoch_has_revealed_is_not_known_and_cannot_be_ranked(study: StudyRecord, make_trial: Make) -> None:
    trial = make_trial()
    accuracy, macs = objective_values(study, trial)
    assert math.isnan(accuracy)
    assert macs == trial.cost.macs
    with pytest.raises(ValueError, match="NaN"):
        minimised_values(study, [trial])


def test_a_running_trial_without_an_epoch_troubles_no_front(study: StudyRecord, make_trial: Make) -> None:
    done = make_trial(1, accuracies=(0.8,), cost=costing(50_000), state=State.COMPLETE)
    assert front_trials(study, [make_trial(0), done]) == [done]
    assert front_hypervolume(study, [make_trial(0), done]) > 0


def test_without_a_complete_trial_there_is_no_front_and_no_volume(study: StudyRecord, make_trial: Make) -> None:
    for trials in ([], [make_trial(0, accuracies=(0.9,)), make_trial(1, state=State.FAILED)]):
        assert front_trials(study, trials) == []
        assert front_hypervolume(study, trials) == 0
    assert minimised_values(study, []).shape == (0, 2)


@relaxed
@given(shown=SHOWN)
def test_hypervolume_is_a_share_that_only_grows(
    make_trial: Make, make_study: MakeStudy, shown: list[tuple[float, float, State]]
) -> None:
    study = make_study(bounds={"macs": (1e4, 1e6)})
    trials = made(make_trial, shown)
    volumes = [front_hypervolume(study, trials[:count]) for count in range(len(trials) + 1)]
    assert volumes[0] == 0
    assert all(0 <= before <= after + 1e-12 for before, after in itertools.pairwise(volumes))
    assert volumes[-1] <= 1


@pytest.mark.parametrize(
    ("accuracy", "macs", "share"),
    [
        (1.0, 10_000, 1.0),  # perfect, at the cheapest
        (1.0, 100_000, 0.5),  # perfect, half way on the log axis
        (0.55, 10_000, 0.5),  # half way from chance, at the cheapest
        (0.55, 100_000, 0.25),
        (0.1, 10_000, 0.0),  # at chance
        (0.01, 10_000, 0.0),  # below chance
        (1.0, 1_000_000, 0.0),  # at the dearest
        (1.0, 5_000_000, 0.0),  # beyond what the space holds
        (1.0, 5_000, 1.0),
    ],
)
def test_one_trial_covers_its_way_from_chance_times_its_way_from_the_dearest(
    study: StudyRecord, make_trial: Make, accuracy: float, macs: float, share: float
) -> None:
    trial = make_trial(accuracies=(accuracy,), cost=costing(macs), state=State.COMPLETE)
    assert front_hypervolume(study, [trial]) == pytest.approx(share)


@pytest.mark.parametrize(("loss", "share"), [(0.0, 0.5), (math.log(10) / 2, 0.25), (math.log(10), 0.0), (50.0, 0.0)])
def test_a_loss_is_measured_against_guessing(
    make_study: MakeStudy, make_trial: Make, make_measurement: Callable[..., object], loss: float, share: float
) -> None:
    study = make_study(objectives=("loss", "macs"))
    shown = (make_measurement(1, loss=loss),)
    trial = make_trial(measurements=shown, cost=costing(100_000), state=State.COMPLETE)
    assert front_hypervolume(study, [trial]) == pytest.approx(share)


def test_where_all_networks_cost_the_same_accuracy_alone_decides(make_study: MakeStudy, make_trial: Make) -> None:
    study = make_study(bounds={"macs": (5_000.0, 5_000.0)})
    worse, better = (
        make_trial(number, accuracies=(accuracy,), cost=costing(5_000), state=State.COMPLETE)
        for number, accuracy in enumerate((0.55, 1.0))
    )
    assert front_hypervolume(study, [worse]) == pytest.approx(0.25)
    assert front_hypervolume(study, [worse, better]) == pytest.approx(0.5)


def test_three_objectives_span_a_box(make_study: MakeStudy, make_trial: Make) -> None:
    study = make_study(objectives=("accuracy", "macs", "params"), bounds={"macs": (1e4, 1e6), "params": (1e2, 1e6)})
    trial = make_trial(accuracies=(0.55,), cost=costing(1e5, params=1e4), state=State.COMPLETE)
    assert front_hypervolume(study, [trial]) == pytest.approx(0.5**3)


def test_a_measured_cost_has_ends_that_no_space_sets(make_study: MakeStudy, make_trial: Make) -> None:
    study = make_study(objectives=("accuracy", "latency_ms"), bounds={})
    trials = [
        replace(
            make_trial(number, accuracies=(1.0,), state=State.COMPLETE),
            measurements=(make_trial(0, accuracies=(1.0,)).measurements[0].showing(latency_ms=latency_ms),),
        )
        for number, latency_ms in enumerate((1.0, 10.0))
    ]
    assert [trial.number for trial in front_trials(study, trials)] == [0]
    assert front_hypervolume(study, trials[1:]) == pytest.approx(0.5)  # three of six decades from its worst
    assert front_hypervolume(study, trials) == pytest.approx(4 / 6)
