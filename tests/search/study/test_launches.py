"""Several launches share one study on PostgreSQL: one numbering, one set of rungs, one budget, no trial twice."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from search.core.records import State, TrialRecord
from search.driver.driver import open_running
from search.samplers.front_sampler import rung_of
from search.storage.store import Store
from search.study.launches import SILENT_S, SharedLaunches
from search.study.outbox import LATEST_S
from search.study.queue import BACK_OFF_S
from search.study.running import Nothing, RunningStudy
from spaces.errors import InputError, StorageAway, StudyError, TrialFailure
from tests.conftest import Stoppable
from tests.search.bench import Bench, learn, sql
from workers.kinds import FailureKind

pytestmark = pytest.mark.slow

MakeBench = Callable[..., Bench]


@dataclass
class Launch:
    """Be one of several launches of a bench's study, with connections of its own."""

    bench: Bench
    store: Store
    running: RunningStudy
    ends: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def join(cls, bench: Bench) -> "Launch":
        """Join the study, which is begun if it is new."""
        with ExitStack() as stack:
            store = stack.enter_context(Store.open(bench.url))
            if store.study("bench") is None:
                store.add_study(bench.record)
            stack.enter_context(store.hold("bench", shared=True))
            session = store.open_session("bench", started_at=datetime.now(UTC), machine={})
            stack.enter_context(store.living(session))
            sharing = SharedLaunches(store, "bench", session, clock=ticks(bench))
            running = open_running(store, bench.config, bench.record, sharing)
            stack.enter_context(closing(running.recorder))
            running.account.clock = bench.clock
            running.outbox.clock = ticks(bench)
            return cls(bench, store, running, stack.pop_all())

    def begin(self) -> TrialRecord:
        """Take a trial."""
        trial = self.running.hand_out()
        assert isinstance(trial, TrialRecord)
        return trial

    def train(self, trial: TrialRecord, until: int | None = None) -> TrialRecord:
        """Train it."""
        return self.bench.train(self.running, trial, until=until)


def ticks(bench: Bench) -> Callable[[], float]:
    """Return the bench's clock as seconds."""
    return lambda: bench.clock.now.timestamp()


@pytest.fixture
def shared(make_bench: MakeBench, postgres_url: str) -> Iterator[Callable[..., list[Launch]]]:
    """Give `shared(n, **sections)`: so many launches of one study."""
    opened = ExitStack()

    def make(count: int, **sections: Any) -> list[Launch]:
        bench = make_bench(postgres_url, **sections)
        launches = [Launch.join(bench) for _ in range(count)]
        for launch in launches:
            opened.push(launch.ends)
        return launches

    with opened:
        yield make


def test_numbers_seeds_and_networks_are_common(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2)
    trials = [launch.begin() for launch in (first, second, first, second, second)]
    assert [trial.number for trial in trials] == list(range(5))
    assert len({trial.digest for trial in trials}) == len({trial.seed for trial in trials}) == 5
    assert [row.number for row in first.running.recorder.optuna.get_trials()] == list(range(5))


def test_the_budget_is_common(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2, budget={"trials": 3})
    trials = [first.begin(), second.begin(), second.begin()]
    assert first.running.hand_out() is Nothing.LEFT
    assert second.running.hand_out() is Nothing.LEFT
    for launch, trial in zip((first, second, second), trials, strict=True):
        launch.train(trial)
    for launch in (first, second):
        launch.running.hear()
        assert launch.running.over
        assert set(launch.running.trials) == {0, 1, 2}
        assert launch.running.account.trained_epochs == sum(trial.epochs for trial in launch.running.trials.values())
    assert first.running.trials == second.running.trials


def test_a_budget_of_epochs_counts_what_the_other_trains(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2, budget={"epochs": 9}, scheduler={"name": "fifo", "max_epochs": 9})
    first.train(first.begin())
    assert second.running.hand_out() is Nothing.LEFT


def test_rungs_are_common(shared: Callable[..., list[Launch]]) -> None:
    """What is the first on its rung goes on; the first of a second launch meets those of the other."""
    first, second = shared(2, budget={"trials": 20}, scheduler={"name": "asha", "max_epochs": 9})
    for _ in range(8):
        first.train(first.begin(), until=1)
    second.train(second.begin(), until=1)
    entries = second.running.scheduler.reached[1].entries
    assert set(entries) == set(second.running.trials)
    assert len(entries) == 9


