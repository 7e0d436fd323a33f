"""A study loses nothing and does nothing twice, whatever dies and in whatever order the news comes."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from search.core.fronts import objective_values
from search.core.records import EventKind, Host, Spent, State, TrialRecord
from search.schedulers.base import GO_ON, Decision, Options, Scheduler, Verdict
from search.storage.store import Store
from search.study.queue import ATTEMPTS, BACK_OFF_S
from search.study.recorder import Recorder
from search.study.running import Nothing, RunningStudy
from spaces.errors import StorageAway, StudyError, TrialFailure
from tests.search.bench import NOON, Bench, learn
from workers.kinds import FailureKind
from workers.measurement import TRAIN_LOSS, Measurement

MakeBench = Callable[..., Bench]

CRASH = TrialFailure("out-of-memory", "4 GiB asked for", "Traceback")
GONE = TrialFailure(FailureKind.LOST, "its machine went away")


def hand_out(running: RunningStudy) -> TrialRecord:
    trial = running.hand_out()
    assert isinstance(trial, TrialRecord)
    return trial


def recorded(running: RunningStudy) -> dict[int, TrialRecord]:
    """Return what SQL holds."""
    return {trial.number: trial for trial in running.recorder.store.trials(running.record.name)}


def lose(running: RunningStudy, number: int, times: int) -> None:
    """Lose a trial's worker, and hand the trial to another, so many times."""
    for _ in range(times):
        running.failed(number, GONE)
        if running.trials[number].state is State.RUNNING:
            running.queue.discard(number)


# A trial's life


def test_a_trial_is_recorded_before_it_is_handed_out(bench: Bench) -> None:
    running = bench.open()
    trial = hand_out(running)
    assert recorded(running) == {0: trial} == running.trials
    assert (trial.number, trial.state, trial.epochs, trial.started_at) == (0, State.RUNNING, 0, NOON)
    assert trial.digest == trial.architecture.digest


def test_a_trial_that_reaches_full_fidelity_is_complete(bench: Bench) -> None:
    running = bench.open()
    trial = bench.train(running, hand_out(running))
    assert (trial.state, trial.epochs, trial.reason, trial.ended_at) == (State.COMPLETE, 9, "", NOON)
    assert recorded(running)[0] == trial
    assert trial.measurements == tuple(learn(trial, epoch) for epoch in range(1, 10))


def test_a_trial_that_an_earlier_launch_began_by_a_clock_that_was_fast_ends_no_sooner(bench: Bench) -> None:
    bench.clock.advance(3600)
    hand_out(bench.open())
    bench.clock.advance(-3600)
    running = bench.open()
    trial = bench.train(running, hand_out(running))
    assert trial.ended_at == trial.started_at == NOON + timedelta(hours=1)


def test_a_trial_is_stopped_at_a_rung_with_its_reason(bench: Bench) -> None:
    running = bench.open()
    bench.train(running, hand_out(running))
    trial = hand_out(running)
    decision = running.measured(trial.number, learn(trial, 1).showing(accuracy=0.11))
    stopped = recorded(running)[1]
    assert decision.stop
    assert (stopped.state, stopped.epochs, stopped.reason) == (State.STOPPED, 1, decision.reason)
    assert "epoch 1" in stopped.reason


def test_no_trial_is_stopped_between_rungs(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler={"name": "asha", "grace_epochs": 2, "max_epochs": 9, "reduction_factor": 2})
    running = bench.open()
    assert running.scheduler.levels == (2, 4, 8)
    bench.train_all(running)
    epochs = Counter(trial.epochs for trial in running.trials.values())
    assert set(epochs) <= {2, 4, 8, 9}
    assert epochs[2] > 0


def test_every_trial_has_a_seed_of_its_own_that_no_relaunch_changes(bench: Bench) -> None:
    running = bench.open()
    seeds = [hand_out(running).seed for _ in range(3)]
    running = bench.open()
    assert [hand_out(running).seed for _ in range(3)] == seeds
    seeds.append(hand_out(running).seed)
    assert len(set(seeds)) == 4


def test_a_failed_trial_says_why(bench: Bench) -> None:
    running = bench.open()
    running.failed(hand_out(running).number, CRASH)
    trial = recorded(running)[0]
    assert (trial.state, trial.reason, trial.ended_at) == (State.FAILED, "out-of-memory: 4 GiB asked for", NOON)
    assert (trial.failure_kind, trial.failure_details) == ("out-of-memory", "Traceback")


def test_news_of_a_trial_that_has_ended_changes_nothing(bench: Bench) -> None:
    running = bench.open()
    trial = hand_out(running)
    running.failed(trial.number, CRASH)
    before = recorded(running)
    decision = running.measured(trial.number, learn(trial, 1))
    running.failed(trial.number, TrialFailure("crash", "another"))
    running.failed(trial.number, GONE)
    assert decision == Decision(Verdict.STOP, before[0].reason)
    assert recorded(running) == before == running.trials
    assert not running.queue


# In SQL before it counts


class Watchful(Scheduler):
    """Note what SQL holds at the moment of each decision."""

    running: RunningStudy
    seen: list[tuple[int, int]]
    observed: list[int]

    def observe(self, _trial: TrialRecord, measurement: Measurement) -> None:
        self.observed.append(measurement.epoch)

    def reads(self, epoch: int) -> bool:
        return epoch in self.levels

    def on_measurement(self, _trial: TrialRecord, measurement: Measurement) -> Decision:
        self.seen.append((measurement.epoch, recorded(self.running)[0].epochs))
        return GO_ON


def watch(running: RunningStudy) -> Watchful:
    watchful = Watchful(running.record, Options(), (1, 3), None)
    watchful.running, watchful.seen, watchful.observed = running, [], []
    running.scheduler = watchful
    return watchful


def test_a_measurement_is_in_sql_before_a_decision_is_made_on_it(bench: Bench) -> None:
    running = bench.open()
    watchful = watch(running)
    trial = hand_out(running)
    running.measured(trial.number, learn(trial, 1))
    assert watchful.seen == [(1, 1)]


