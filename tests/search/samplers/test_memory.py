"""What runs out of memory teaches which networks cannot fit, and these are not started."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from search.core.records import State, TrialRecord
from search.samplers.memory import Ceiling, ceiling_of
from search.study.running import Nothing, RunningStudy
from spaces.errors import TrialFailure
from tests.search.bench import Bench
from workers.kinds import FailureKind

MakeTrial = Callable[..., TrialRecord]
FULL = TrialFailure(FailureKind.OUT_OF_MEMORY, "CUDA out of memory")


@pytest.fixture
def trial_of(make_trial: MakeTrial) -> Callable[..., TrialRecord]:
    """Give `trial_of(number, training_bytes, kind="")`: one that was trained, or that failed by a kind."""

    def make(number: int, training_bytes: int, kind: str = "") -> TrialRecord:
        trial = make_trial(number, accuracies=() if kind else (0.5,), state=State.FAILED if kind else State.COMPLETE)
        return replace(trial, failure_kind=kind, cost=replace(trial.cost, training_bytes=training_bytes))

    return make


def test_where_nothing_ran_out_there_is_no_ceiling(trial_of: MakeTrial) -> None:
    assert ceiling_of([]) is None
    assert ceiling_of([trial_of(0, 100), trial_of(1, 50, "crash")]) is None


def test_the_ceiling_is_the_second_that_ran_out_above_all_that_fits(trial_of: MakeTrial) -> None:
    trials = [
        trial_of(0, 100),
        trial_of(1, 90, FailureKind.OUT_OF_MEMORY),
        trial_of(2, 300, FailureKind.OUT_OF_MEMORY),
        trial_of(3, 200, FailureKind.OUT_OF_MEMORY),
        trial_of(4, 400, FailureKind.OUT_OF_MEMORY),
    ]
    assert ceiling_of(trials) == Ceiling(training_bytes=300, trial=2)
    assert ceiling_of([*trials, trial_of(5, 250)]) == Ceiling(training_bytes=400, trial=4)
    assert ceiling_of([*trials, trial_of(5, 350)]) is None  # one alone may be a neighbour's fault


SMALL = {"depth": {"int": [1, 4]}, "widening_factor": {"choice": [0.25, 0.5, 1, 2]}}


def open_with_failures(make_bench: Callable[..., Bench], count: int) -> tuple[Bench, RunningStudy]:
    """Return a study of 16 networks whose smallest handed out run out of memory at once."""
    bench = make_bench(space=SMALL, constraints={}, budget={"trials": 100}, scheduler={"name": "fifo"})
    running = bench.open()
    handed = [trial for trial in (running.hand_out() for _ in range(4)) if not isinstance(trial, Nothing)]
    handed.sort(key=lambda trial: trial.cost.training_bytes)
    for trial in handed[:count]:
        running.failed(trial.number, FULL)
    for trial in handed[count:]:
        bench.train(running, trial)
    return bench, running


@pytest.mark.parametrize("count", [1, 4])
def test_in_the_end_every_network_is_tried_whatever_ran_out_of_memory(
    make_bench: Callable[..., Bench], count: int
) -> None:
    bench, running = open_with_failures(make_bench, count)
    bench.train_all(running)
    assert len(running.trials) == 16
    assert running.over


def test_a_ceiling_is_of_one_launch_since_the_next_may_have_more_memory(make_bench: Callable[..., Bench]) -> None:
    bench, running = open_with_failures(make_bench, 4)
    while not any(rejection.violations.keys() == {"memory"} for rejection in running.rejections):
        assert not isinstance(running.hand_out(), Nothing)
    bench.clock.advance(1)
    again = bench.open()
    told = again.proposer.mirror.get_trials(deepcopy=False)
    assert not any("memory" in trial.constraints for trial in told)
    again.hand_out()
    again.hand_out()
    new = again.rejections[len(running.rejections) :]
    assert not any("memory" in rejection.violations for rejection in new)


def test_what_is_at_the_ceiling_oversteps_it() -> None:
    ceiling = Ceiling(training_bytes=2_000_000, trial=3)
    assert ceiling.violation(1_999_990) == 0
    assert 0 < ceiling.violation(2_000_000) < 1e-5
    assert ceiling.violation(3_000_000) == pytest.approx(0.5, abs=1e-5)
    assert (
        ceiling.reason(3_000_000) == "an estimated 3.00MB of memory does not fit: trial 3 ran out of memory at 2.00MB"
    )


def needed(trial: TrialRecord) -> float:
    """Return what a trial really needs: more or less than was estimated, as its digest has it."""
    drawn = hashlib.sha256(trial.digest.encode()).digest()[0] / 255
    return trial.cost.training_bytes * (0.4 + 0.2 * drawn)


@pytest.mark.slow
def test_of_120_trials_under_a_hidden_cap_a_fifth_at_most_runs_out_of_memory(
    make_bench: Callable[..., Bench],
) -> None:
    space = {
        "block": {"choice": ["basic", "bottleneck", "preact"]},
        "depth": {"int": [1, 8]},
        "widening_factor": {"choice": [0.25, 0.5, 1, 2, 3, 4, 6, 8]},
        "shortcut": {"choice": ["A", "B", "C"]},
    }
    bench = make_bench(space=space, constraints={}, budget={"trials": 120}, scheduler={"name": "fifo"})
    running = bench.open()
    cap = 30e6  # bytes: nearly half of the space does not fit
    while not isinstance(trial := running.hand_out(), Nothing):
        if needed(trial) > cap:
            running.failed(trial.number, FULL)
        else:
            bench.train(running, trial)
    failed = [trial for trial in running.trials.values() if trial.state is State.FAILED]
    assert len(running.trials) == 120
    assert 0 < len(failed) <= 24
    assert any("does not fit: trial" in rejection.reason for rejection in running.rejections)
    assert {trial.failure_kind for trial in failed} == {FailureKind.OUT_OF_MEMORY}