def test_each_sampler_knows_what_the_others_trials_showed(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2, budget={"trials": 20}, scheduler={"name": "fifo", "max_epochs": 9})
    begun = second.begin()
    first.running.hear()
    second.train(begun, until=3)
    first.running.hear()
    (row,) = [row for row in first.running.proposer.mirror.get_trials() if row.params == begun.params]
    shown = {rung_of(name): values[0] for name, values in row.user_attrs.items()}
    assert shown == {
        each: learn(begun, each).metrics["accuracy"] for each in (1, 3) if each in first.running.scheduler.levels
    }


def test_trials_at_rest_are_their_own_launchs(shared: Callable[..., list[Launch]]) -> None:
    """Each goes on with its own; all keep the common share, and none is left when both are through."""
    first, second = shared(2, budget={"trials": 24}, scheduler={"name": "gain", "max_epochs": 9})
    launches, ended = [first, second], 0
    while ended < 2:
        ended = 0
        for launch in launches:
            trial = launch.running.hand_out()
            if isinstance(trial, TrialRecord):
                assert trial.session == launch.running.launches.session
                launch.train(trial)
            else:
                launch.running.hear()
                ended += launch.running.over
    first.running.hear()
    trials = first.running.trials
    assert trials == second.running.trials
    assert {trial.state for trial in trials.values()} == {State.COMPLETE, State.STOPPED}
    meanwhile = 6  # the longest step from rung to rung: neither knows what the other is about to train
    assert first.running.account.trained_epochs <= first.running.scheduler.allowed(24) + meanwhile
    assert trials.count[State.COMPLETE] > 1


def test_trials_at_rest_are_taken_over_from_a_dead_launch(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2, budget={"trials": 6}, scheduler={"name": "gain", "max_epochs": 9, "share": 0.1})
    rested = {first.train(first.begin()).number for _ in range(3)}
    assert rested == set(first.running.resting)
    first.ends.close()
    second.running.hear()
    assert rested <= second.running.elsewhere
    first.bench.clock.advance(SILENT_S + 1)
    second.running.hear()
    assert rested == set(second.running.resting)
    while isinstance(trial := second.running.hand_out(), TrialRecord):
        second.train(trial)
    assert second.running.over
    assert {trial.state for trial in second.running.trials.values()} == {State.COMPLETE, State.STOPPED}


def test_a_trial_that_is_claimed_back_is_on_its_rung(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2, budget={"trials": 2}, scheduler={"name": "gain", "max_epochs": 9})
    trial = first.begin()
    second.running.hear()
    assert second.store.claim("bench", first.running.trials[0], second.running.launches.session or 0)
    assert first.running.measured(0, learn(trial, 1)).stop  # it hears at the rung that it has lost it
    second.ends.close()
    first.running.hear()
    first.bench.clock.advance(SILENT_S + 1)
    first.running.hear()
    first.bench.train_all(first.running)
    assert first.running.over


