"""The roll of a study's trials answers as if all of them were read through each time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.core.fronts import front_trials
from search.core.records import State, StudyRecord, TrialRecord
from search.samplers.memory import ceiling_of
from search.study.trials import TrialIndex
from tests.factories import STARTED
from workers.kinds import FailureKind

MakeTrial = Callable[..., TrialRecord]
MakeStudy = Callable[..., StudyRecord]

relaxed = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

ENDS = [
    (State.COMPLETE, ""),
    (State.STOPPED, ""),
    *((State.FAILED, kind) for kind in ("crash", FailureKind.LOST, FailureKind.OUT_OF_MEMORY)),
]
STORIES = st.lists(  # of each trial: memory, accuracies, and how it ends, if it does
    st.tuples(
        st.sampled_from([100, 200, 300, 400]),
        st.lists(st.sampled_from([0.3, 0.5, 0.7]), max_size=3),
        st.one_of(st.none(), st.sampled_from(ENDS)),
    ),
    max_size=12,
)


def steps(
    make_trial: MakeTrial, number: int, story: tuple[int, list[float], tuple[State, str] | None]
) -> list[TrialRecord]:
    """Return a trial at every moment of its life."""
    training_bytes, accuracies, end = story
    lived = [make_trial(number, accuracies=accuracies[:epochs]) for epochs in range(len(accuracies) + 1)]
    if end is not None and (accuracies or end[0] is not State.COMPLETE):
        lived.append(replace(lived[-1], state=end[0], failure_kind=end[1]))
    return [
        replace(trial, digest=f"{number}", cost=replace(trial.cost, training_bytes=training_bytes)) for trial in lived
    ]


def check(roll: TrialIndex, trials: dict[int, TrialRecord]) -> None:
    every = list(trials.values())
    assert roll == trials
    assert roll.newest == max(trials, default=-1)
    assert +roll.count == Counter(trial.state for trial in every)
    assert roll.running == {trial.number for trial in every if trial.state is State.RUNNING}
    assert set(roll.ended) == trials.keys() - roll.running
    assert len(set(roll.ended)) == len(roll.ended)
    assert roll.known == {trial.digest: trial.number for trial in every if not trial.failed_transiently}
    assert roll.front == front_trials(roll.record, every)
    since = STARTED + timedelta(minutes=3)
    assert ceiling_of(roll.memory_evidence(since)) == ceiling_of(
        trial for trial in every if trial.epochs or (trial.started_at and trial.started_at >= since)
    )


@relaxed
@given(stories=STORIES, data=st.data())
def test_after_every_step_it_answers_as_all_trials_would(
    make_study: MakeStudy, make_trial: MakeTrial, stories: list[tuple[int, list[float], None]], data: st.DataObject
) -> None:
    left = {number: steps(make_trial, number, story) for number, story in enumerate(stories)}
    roll, trials = TrialIndex(make_study()), dict[int, TrialRecord]()
    while left:
        number = data.draw(st.sampled_from(sorted(left)))
        roll[number] = trials[number] = left[number].pop(0)
        if not left[number]:
            del left[number]
        check(roll, trials)
    check(TrialIndex(make_study(), trials.values()), trials)


def test_trials_are_named_in_the_order_in_which_they_ended(make_study: MakeStudy, make_trial: MakeTrial) -> None:
    roll = TrialIndex(make_study(), [make_trial(number) for number in range(3)])
    for number in (2, 0):
        roll[number] = make_trial(number, state=State.STOPPED)
    assert roll.ended == [2, 0]


def test_a_network_whose_worker_was_lost_for_good_may_be_tried_again(
    make_study: MakeStudy, make_trial: MakeTrial
) -> None:
    lost = make_trial(0, state=State.FAILED, failure_kind=FailureKind.LOST)
    again = replace(make_trial(1), digest=lost.digest)
    roll = TrialIndex(make_study(), [lost])
    assert roll.known == {}
    roll[1] = again
    assert roll.known == {lost.digest: 1}


@pytest.mark.parametrize("count", [1, 200])
def test_the_front_is_found_from_what_is_new(make_study: MakeStudy, make_trial: MakeTrial, count: int) -> None:
    roll = TrialIndex(make_study())
    for number in range(count):
        roll[number] = make_trial(number, accuracies=[number / count], state=State.COMPLETE)
    assert len(roll.front) == count  # each is better, and costs more
    assert roll.front is roll.front
