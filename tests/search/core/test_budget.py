"""Budgets of a study: what is spent, which of them ends it first, and what then becomes of the trials that run."""

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from search.core.budget import Budget, Rates, Spending, steady_clock
from search.core.records import State
from search.study.running import Nothing
from tests.search.bench import Bench

MakeBench = Callable[..., Bench]


SPENT = Spending(trials=10, epochs=40, gpu_hours=1.5, hours=3.0, cost=12.0)
USED = {"trials": 10, "epochs": 40, "gpu_hours": 1.5, "hours": 3.0, "cost": 12.0}


def test_whatever_can_be_spent_can_be_bounded() -> None:
    assert {item.name for item in fields(Budget)} == {item.name for item in fields(Spending)} == USED.keys()


@pytest.mark.parametrize("name", USED)
def test_a_budget_is_used_up_at_its_limit_and_not_before(name: str) -> None:
    assert Budget(**{name: USED[name]}).ended_by(SPENT) == name  # type: ignore[arg-type]
    assert Budget(**{name: USED[name] * 1.01}).ended_by(SPENT) is None  # type: ignore[arg-type]


def test_no_budget_is_never_used_up() -> None:
    assert Budget().ended_by(SPENT) is None
    assert list(Budget().used(SPENT)) == []


def test_of_several_the_one_that_stops_trials_is_named() -> None:
    assert Budget(trials=10, hours=3.0).ended_by(SPENT) == "hours"
    assert Budget(trials=10, hours=4.0).ended_by(SPENT) == "trials"


def test_gpu_hours_and_cost_are_of_the_seconds_of_training() -> None:
    found = Spending.of(trials=1, epochs=9, trained_s=7200, seconds=3600, rates=Rates(gpus=0.5, price=3.0))
    assert found == Spending(trials=1, epochs=9, gpu_hours=1.0, hours=1.0, cost=6.0)


# In a study: the bench's epochs take a second each


def hours(seconds: float) -> float:
    return seconds / 3600


def gpu_study(make_bench: MakeBench, budget: dict[str, float], **resources: float) -> Bench:
    usual = {"gpus_per_trial": 0.5, "price_per_gpu_hour": 7200.0}  # a second of half a GPU costs 1
    return make_bench(budget=budget, resources={**usual, **resources}, scheduler={"name": "asha", "max_epochs": 9})


@pytest.mark.parametrize("budget", [{"gpu_hours": hours(10)}, {"cost": 20}])
def test_hours_of_gpus_and_money_end_a_study_and_are_counted_over_its_launches(
    make_bench: MakeBench, budget: dict[str, float]
) -> None:
    bench = gpu_study(make_bench, budget)
    running = bench.open()
    while running.account.spending.epochs < 13:
        trial = running.hand_out()
        assert not isinstance(trial, Nothing)
        bench.train(running, trial)
    spent = running.account.spending
    again = bench.open()
    assert (again.account.spending.gpu_hours, again.account.spending.cost) == pytest.approx(
        (spent.gpu_hours, spent.cost)
    )
    bench.train_all(again)
    assert again.over
    assert 20 <= again.account.spending.epochs <= 28  # the budget's, and what the last trial trained beyond
    assert again.account.spending.cost == pytest.approx(again.account.spending.epochs)
    assert bench.open().over


def test_when_time_has_run_out_a_running_trial_rests_at_its_next_rung_and_goes_on_with_more(
    make_bench: MakeBench,
) -> None:
    bench = make_bench(budget={"epochs": 2}, scheduler={"name": "pareto-asha", "max_epochs": 9, "reduction_factor": 3})
    running = bench.open()
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    resting = bench.train(running, trial)
    assert (resting.state, resting.epochs) == (State.RUNNING, 3)
    assert running.over
    assert bench.open().over
    again = bench.open(budget={"epochs": 9})
    assert not again.over
    assert again.hand_out() == again.trials[0] == resting
    assert bench.train(again, resting).state is State.COMPLETE
    assert again.over


def test_a_hopeless_trial_is_stopped_by_its_rung_even_then(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"epochs": 1}, scheduler={"name": "pareto-asha", "max_epochs": 9})
    running = bench.open()
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    chance = bench.learn(trial, 1).showing(accuracy=0.1)
    assert running.measured(trial.number, chance).stop
    assert running.trials[trial.number].state is State.STOPPED


def test_what_waits_for_a_worker_waits_for_more_budget_too(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"epochs": 4}, scheduler={"name": "pareto-asha", "max_epochs": 9})
    running = bench.open()
    first, second = running.hand_out(), running.hand_out()
    assert not isinstance(first, Nothing)
    assert not isinstance(second, Nothing)
    bench.train(running, first, until=4)
    again = bench.open()
    assert again.hand_out() is Nothing.LEFT
    assert again.over
    more = bench.open(budget={"trials": 2})
    bench.train_all(more)
    assert [trial.state is State.RUNNING for trial in more.trials.values()] == [False, False]


def test_that_no_further_trial_is_due_stops_none_that_runs(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"trials": 1}, scheduler={"name": "pareto-asha", "max_epochs": 9})
    running = bench.open()
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    assert running.hand_out() is Nothing.LEFT
    assert bench.train(running, trial).state is State.COMPLETE


def test_without_rungs_a_running_trial_is_trained_in_full(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"epochs": 3}, scheduler={"name": "fifo", "max_epochs": 9})
    running = bench.open()
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    assert bench.train(running, trial).state is State.COMPLETE


def test_a_trial_that_trains_for_too_long_fails_and_is_not_tried_again(make_bench: MakeBench) -> None:
    bench = make_bench(
        budget={"trials": 2}, resources={"hours_per_trial": hours(4.5)}, scheduler={"name": "fifo", "max_epochs": 9}
    )
    running = bench.open()
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    failed = bench.train(running, trial)
    assert (failed.state, failed.epochs, failed.failure_kind) == (State.FAILED, 5, "time-limit")
    assert failed.reason == "time-limit: 0.00139 hours of training are over 0.00125"
    other = running.hand_out()
    assert not isinstance(other, Nothing)
    assert other.digest != failed.digest


def test_a_trial_that_is_done_in_the_epoch_that_is_too_long_is_complete(make_bench: MakeBench) -> None:
    bench = make_bench(resources={"hours_per_trial": hours(8.5)}, scheduler={"name": "fifo", "max_epochs": 9})
    running = bench.open()
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    assert bench.train(running, trial).state is State.COMPLETE


# The clock

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_a_launch_s_clock_begins_with_the_machine_s_and_goes_on_at_the_pace_of_monotonic_time() -> None:
    passed = iter([100.0, 100.0, 102.5])
    clock = steady_clock(now=lambda: NOON, monotonic=lambda: next(passed))
    assert [clock(), clock()] == [NOON, NOON + timedelta(seconds=2.5)]


def test_a_machine_s_clock_that_is_moved_moves_no_launch_s() -> None:
    clock = steady_clock()
    before = clock()
    with time_machine.travel(before - timedelta(hours=1)):
        assert timedelta(0) <= clock() - before < timedelta(minutes=1)