@pytest.mark.parametrize("rule", ["fifo", "gain"])
def test_the_last_trial_of_a_launch_that_died_beginning_it_is_taken_up(
    shared: Callable[..., list[Launch]], monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    first, second = shared(2, budget={"trials": 2}, scheduler={"name": rule, "max_epochs": 9})
    second.train(second.begin())

    def die(*_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(first.store, "add_trial", die)
        with pytest.raises(KeyboardInterrupt):
            first.running.hand_out()
    first.ends.close()
    for _ in range(20):
        second.bench.clock.advance(60)
        second.running.hear()
        second.bench.train_all(second.running)
    assert second.running.over
    assert set(second.running.trials) == {0, 1}


def test_every_launch_measures_by_what_the_others_trained_in_full(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2, budget={"trials": 6}, scheduler={"name": "gain", "max_epochs": 9})
    first.bench.train_all(first.running)
    second.running.hear()
    reached = [
        {epoch: set(rung.entries) for epoch, rung in launch.running.scheduler.reached.items()}
        for launch in (first, second)
    ]
    assert reached[0] == reached[1]
    assert reached[0][9]


def test_one_that_ends_while_the_other_trains_says_that_it_is_over(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2, budget={"trials": 2})
    mine, theirs = first.begin(), second.begin()
    first.train(mine)
    first.running.hear()
    assert first.running.over
    assert first.running.elsewhere == {theirs.number}
    assert not second.running.over


def test_a_dead_launchs_trials_are_taken_over_once(shared: Callable[..., list[Launch]]) -> None:
    first, second, third = shared(3, budget={"trials": 3})
    orphan = first.begin()
    first.train(orphan, until=1)
    others = [second.begin(), third.begin()]
    first.ends.close()  # as if the process had died: its locks are gone with its connections
    for launch in (second, third):
        launch.running.hear()
        assert orphan.number in launch.running.elsewhere  # it was seen a moment ago and may be back
        assert not launch.running.over
    second.bench.clock.advance(SILENT_S + 1)
    for launch in (second, third, second):
        launch.running.hear()
    holders = [launch for launch in (second, third) if orphan.number in launch.running.queue]
    assert len(holders) == 1
    again = holders[0].begin()
    assert (again.number, again.epochs) == (orphan.number, 1)
    for launch, trial in zip((second, third), others, strict=True):
        launch.train(trial)
    holders[0].train(again)
    for launch in (second, third):
        launch.running.hear()
        assert launch.running.over


def test_a_launch_that_was_taken_for_dead_gives_its_trial_up(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2, budget={"trials": 1})
    trial = first.begin()
    second.running.hear()
    assert second.store.claim("bench", first.running.trials[trial.number], second.running.launches.session or 0)
    first.running.hear()
    assert first.running.measured(trial.number, learn(trial, 1)).stop
    first.running.failed(trial.number, TrialFailure("crash", "it broke"))  # no longer its business
    with Store.open(second.store.url) as store:
        assert store.trials("bench")[0].state is State.RUNNING


def cut(launch: Launch) -> None:
    """End all connections to the database, as a server's restart or a network can."""
    with sql(launch.bench.url) as connection:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


def take(launch: Launch, trial: TrialRecord) -> None:
    """Let a launch take a trial over from another that lives."""
    launch.running.hear()
    assert launch.store.claim("bench", launch.running.trials[trial.number], launch.running.launches.session or 0)
    launch.running.elsewhere.discard(trial.number)


def test_a_trial_that_began_in_a_turn_whose_connection_broke_has_begun(
    shared: Callable[..., list[Launch]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = shared(1, budget={"trials": 1})
    begin = RunningStudy._begin

    def broken(running: RunningStudy) -> Any:
        begun = begin(running)
        cut(first)
        return begun

    monkeypatch.setattr(RunningStudy, "_begin", broken)
    trial = first.begin()
    first.bench.clock.advance(LATEST_S)
    assert first.running.deliver()
    first.train(trial)
    assert first.running.over


@pytest.mark.parametrize("where", ["waiting", "paused"])
def test_a_trial_that_another_launch_took_and_ended_keeps_nobody_waiting(
    shared: Callable[..., list[Launch]], where: str
) -> None:
    first, second = shared(2, budget={"trials": 1})
    trial = first.begin()
    first.running.measured(trial.number, learn(trial, 1))
    (first.running.queue.put if where == "waiting" else first.running.paused.add)(trial.number)
    take(second, trial)
    second.train(trial)
    first.running.hear()
    assert first.running.over
    assert first.running.hand_out() is Nothing.LEFT


def test_a_launch_that_hears_at_a_rung_that_it_lost_its_trial_lets_it_go(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2, budget={"trials": 1})
    trial = first.begin()
    take(second, trial)
    second.train(trial)
    assert first.running.measured(trial.number, learn(trial, 1)).stop  # its first word since, at the first rung
    assert first.running.trials[trial.number].state is not State.RUNNING
    assert [told.epochs for told in second.store.trials("bench")] == [first.running.trials[trial.number].epochs]


def test_a_trial_whose_record_came_late_is_heard_of_by_all(
    shared: Callable[..., list[Launch]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = shared(2, budget={"trials": 3})

    def away(*_given: Any) -> None:
        raise StorageAway("gone")

    with monkeypatch.context() as patch:
        patch.setattr(first.store, "add_trial", away)
        assert first.running.hand_out() is Nothing.NOW
    assert second.begin().number == 1
    first.bench.clock.advance(LATEST_S)
    assert first.running.deliver()  # trial 0 is found in Optuna's table, and recorded
    assert second.begin().number == 2
    assert second.running.hand_out() is Nothing.LEFT
    assert set(second.running.trials) == {0, 1, 2}
    assert len({trial.seed for trial in second.running.trials.values()}) == 3


def test_a_hold_whose_connection_vanished_is_noticed_and_taken_again(shared: Callable[..., list[Launch]]) -> None:
    (first,) = shared(1)
    cut(first)
    first.running.keep()
    assert first.running.outbox.away_s is None
    with Store.open(first.store.url) as other, pytest.raises(StudyError, match="another launch"), other.hold("bench"):
        pass


def test_a_moved_clock_makes_nobody_dead(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2, budget={"trials": 2})
    trial = first.begin()
    second.begin()
    first.ends.close()
    with sql(first.bench.url) as connection:
        connection.exec_driver_sql("UPDATE nas_session SET seen_at = seen_at - interval '1 hour'")
    second.running.hear()
    assert trial.number in second.running.elsewhere  # it may be back


def test_a_lost_trial_waits_in_the_launch_that_had_it(shared: Callable[..., list[Launch]]) -> None:
    first, second = shared(2, budget={"trials": 1})
    trial = first.begin()
    first.running.failed(trial.number, TrialFailure(FailureKind.LOST, "its machine went away"))
    first.bench.clock.advance(BACK_OFF_S)
    assert second.running.hand_out() is Nothing.LEFT
    assert first.begin().number == trial.number


def test_one_launch_alone_and_sharing_ones_exclude_each_other(shared: Callable[..., list[Launch]]) -> None:
    (first,) = shared(1)
    with Store.open(first.store.url) as other, Store.open(first.store.url) as late:
        held = r"^another launch \(process \d+ on .*, since .* UTC\) is running 'bench' in "
        with pytest.raises(StudyError, match=held), other.hold("bench"):
            pass
        first.ends.close()
        with other.hold("bench"), pytest.raises(StudyError, match=held), late.hold("bench", shared=True):
            pass


def test_a_sqlite_study_is_not_shared(sqlite_url: str) -> None:
    with (
        Store.open(sqlite_url) as store,
        pytest.raises(InputError, match="--share: only a study in PostgreSQL can be shared"),
        store.hold("bench", shared=True),
    ):
        pass


def test_launches_that_share_survive_the_servers_restart(make_bench: MakeBench, stoppable: Stoppable) -> None:
    bench = make_bench(stoppable.url, budget={"trials": 4})
    launches = [Launch.join(bench) for _ in range(2)]
    trials = [launch.begin() for launch in launches]
    stoppable.stop()
    for launch, trial in zip(launches, trials, strict=True):
        launch.train(trial)
        assert launch.running.hand_out() is Nothing.NOW
    assert len({launch.running.outbox.journal.path for launch in launches}) == 2
    stoppable.start()
    bench.clock.advance(LATEST_S)
    for launch in launches:
        assert launch.running.deliver()
    for launch in launches:
        bench.train_all(launch.running)
    for launch in launches:
        launch.running.hear()
        assert launch.running.over
    assert launches[0].running.trials == launches[1].running.trials
    for launch in launches:
        launch.ends.close()


@pytest.mark.parametrize("seed", range(6))
def test_random_courses_of_three_launches_end_whole(shared: Callable[..., list[Launch]], seed: int) -> None:
    """Launches die and others join at random; every epoch is recorded once, and the budget counts once."""
    rng = random.Random(seed)
    sections = {"budget": {"trials": 12}, "sampler": {"name": rng.choice(["random", "tpe", "nsga2"]), "seed": seed}}
    launches = shared(3, **sections)
    training: dict[int, tuple[Launch, int]] = {}
    bench = launches[0].bench
    while not all(launch.running.over for launch in launches):
        bench.clock.advance(rng.uniform(0, 9))
        launch = rng.choice(launches)
        if rng.random() < 0.02:
            launch.ends.close()
            training = {number: (owner, epoch) for number, (owner, epoch) in training.items() if owner is not launch}
            launches[launches.index(launch)] = Launch.join(bench)
            continue
        if rng.random() < 0.3:
            launch.running.hear()
        mine = [number for number, (owner, _) in training.items() if owner is launch]
        if mine and rng.random() < 0.7:
            number = rng.choice(mine)
            epoch = training[number][1] + 1
            if launch.running.measured(number, learn(launch.running.trials[number], epoch)).stop:
                del training[number]
            else:
                training[number] = (launch, epoch)
        elif isinstance(trial := launch.running.hand_out(), TrialRecord):
            assert trial.number not in training
            training[trial.number] = (launch, trial.epochs)
    check_whole(bench, launches)
    for launch in launches:
        launch.ends.close()


def check_whole(bench: Bench, launches: list[Launch]) -> None:
    with Store.open(bench.url) as store:
        trials = store.trials("bench")
    assert [trial.number for trial in trials] == list(range(12))
    assert len({trial.digest for trial in trials}) == 12
    for trial in trials:
        assert trial.state is not State.RUNNING
        assert trial.measurements == tuple(learn(trial, epoch) for epoch in range(1, trial.epochs + 1))
    rows = launches[0].running.recorder.optuna.get_trials()
    assert [row.state.is_finished() for row in rows] == [True] * 12