def test_the_last_measurement_is_in_sql_before_the_trial_is_complete(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = bench.open()
    seen: list[tuple[int, State]] = []
    end = running.recorder.end

    def watched(trial: TrialRecord, *given: Any) -> None:
        seen.append((recorded(running)[trial.number].epochs, trial.state))
        end(trial, *given)

    monkeypatch.setattr(running.recorder, "end", watched)
    bench.train(running, hand_out(running))
    assert seen == [(9, State.COMPLETE)]


def test_a_measurement_that_cannot_be_recorded_does_not_count(bench: Bench) -> None:
    running = bench.open()
    watchful = watch(running)
    trial = hand_out(running)
    with pytest.raises(ValueError, match="epoch 2 of trial 0 leaves a gap"):
        running.measured(trial.number, learn(trial, 2))
    assert running.trials[0].epochs == 0
    assert running.measured(trial.number, learn(trial, 1)) == GO_ON
    assert watchful.seen == [(1, 1)]


def test_an_epoch_told_twice_changes_nothing(bench: Bench) -> None:
    running = bench.open()
    watchful = watch(running)
    trial = hand_out(running)
    for epoch in (1, 2):
        running.measured(trial.number, learn(trial, epoch))
    before = recorded(running)
    for epoch in (1, 2):
        told_again = learn(trial, epoch).showing(accuracy=0.99)
        assert running.measured(trial.number, told_again) == GO_ON
    assert recorded(running) == before == running.trials
    assert watchful.seen == [(1, 1), (2, 2)]
    assert watchful.observed == [1, 2]
    assert running.account.spent.training_s == 2.0


# After a restart


def test_running_trials_are_handed_out_again_first_with_what_they_have(bench: Bench) -> None:
    running = bench.open()
    trials = [hand_out(running) for _ in range(4)]
    bench.train(running, trials[0])
    bench.train(running, trials[1], until=2)
    running.failed(trials[3].number, CRASH)
    again = bench.open()
    resumed = [hand_out(again) for _ in range(2)]
    assert [(trial.number, trial.epochs) for trial in resumed] == [(1, 2), (2, 0)]
    assert resumed == [running.trials[1], running.trials[2]]
    assert hand_out(again).number == 4


def test_everything_recorded_comes_back(bench: Bench) -> None:
    running = bench.open()
    trials = [hand_out(running) for _ in range(5)]
    bench.train(running, trials[0])
    running.failed(trials[1].number, CRASH)
    lose(running, trials[2].number, 2)
    again = bench.open()
    assert again.trials == running.trials
    assert again.rejections == running.rejections
    assert again.trials[2].attempts == 2


@pytest.mark.parametrize("decided", [True, False])
def test_a_driver_that_died_before_deciding_at_a_rung_decides_at_the_relaunch(bench: Bench, decided: bool) -> None:
    running = bench.open()
    bench.train(running, hand_out(running))
    trial = hand_out(running)
    low = learn(trial, 1).showing(accuracy=0.11)
    if decided:
        running.measured(trial.number, low)
    else:
        running.recorder.measured(trial.number, low)  # and dies
    again = bench.open()
    assert (again.trials[1].state, again.trials[1].epochs) == (State.STOPPED, 1)
    assert again.trials[1].reason.startswith("epoch 1: ")
    assert recorded(again)[1] == again.trials[1]
    assert hand_out(again).number == 2


def test_a_driver_that_died_before_letting_a_trial_go_on_lets_it(bench: Bench) -> None:
    running = bench.open()
    trial = hand_out(running)
    running.recorder.measured(trial.number, learn(trial, 1))
    again = bench.open()
    assert again.trials[0].state is State.RUNNING
    assert (hand_out(again).number, again.trials[0].epochs) == (0, 1)


def test_a_driver_that_died_at_full_fidelity_completes_at_the_relaunch(bench: Bench) -> None:
    running = bench.open()
    trial = hand_out(running)
    bench.train(running, trial, until=8)
    running.recorder.measured(trial.number, learn(trial, 9))
    again = bench.open()
    assert (again.trials[0].state, again.trials[0].epochs) == (State.COMPLETE, 9)
    assert recorded(again)[0] == again.trials[0]
    (row,) = again.recorder.optuna.get_trials()
    assert (row.state, tuple(row.values)) == (TrialState.COMPLETE, objective_values(again.record, again.trials[0]))


def advance(running: RunningStudy, script: list[tuple[int, int]]) -> list[Decision]:
    """Tell of the next epochs in the order of the script, and return what was decided."""
    decisions = []
    for number, epoch in script:
        trial = running.trials[number]
        if trial.state is State.RUNNING and trial.epochs == epoch - 1:
            decisions.append(running.measured(number, learn(trial, epoch)))
    return decisions


def shuffled(numbers: range, epochs: tuple[int, ...], rng: random.Random) -> list[tuple[int, int]]:
    """Return the epochs of all trials, those of one trial in order, otherwise at random."""
    left = {number: list(epochs) for number in numbers}
    script = []
    while left:
        number = rng.choice(list(left))
        script.append((number, left[number].pop(0)))
        if not left[number]:
            del left[number]
    return script


@pytest.mark.parametrize(
    ("rule", "objectives", "seed"),
    [
        ("asha", ["accuracy", "macs"], 0),
        ("pareto-asha", ["accuracy", "macs", "params"], 0),
        *(
            pytest.param(rule, objectives, seed, marks=pytest.mark.slow)
            for rule in ("asha", "pareto-asha")
            for objectives in (["accuracy", "macs"], ["loss", "macs", "params"])
            for seed in range(1, 6)
        ),
    ],
)
def test_after_a_restart_the_decisions_are_those_that_would_have_been(
    make_bench: MakeBench, rule: str, objectives: list[str], seed: int
) -> None:
    rng = random.Random(seed)
    scheduler = {"keep": 0.5, "name": rule, "grace_epochs": 1, "max_epochs": 9}
    before, after = shuffled(range(7), (1, 2), rng), shuffled(range(9), tuple(range(1, 10)), rng)
    outcomes = []
    for restarts in (False, True):
        bench = make_bench(objectives=objectives, scheduler=scheduler, budget={"trials": 100})
        running = bench.open()
        for _ in range(9):
            hand_out(running)
        decisions = advance(running, before)
        lose(running, next(n for n, t in running.trials.items() if t.epochs == 2), ATTEMPTS + 1)
        running.failed(next(n for n, t in running.trials.items() if t.epochs == 2 and n not in running.queue), CRASH)
        if restarts:
            running = bench.open()
        decisions += advance(running, after)
        outcomes.append((decisions, running.trials))
    assert outcomes[0] == outcomes[1]
    stops = [decision.stop for decision in outcomes[0][0]]
    assert any(stops)
    assert not all(stops)


def test_after_a_restart_the_sampler_knows_what_it_knew(bench: Bench) -> None:
    running = bench.open()
    trials = [hand_out(running) for _ in range(6)]
    for trial in trials[:3]:
        bench.train(running, trial)
    running.failed(trials[3].number, CRASH)
    lose(running, trials[4].number, ATTEMPTS + 1)
    again = bench.open()
    states = Counter(row.state for row in known(again) if not row.constraints)
    complete = sum(trial.state is State.COMPLETE for trial in running.trials.values())
    stopped = sum(trial.state is State.STOPPED for trial in running.trials.values())
    assert states[TrialState.COMPLETE] == complete
    assert states[TrialState.PRUNED] == stopped
    assert states[TrialState.RUNNING] == 1
    broken = [row.constraints for row in known(again) if row.constraints]
    assert broken.count({"out-of-memory": 1.0}) == 1
    assert len(broken) == 1 + sum(bool(rejection.violations) for rejection in running.rejections)
    assert sorted(map(facts, known(again))) == sorted(map(facts, known(running)))


def known(running: RunningStudy) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that the sampler sees."""
    return [row for row in running.proposer.mirror.get_trials() if row.state is not TrialState.FAIL]


def facts(row: optuna.trial.FrozenTrial) -> str:
    return f"{row.state} {sorted(row.params.items())} {row.values} {row.constraints}"


def test_a_network_that_was_trained_is_not_trained_again_after_a_restart(make_bench: MakeBench) -> None:
    bench = make_bench(space={"depth": {"int": [1, 6]}}, budget={"trials": 100}, constraints={})
    running = bench.open()
    for _ in range(3):
        bench.train(running, hand_out(running))
    again = bench.open()
    bench.train_all(again)
    assert Counter(trial.params["depth"] for trial in again.trials.values()) == Counter(range(1, 7))


# Budgets


def test_a_budget_of_trials_ends_a_study_and_counts_once(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"trials": 5})
    running = bench.open()
    for _ in range(3):
        hand_out(running)
    again = bench.open()
    bench.train_all(again)
    assert len(again.trials) == 5
    assert again.over
    assert bench.open().over
    assert bench.open().hand_out() is Nothing.LEFT


def test_a_budget_of_epochs_ends_a_study_and_counts_once(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"epochs": 20}, scheduler={"name": "fifo", "max_epochs": 9})
    running = bench.open()
    bench.train(running, hand_out(running))
    bench.train(running, hand_out(running), until=5)
    again = bench.open()
    bench.train_all(again)
    # Trial 2 was handed out when 18 epochs were trained, and is trained in full.
    assert [trial.epochs for trial in again.trials.values()] == [9, 9, 9]
    assert again.over


def test_a_budget_of_hours_ends_a_study_and_downtime_does_not_count(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"hours": 1})
    running = bench.open()
    session = running.recorder.store.open_session("bench", started_at=bench.clock(), machine={})
    trial = hand_out(running)
    bench.clock.advance(2400)
    assert running.account.seconds == 2400
    running.recorder.store.touch_session(session, seen_at=bench.clock(), spent=Spent())
    bench.clock.advance(86_400)  # the machine is off for a day
    again = bench.open()
    assert again.account.seconds == 2400
    bench.train(again, hand_out(again))
    assert hand_out(again).number == trial.number + 1
    bench.clock.advance(1199)
    assert hand_out(again).number == trial.number + 2
    bench.clock.advance(1)
    assert again.hand_out() is Nothing.LEFT
    assert not again.over  # two still run


@pytest.mark.parametrize(("budget", "more"), [({"trials": 2}, {"trials": 3}), ({"epochs": 5}, {"epochs": 15})])
def test_a_raised_budget_goes_on(make_bench: MakeBench, budget: dict[str, int], more: dict[str, int]) -> None:
    bench = make_bench(budget=budget)
    running = bench.open()
    bench.train_all(running)
    assert running.over
    before = dict(running.trials)
    again = bench.open(budget=more)
    assert not again.over
    bench.train_all(again)
    assert again.over
    assert len(again.trials) > len(before)
    assert {number: again.trials[number] for number in before} == before


def test_the_budget_that_is_spent_first_ends_the_study(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"trials": 100, "epochs": 1000, "hours": 0.5})
    running = bench.open()
    hand_out(running)
    bench.clock.advance(1800)
    assert running.hand_out() is Nothing.LEFT


def test_a_study_is_over_when_nothing_runs_and_nothing_is_left(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"trials": 2})
    running = bench.open()
    assert not running.over
    first, second = hand_out(running), hand_out(running)
    assert running.hand_out() is Nothing.LEFT
    bench.train(running, first)
    assert not running.over
    running.failed(second.number, GONE)
    assert not running.over  # it waits for another worker
    assert running.hand_out() is Nothing.NOW
    bench.clock.advance(BACK_OFF_S)
    assert running.hand_out() == running.trials[second.number]
    bench.train(running, second)
    assert running.over
    assert running.ended == 2


def test_an_exhausted_space_ends_a_study(make_bench: MakeBench) -> None:
    bench = make_bench(space={"depth": {"int": [1, 3]}}, constraints={}, budget={"trials": 100})
    running = bench.open()
    trials = [hand_out(running) for _ in range(3)]
    assert running.hand_out() is Nothing.LEFT
    assert running.exhausted
    assert not running.over
    for trial in trials:
        bench.train(running, trial)
    assert running.over
    assert {trial.params["depth"] for trial in running.trials.values()} == {1, 2, 3}


# Failures


def test_a_lost_trial_is_handed_out_again_so_many_times_and_then_fails(bench: Bench) -> None:
    running = bench.open()
    number = hand_out(running).number
    running.measured(number, learn(running.trials[number], 1))
    for attempt in range(1, ATTEMPTS + 1):
        running.failed(number, GONE)
        assert (running.trials[number].state, running.trials[number].attempts) == (State.RUNNING, attempt)
        bench.clock.advance(BACK_OFF_S * 4 ** (attempt - 1))
        assert hand_out(running) == running.trials[number] == recorded(running)[number]
    running.failed(number, GONE)
    trial = recorded(running)[number]
    assert (trial.state, trial.failure_kind, trial.reason) == (
        State.FAILED,
        FailureKind.LOST,
        "lost: its machine went away",
    )
    assert (trial.attempts, trial.epochs) == (ATTEMPTS, 1)


def test_attempts_count_on_over_relaunches(bench: Bench) -> None:
    running = bench.open()
    number = hand_out(running).number
    lose(running, number, ATTEMPTS)
    again = bench.open()
    assert hand_out(again).number == number
    again.failed(number, GONE)
    assert again.trials[number].state is State.FAILED


@pytest.mark.parametrize("kind", ["not-finite", "out-of-memory", "data", "crash"])
def test_no_other_failure_is_tried_again(bench: Bench, kind: str) -> None:
    running = bench.open()
    number = hand_out(running).number
    running.failed(number, TrialFailure(kind, "so it is"))
    assert (running.trials[number].state, running.trials[number].attempts) == (State.FAILED, 0)
    assert hand_out(running).number != number


def test_a_failure_is_told_to_the_sampler_as_a_broken_constraint(bench: Bench) -> None:
    running = bench.open()
    running.failed(hand_out(running).number, CRASH)
    (row,) = [row for row in known(running) if row.constraints.keys() == {"out-of-memory"}]
    assert (row.state, row.constraints) == (TrialState.PRUNED, {"out-of-memory": 1.0})


def test_a_network_whose_workers_were_lost_may_be_proposed_again(make_bench: MakeBench) -> None:
    bench = make_bench(space={"depth": {"int": [1, 2]}}, constraints={})
    running = bench.open()
    lost, other = hand_out(running), hand_out(running)
    lose(running, lost.number, ATTEMPTS + 1)
    again = hand_out(running)
    assert (again.number, again.digest) == (2, lost.digest)
    assert again.seed != lost.seed
    running.failed(other.number, CRASH)
    assert running.hand_out() is Nothing.LEFT  # a network that fails by itself is not


# Rejections and time


def test_every_rejection_is_recorded_and_comes_back(make_bench: MakeBench) -> None:
    bench = make_bench(constraints={"params": "<= 15k"})
    running = bench.open()
    for _ in range(6):
        hand_out(running)
    assert len(running.rejections) > 10
    assert running.recorder.store.rejections("bench") == running.rejections
    assert bench.open().rejections == running.rejections


def test_the_time_split_adds_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Iterator[int] = iter(range(1_000_000))
    monkeypatch.setattr("search.study.accounting.time.perf_counter", lambda: float(next(ticks)))
    running = bench.open()
    bench.train(running, hand_out(running))
    # One tick for each timed part: proposing, starting, nine epochs and the end.
    assert running.account.spent.proposing_s == 1
    assert running.account.spent.recording_s == 1 + 9 + 1
    assert running.account.spent.training_s == sum(each.wall_s for each in running.trials[0].measurements) == 9.0
    assert running.account.spent.startup_s == 0


def test_a_studys_seconds_are_those_of_all_launches(bench: Bench) -> None:
    running = bench.open()
    running.account.earlier_s = 100.0
    bench.clock.advance(23)
    assert running.account.seconds == 123


# Whatever happens, in whatever order


class Killed(BaseException):
    """Stand for the death of the driver."""


# What is told of a database that is away: by our store, and by Optuna's.
AWAY: dict[type, Exception] = {
    RDBStorage: OperationalError("", {}, Exception("the server closed the connection")),
    Store: StorageAway("it is gone"),
}


class Killer:
    """Kill the driver before or behind a write, or take the database away for some writes, now and then."""

    WRITES: tuple[tuple[type, str], ...] = (
        *((Store, verb) for verb in ("add_trial", "add_measurement", "end_trial", "set_attempts", "add_rejection")),
        *((RDBStorage, verb) for verb in ("create_new_trial", "set_trial_user_attr", "set_trial_state_values")),
        (optuna.Study, "tell"),
    )

    def __init__(self, rng: random.Random, rate: float, away: float = 0.0) -> None:
        self.rng = rng
        self.rate = rate
        self.away = away
        self.kills = 0
        self.outages = 0
        self._left = 0  # writes that still fail

    def lie_in_wait(self, patch: pytest.MonkeyPatch) -> None:
        """Stand behind every write."""
        for owner, name in self.WRITES:
            patch.setattr(owner, name, self._dangerous(getattr(owner, name), AWAY.get(owner)))

    def _dangerous(self, write: Callable[..., Any], away: Exception | None) -> Callable[..., Any]:
        def dangerous(*given: Any, **named: Any) -> Any:
            self.strike()
            self.take_away(away)
            result = write(*given, **named)
            self.take_away(away)
            self.strike()
            return result

        return dangerous

    def strike(self) -> None:
        """Kill, or not."""
        if self.rng.random() < self.rate:
            self.kills += 1
            raise Killed

    def take_away(self, error: Exception | None) -> None:
        """Let the database be away, or not: for this write or for more, before it is done or behind it."""
        if error is None:
            return
        if not self._left and self.rng.random() < self.away:
            self.outages += 1
            self._left = self.rng.randint(1, 12)
        if self._left:
            self._left -= 1
            raise copy(error)


@dataclass
class World:
    """Play a study with several workers, at random, until it is over."""

    bench: Bench
    rng: random.Random
    killer: Killer
    workers: int = 3
    training: dict[int, int] = field(default_factory=dict)  # epochs that each worker's trial has trained
    launches: int = 0
    told_twice: int = 0

    def play(self) -> RunningStudy:
        """Return the study when it is over."""
        while True:
            try:
                running = self._launch()
                while not running.over:
                    self._step(running)
            except (Killed, StudyError):  # the database may be away at the launch
                continue  # the workers die with their driver
            return running

    def _launch(self) -> RunningStudy:
        self.launches += 1
        running = self.bench.open()
        self.training = {}
        return running

    def _step(self, running: RunningStudy) -> None:
        self.bench.clock.advance(self.rng.uniform(0, 4))
        running.deliver()
        if len(self.training) < self.workers and self.rng.random() < 0.5:
            trial = running.hand_out()
            if isinstance(trial, TrialRecord):
                assert trial.number not in self.training
                assert trial.state is State.RUNNING
                self.training[trial.number] = trial.epochs
        elif self.training:
            self._work(running, self.rng.choice(list(self.training)))

    def _work(self, running: RunningStudy, number: int) -> None:
        chance = self.rng.random()
        trial = running.trials[number]
        if chance < 0.06:
            del self.training[number]
            running.failed(number, GONE)
        elif chance < 0.07:
            del self.training[number]
            running.failed(number, TrialFailure("crash", "at random"))
        elif chance < 0.15 and self.training[number]:
            self.told_twice += 1
            assert not running.measured(number, learn(trial, self.training[number])).stop
        else:
            self.training[number] += 1
            if running.measured(number, learn(trial, self.training[number])).stop:
                del self.training[number]


SCHEDULERS: list[dict[str, Any]] = [
    {"name": "pareto-asha", "grace_epochs": 1, "max_epochs": 9, "reduction_factor": 3},
    {"name": "asha", "grace_epochs": 2, "max_epochs": 6, "reduction_factor": 2},
    {"name": "fifo", "max_epochs": 4},
    {"name": "median", "max_epochs": 6, "min_trials": 2},
    {"name": "gain", "max_epochs": 9},
    {"name": "gain", "max_epochs": 6, "reduction_factor": 2, "share": 0.6},
]


def check_all(make_bench: MakeBench, seed: int) -> World:
    """Play one random schedule and check what holds of every study that is over."""
    rng = random.Random(seed)
    trials = rng.randint(4, 9)
    bench = make_bench(
        budget={"trials": trials},
        scheduler=rng.choice(SCHEDULERS),
        sampler={"name": rng.choice(["random", "tpe", "nsga2"]), "seed": seed},
        constraints=rng.choice([{}, {"params": "<= 200k"}]),
        objectives=rng.choice([["accuracy", "macs"], ["loss", "accuracy", "params"]]),
    )
    killer = Killer(rng, rng.choice([0.0, 0.02, 0.05]), rng.choice([0.0, 0.01, 0.03]))
    world = World(bench, rng, killer, workers=rng.randint(1, 4))
    with pytest.MonkeyPatch.context() as patch:
        world.killer.lie_in_wait(patch)
        running = world.play()
    assert running.hand_out() is Nothing.LEFT
    again = bench.open()
    assert again.over
    assert again.trials == running.trials
    assert sorted(running.trials) == list(range(trials))  # the budget counts once
    for trial in running.trials.values():
        check_trial(running, trial)
    check_uniqueness(running)
    check_optuna(again)
    check_mirror(running)
    check_mirror(again)
    return world


def check_trial(running: RunningStudy, trial: TrialRecord) -> None:
    assert trial.measurements == tuple(learn(trial, epoch) for epoch in range(1, trial.epochs + 1))
    assert trial.ended_at is not None
    if trial.state is State.STOPPED:
        assert running.scheduler.reads(trial.epochs)
        assert trial.reason
    elif trial.state is State.FAILED:
        assert trial.failure_kind == "crash" or (trial.failure_kind, trial.attempts) == (FailureKind.LOST, ATTEMPTS)
    assert (trial.state is State.COMPLETE) == (trial.epochs == running.record.max_epochs)
    assert trial.state is not State.RUNNING


def check_uniqueness(running: RunningStudy) -> None:
    kept = [trial for trial in running.trials.values() if trial.failure_kind != FailureKind.LOST]
    assert len({trial.digest for trial in kept}) == len(kept)
    assert len({trial.seed for trial in running.trials.values()}) == len(running.trials)


def check_optuna(running: RunningStudy) -> None:
    states = {State.COMPLETE: TrialState.COMPLETE, State.STOPPED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}
    told = running.recorder.optuna.get_trials()
    assert [row.number for row in told] == list(running.trials)
    for row, trial in zip(told, running.trials.values(), strict=True):
        assert row.state is states[trial.state]
        assert row.params == dict(trial.params)
        assert row.user_attrs["digest"] == trial.digest
        assert row.user_attrs["epochs"] == trial.epochs
        assert row.user_attrs.get("reason", "") == trial.reason
        expected = list(objective_values(running.record, trial)) if trial.state is State.COMPLETE else None
        assert row.values == expected


def check_mirror(running: RunningStudy) -> None:
    """Check that the sampler knows of every trial but those whose workers were lost, and of no other."""
    of_trials = [row for row in known(running) if not row.constraints.keys() & {"params", "buildable"}]
    assert len(of_trials) == sum(trial.failure_kind != FailureKind.LOST for trial in running.trials.values())
    states = Counter(row.state for row in known(running))
    assert states[TrialState.RUNNING] == 0
    complete = [trial for trial in running.trials.values() if trial.state is State.COMPLETE]
    assert states[TrialState.COMPLETE] == len(complete)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_whatever_dies_and_in_whatever_order_every_trial_ends_once(make_bench: MakeBench, seed: int) -> None:
    check_all(make_bench, seed)


@pytest.mark.slow
@pytest.mark.parametrize("count", [14, pytest.param(70, marks=pytest.mark.very_slow)])
def test_random_courses_end_whole(make_bench: MakeBench, count: int) -> None:
    worlds = [check_all(make_bench, seed) for seed in range(1000, 1000 + count)]
    # The courses are worth their name: drivers died, workers were lost, news came twice.
    assert sum(world.killer.kills for world in worlds) > count
    assert sum(world.told_twice for world in worlds) > count
    assert sum(world.killer.outages for world in worlds) > count / 2


@pytest.mark.slow
def test_random_courses_end_whole_on_both_databases(store_url: str, make_bench: MakeBench) -> None:
    def on(**sections: Any) -> Bench:
        return make_bench(store_url, **sections)

    check_all(on, 7)


# Trials that rest at rungs

RESTING = {"name": "gain", "grace_epochs": 1, "max_epochs": 9, "reduction_factor": 3}


def go_through(running: RunningStudy) -> None:
    """Train whatever is handed out until it rests or ends."""
    while isinstance(trial := running.hand_out(), TrialRecord):
        for epoch in range(trial.epochs + 1, 10):
            if running.measured(trial.number, learn(trial, epoch)).stop:
                break


def test_a_trial_rests_at_a_rung_and_goes_on_where_it_was(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler=RESTING, budget={"trials": 8})
    running = bench.open()
    trial = hand_out(running)
    assert running.measured(trial.number, learn(trial, 1)).stop
    assert running.trials[trial.number].state is State.RUNNING
    assert running.resting == {trial.number: 1}
    go_through(running)
    ended = list(running.trials.values())
    assert {each.state for each in ended} == {State.COMPLETE, State.STOPPED}
    assert all(each.measurements == tuple(learn(each, n + 1) for n in range(each.epochs)) for each in ended)
    assert {each.epochs for each in ended if each.state is State.STOPPED} <= {1, 3}


@pytest.mark.parametrize("share", [0.2, 0.3, 0.6])
def test_trials_that_rest_keep_to_their_share_of_epochs(make_bench: MakeBench, share: float) -> None:
    bench = make_bench(scheduler={**RESTING, "share": share}, budget={"trials": 20})
    running = bench.open()
    go_through(running)
    assert running.over
    assert 0.8 * share <= (running.account.trained_epochs - 20) / (20 * 8) <= share


def test_a_front_has_a_network_however_small_the_share(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler={**RESTING, "share": 0.01}, budget={"trials": 40})
    running = bench.open()
    go_through(running)
    assert running.trials.count[State.COMPLETE] == 1


def test_a_small_study_ends_with_the_front_of_a_few_whatever_the_share(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler={**RESTING, "share": 0.1}, budget={"trials": 5})
    running = bench.open()
    go_through(running)
    assert running.trials.count[State.COMPLETE] == 3
    assert running.account.trained_epochs <= 4 * 9


def test_whoever_rests_at_last_is_stopped_for_what_stopped_it(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler=RESTING, budget={"trials": 8})
    running = bench.open()
    go_through(running)
    stopped = [trial for trial in recorded(running).values() if trial.state is State.STOPPED]
    assert stopped
    spent = r"epoch \d: the epochs for going on \(scheduler.share\) are spent; "
    why = r"(rank \d of \d paused trials by expected|next to no hypervolume gain)"
    assert all(re.match(spent + why, trial.reason) for trial in stopped)


def test_a_relaunch_finds_trials_at_rest_as_they_were(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler=RESTING, budget={"trials": 8})
    running = bench.open()
    trials = [hand_out(running)]
    running.measured(0, learn(trials[0], 1))
    again = bench.open()
    assert again.resting == {0: 1}
    go_through(again)
    assert again.over
    assert again.account.trained_epochs == sum(trial.epochs for trial in recorded(again).values())


def test_a_relaunch_with_other_rungs_learns_nothing_from_epochs_that_were_not_measured(make_bench: MakeBench) -> None:
    def blank(trial: TrialRecord, epoch: int) -> Measurement:
        shown = learn(trial, epoch)
        return shown if epoch in (1, 3, 9) else replace(shown, metrics={TRAIN_LOSS: 1.0})

    bench = make_bench(sampler={"name": "auto", "seed": 0}, budget={"trials": 12})
    bench.learn = blank
    bench.train_all(bench.open())
    bench.learn = learn
    other = {**bench.config.plain()["scheduler"], "reduction_factor": 2}  # a rung at epoch 2
    again = bench.open(scheduler=other, budget={"trials": 16})
    bench.train_all(again)
    assert (again.over, len(again.trials)) == (True, 16)


def test_a_trial_that_trains_counts_by_the_last_rung_that_it_was_measured_at(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler=RESTING, budget={"trials": 6})
    running = bench.open()
    first = hand_out(running)
    for epoch in (1, 2, 3):
        shown = learn(first, epoch)
        running.resting.pop(0, None)
        running.measured(0, shown if epoch != 2 else replace(shown, metrics={TRAIN_LOSS: 1.0}))
    again = bench.open(scheduler={**RESTING, "reduction_factor": 2})  # rungs at 1, 2, 4 and 8
    assert hand_out(again).number == 0
    while not again.resting:
        trial = hand_out(again)
        again.measured(trial.number, learn(trial, 1))
    again.account.budget = replace(again.account.budget, trials=len(again.trials))
    promoted = hand_out(again)
    assert promoted.number == trial.number


def test_a_trial_that_rested_is_handed_out_again_with_its_epochs(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler={**RESTING, "share": 1.0}, budget={"trials": 8})
    running = bench.open()
    trial = hand_out(running)
    running.measured(trial.number, learn(trial, 1))
    assert hand_out(running) == running.trials[trial.number] == recorded(running)[trial.number]
    assert (running.trials[trial.number].epochs, running.resting) == (1, {})
    assert not running.measured(trial.number, learn(trial, 2)).stop


def test_where_the_budget_of_epochs_has_ended_trials_rest_until_there_is_more(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler={**RESTING, "share": 0.5}, budget={"epochs": 12})
    running = bench.open()
    go_through(running)
    assert running.over
    rested = dict(running.resting)
    assert rested
    again = bench.open(budget={"trials": 12})
    assert not again.over
    assert again.resting == rested
    go_through(again)
    assert again.over
    ended = recorded(again)
    assert State.RUNNING not in {trial.state for trial in ended.values()}
    assert any(ended[number].epochs > epoch for number, epoch in rested.items())
    assert all(
        trial.measurements == tuple(learn(trial, n + 1) for n in range(trial.epochs)) for trial in ended.values()
    )


def test_a_relaunch_measures_by_the_same_trials(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler=RESTING, budget={"trials": 25})
    running = bench.open()
    go_through(running)
    again = bench.open()
    reached = [
        {epoch: set(rung.entries) for epoch, rung in each.scheduler.reached.items()} for each in (running, again)
    ]
    assert reached[0] == reached[1]
    assert reached[0][9]


def test_a_resting_trial_that_fails_after_all_does_not_go_on_twice(make_bench: MakeBench) -> None:
    running = make_bench(scheduler={**RESTING, "share": 1.0}, budget={"trials": 1}).open()
    trial = hand_out(running)
    running.measured(trial.number, learn(trial, 1))
    running.failed(trial.number, TrialFailure("not-finite", "loss is nan"))
    assert not running.resting
    assert running.hand_out() is Nothing.LEFT
    assert running.over


def test_where_all_that_go_on_fail_they_do_not_go_on_for_ever(make_bench: MakeBench) -> None:
    running = make_bench(scheduler=RESTING, budget={"trials": 30}).open()
    while isinstance(trial := running.hand_out(), TrialRecord):
        for epoch in range(trial.epochs + 1, 9):
            if running.measured(trial.number, learn(trial, epoch)).stop:
                break
        else:
            running.failed(trial.number, TrialFailure("not-finite", "loss is nan"))
    assert running.over
    assert running.account.trained_epochs <= running.scheduler.allowed(30) + 3 * 9


FULL = TrialFailure("disk", "No space left on device")


def begun(running: RunningStudy) -> TrialRecord:
    trial = running.hand_out()
    assert isinstance(trial, TrialRecord)
    return trial


def test_a_full_disk_is_waited_for_however_long_and_spends_no_attempt(bench: Bench) -> None:
    running = bench.open()
    trials = [begun(running) for _ in range(3)]
    for trial in trials:
        running.failed(trial.number, FULL)
    for _ in range(200):
        bench.clock.now += timedelta(seconds=61)
        running.failed(begun(running).number, FULL)
    assert {(trial.state, trial.attempts) for trial in running.trials.values()} == {(State.RUNNING, 0)}
    assert len(running.trials) == 3
    assert running.disk.full_s == pytest.approx(200 * 61)


def test_while_the_disk_is_full_one_trial_at_a_time_tries_it_and_nothing_begins(bench: Bench) -> None:
    running = bench.open()
    first, second = begun(running), begun(running)
    running.failed(first.number, FULL)
    assert running.hand_out() is Nothing.NOW
    bench.clock.now += timedelta(seconds=3)
    assert begun(running).number == first.number
    bench.clock.now += timedelta(seconds=100)
    assert running.hand_out() is Nothing.NOW
    running.failed(second.number, FULL)
    bench.clock.now += timedelta(seconds=100)
    assert running.hand_out() is Nothing.NOW  # the first has not come to an end yet
    running.failed(first.number, FULL)
    bench.clock.now += timedelta(seconds=100)
    assert begun(running).number == second.number


def test_what_was_lost_before_a_relaunch_does_not_count_after_progress(bench: Bench) -> None:
    running = bench.open()
    trial = begun(running)
    for epoch in (1, 2, 3):
        running.measured(trial.number, bench.learn(trial, epoch))
        running.failed(trial.number, TrialFailure("preempted", "its node was taken away"))
        bench.clock.now += timedelta(minutes=1)
        if epoch < 3:
            begun(running)
    running = bench.open()
    trial = begun(running)
    bench.train(running, trial, until=8)
    running.failed(trial.number, TrialFailure("lost", "its machine went away"))
    assert running.trials[trial.number].state is State.RUNNING


def test_what_was_trained_again_counts_in_the_budget_and_is_said_once(bench: Bench) -> None:
    running = bench.open()
    trial = begun(running)
    running.measured(trial.number, bench.learn(trial, 1))
    epochs, seconds = running.account.trained_epochs, running.account.trained_s
    running.trained_again(trial.number, epochs=1, seconds=30.0, why="is of another training")
    assert (running.account.trained_epochs, running.account.trained_s) == (epochs + 1, seconds + 30.0)
    line = "trial 0 was trained for 1 epoch again (30.0 s): its checkpoint is of another training"
    assert (running.news(), running.news()) == ([line], [])


def test_every_trial_that_is_tried_again_is_told_with_the_reason(bench: Bench) -> None:
    running = bench.open()
    lost = TrialFailure("lost", "worker 12 on 10.0.0.1 died")
    running.failed(begun(running).number, lost)
    running.failed(begun(running).number, TrialFailure("crash", "its own fault"))
    assert running.setbacks == [(0, lost)]


def test_once_a_trial_has_written_everything_goes_on(bench: Bench) -> None:
    running = bench.open()
    first, second = begun(running), begun(running)
    running.failed(first.number, FULL)
    running.measured(second.number, bench.learn(second, 1))
    assert running.disk.full_s is None
    assert begun(running).number == first.number
    assert begun(running).number == 2


def test_a_trial_that_tried_the_disk_and_ended_otherwise_holds_up_nobody(bench: Bench) -> None:
    running = bench.open()
    trial = begun(running)
    running.failed(trial.number, FULL)
    bench.clock.now += timedelta(seconds=3)
    running.failed(begun(running).number, TrialFailure("crash", "it fell"))
    assert begun(running).number == 1


def test_a_budget_of_time_ends_a_study_whose_disk_is_full(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"hours": 1})
    running = bench.open()
    running.failed(begun(running).number, FULL)
    bench.clock.now += timedelta(hours=2)
    assert running.hand_out() is Nothing.LEFT
    assert running.over


def test_failures_of_a_machine_count_anew_after_an_epoch(bench: Bench) -> None:
    running = bench.open()
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    for epoch in range(1, 5):
        for _ in range(ATTEMPTS):
            lose(running, trial.number, 1)
            assert running.trials[trial.number].state is State.RUNNING
        running.scheduler.levels = ()  # it goes on whatever it shows
        running.measured(trial.number, learn(trial, epoch))
    lose(running, trial.number, ATTEMPTS + 1)
    assert running.trials[trial.number].state is State.FAILED


def test_a_node_that_is_taken_away_never_counts(bench: Bench) -> None:
    running = bench.open()
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    for _ in range(10):
        running.failed(trial.number, TrialFailure(FailureKind.PREEMPTED, "its node was taken away"))
        bench.clock.advance(BACK_OFF_S)
        assert running.hand_out() == running.trials[trial.number]


def test_a_crash_is_tried_once_more_in_a_fresh_process_without_waiting_and_then_convicts(bench: Bench) -> None:
    running = bench.open()
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    running.failed(trial.number, TrialFailure(FailureKind.NATIVE_CRASH, "SIGSEGV in conv2d"))
    assert trial.number in running.queue.fresh
    assert running.hand_out() == running.trials[trial.number]
    running.failed(trial.number, TrialFailure(FailureKind.HUNG, "no sign of life"))
    ended = running.trials[trial.number]
    assert (ended.state, ended.failure_kind, ended.attempts) == (State.FAILED, FailureKind.HUNG, 1)
    assert running.trials.known[ended.digest] == trial.number  # never proposed again
    assert not ended.failed_transiently


def test_networks_like_those_that_crash_are_left_for_last(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"trials": 30}, constraints={})
    running = bench.open()
    crashed = 0
    while not isinstance(trial := running.hand_out(), Nothing):
        if trial.params["widening_factor"] == 0.25:
            crashed += 1
            for _ in range(2):
                running.failed(trial.number, TrialFailure(FailureKind.NATIVE_CRASH, "SIGSEGV"))
                running.queue.discard(trial.number)
        else:
            bench.train(running, trial)
    assert 3 <= crashed <= 5
    assert len(running.trials) == 30
    assert any("ended their workers, and none has lived" in each.reason for each in running.rejections)


def test_what_a_machine_computes_right_is_recorded_once_a_launch_and_decides_for_its_kind(bench: Bench) -> None:
    running = bench.open()
    host = Host(host="a", kind="cpu", numerics="float32 channels_last", product="1", torch="2", step_ms={}, wrong={})
    running.saw(host)
    running.saw(replace(host, host="b", numerics="bfloat16 channels_last"))
    running.saw(host)
    assert running.numerics == {"cpu": "float32 channels_last"}
    again = bench.open()
    assert again.numerics == {"cpu": "float32 channels_last"}
    with Store.open(bench.url) as store:
        assert [each.host for each in store.hosts(bench.record.name)] == ["a", "b"]


def test_that_a_trial_rests_is_told_once_however_often_the_study_is_launched(make_bench: MakeBench) -> None:
    bench = make_bench(scheduler={**RESTING, "share": 0.01}, budget={"trials": 20})
    running = bench.open()
    for _ in range(4):
        bench.train(running, hand_out(running))
    for _ in range(3):
        running = bench.open()
    told = [event.trial for event in running.recorder.store.events("bench") if event.kind == EventKind.RESTED]
    assert sorted(told) == sorted(set(told)) == sorted(running.resting)


def test_the_front_is_told_with_the_end_that_changes_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    running = bench.open()
    trial = hand_out(running)
    monkeypatch.setattr(Recorder, "_tell", lambda *_given: (_ for _ in ()).throw(Killed()))
    with pytest.raises(Killed):  # behind our tables, before Optuna's
        bench.train(running, trial)
    kinds = [event.kind for event in running.recorder.store.events("bench")]
    assert kinds[-2:] == ["complete", "front"]


TOGETHER = TrialFailure("together", "its engine ended: killed")


def test_trials_that_failed_together_count_no_attempt_and_are_tried_alone_until_they_come_further(bench: Bench) -> None:
    running = bench.open()
    numbers = [begun(running).number for _ in range(3)]
    for _ in range(5):  # more often than any other failure is forgiven
        for number in numbers:
            running.failed(number, TOGETHER)
        assert [begun(running).number for _ in numbers] == numbers
    assert [running.trials[number].state for number in numbers] == [State.RUNNING] * 3
    assert all(running.queue.single(number) for number in numbers)
    running.measured(0, bench.learn(running.trials[0], 1))
    assert [running.queue.single(number) for number in numbers] == [False, True, True]


def test_one_that_ends_its_engine_alone_is_at_fault_as_often_as_any_other(bench: Bench) -> None:
    running = bench.open()
    number = begun(running).number
    running.failed(number, TOGETHER)
    begun(running)
    crashed = TrialFailure("native-crash", "SIGSEGV in conv2d")
    running.failed(number, crashed)
    assert begun(running).number == number
    running.failed(number, crashed)
    assert running.trials[number].reason == str(crashed)
