"""The time that is left is told by the epochs that are left, at the pace of this launch."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from search.core.records import EventKind, TrialRecord
from search.driver.forecast import Forecast, PlannedEpochs, planned_epochs
from search.schedulers.registry import Plan, scheduler_class
from search.study.running import Nothing, RunningStudy
from tests import factories
from tests.search.bench import Bench

MakeBench = Callable[..., Bench]


class Ticks:
    """Tell the seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def middle(forecast: Forecast, running: RunningStudy) -> float | None:
    """Return the middle of the range that is told."""
    told = forecast.range_s(running)
    return None if told is None else sum(told) / 2


@pytest.mark.parametrize(
    ("rule", "options", "trials", "epochs"),
    [
        ("fifo", {}, 10, 90),
        ("asha", {"keep": 0.5}, 8, 8 * 1 + 4 * 2 + 2 * 6),
        ("pareto-asha", {}, 8, 8 * 1 + 4 * 2 + 2 * 6),
        ("auto", {"share": 0.25}, 100, 100 * (1 + 0.25 * 8)),
        ("auto", {"share": 0.25}, 2, 18),  # so few are trained in full, whatever their share
    ],
)
def test_a_plan_is_known_from_its_rule(rule: str, options: dict[str, float], trials: int, epochs: float) -> None:
    given = scheduler_class(rule).options_class(**options)  # type: ignore[arg-type]
    made = Plan(name=rule, options=given, levels=given.levels, chance=None).make(factories.study(max_epochs=9))
    assert made.planned_epochs(trials) == epochs


def steps(bench: Bench, running: RunningStudy, ticks: Ticks, *, a_second: float) -> Iterator[float]:
    """Train one trial after another at a pace, and yield the seconds after each epoch."""
    while isinstance(trial := running.hand_out(), TrialRecord):
        for epoch in range(trial.epochs + 1, bench.record.max_epochs + 1):
            ticks.now += 1 / a_second
            decision = running.measured(trial.number, bench.learn(trial, epoch))
            yield ticks.now
            if decision.stop:
                break
    assert running.hand_out() is Nothing.LEFT


@pytest.mark.parametrize("rule", ["fifo", "auto"])
def test_the_guess_is_right_within_a_third_from_a_fifth_on(make_bench: MakeBench, rule: str) -> None:
    bench, ticks = make_bench(scheduler={"name": rule, "max_epochs": 9}, budget={"trials": 20}), Ticks()
    running, forecast = bench.open(), Forecast(ticks)
    ticks.now = 500.0  # of start-up, which is no pace
    middle(forecast, running)
    told = [(at, middle(forecast, running)) for at in steps(bench, running, ticks, a_second=2.0)]
    end = told[-1][0]
    for at, left in told[len(told) // 5 : -len(told) // 10]:
        assert left is not None
        assert abs(left - (end - at)) < max((end - at) / 3, bench.record.max_epochs / 2.0)  # or a training


def test_nothing_is_told_before_a_pace_is_known(bench: Bench) -> None:
    running, ticks = bench.open(), Ticks()
    forecast = Forecast(ticks)
    assert middle(forecast, running) is None
    for at in steps(bench, running, ticks, a_second=1.0):
        if at < 4:
            assert middle(forecast, running) is None


def test_a_budget_of_time_alone_is_told_before_there_is_a_pace(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"hours": 2.0})
    running, forecast = bench.open(), Forecast(Ticks())
    assert forecast.range_s(running) is None
    bench.clock.advance(1800)
    left = forecast.range_s(running)
    assert left == pytest.approx((5400, 5400))


def test_the_range_holds_the_longest_that_a_running_trial_needs(make_bench: MakeBench) -> None:
    bench, ticks = make_bench(scheduler={"name": "fifo", "max_epochs": 9}, budget={"trials": 6}), Ticks()
    running, forecast = bench.open(), Forecast(ticks)
    for _ in steps(bench, running, ticks, a_second=2.0):
        told = forecast.range_s(running)
        rest = [(9 - each.epochs) * each.trained_s / each.epochs for each in running.trials.values() if each.epochs]
        if told is not None and running.at_work:
            assert told[0] <= told[1]
            assert told[1] >= rest[-1] - 1e-9


def test_epochs_of_an_earlier_launch_are_no_pace_of_this_one(make_bench: MakeBench) -> None:
    bench, ticks = make_bench(scheduler={"name": "fifo", "max_epochs": 9}, budget={"trials": 4}), Ticks()
    running = bench.open()
    for _ in zip(range(18), steps(bench, running, ticks, a_second=100.0), strict=False):
        pass
    running, forecast = bench.open(), Forecast(ticks)
    middle(forecast, running)
    left = [middle(forecast, running) for _ in steps(bench, running, ticks, a_second=1.0)]
    assert left[4] == pytest.approx(13.0, abs=1.5)


def test_a_budget_of_hours_is_left_by_the_clock(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"hours": 2})
    running = bench.open()
    bench.clock.now += timedelta(minutes=30)
    assert middle(Forecast(Ticks()), running) == pytest.approx(1.5 * 3600)
    assert planned_epochs(running) is None


def test_planned_epochs_are_told_once_and_again_when_they_change(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler={"name": "auto", "max_epochs": 9, "share": 0.25}, budget={"trials": 20})
    running = bench.open()
    plan = PlannedEpochs(running)

    def told() -> list[str]:
        return [each.text for each in running.recorder.store.events("bench") if each.kind == EventKind.PLANNED]

    plan.tell()
    plan.tell()
    assert told() == ["60 epochs"]
    running.account.budget = replace(running.account.budget, epochs=30)
    plan.tell()
    assert told() == ["60 epochs", "30 epochs"]
