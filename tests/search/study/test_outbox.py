"""While the database is away training goes on; when it is back, everything is there once and in order."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from search.core.records import State, TrialRecord
from search.storage.store import Store
from search.study.journal import SEEDS, Journal
from search.study.outbox import LATEST_S, SOONEST_S
from search.study.running import Nothing, RunningStudy
from spaces.errors import StorageAway, StudyError, TrialFailure
from tests.conftest import Stoppable
from tests.search.bench import Bench, learn
from workers.kinds import FailureKind

MakeBench = Callable[..., Bench]


def begin(running: RunningStudy) -> TrialRecord:
    trial = running.hand_out()
    assert isinstance(trial, TrialRecord)
    return trial


@contextmanager
def locked(bench: Bench) -> Iterator[None]:
    """Let somebody else hold a SQLite file, as a backup or a person's own query can."""
    with closing(sqlite3.connect(bench.url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a lock for a moment only."""
    monkeypatch.setattr("search.storage.engine.BUSY_MS", 50)


def stored(bench: Bench) -> dict[int, TrialRecord]:
    with Store.open(bench.url) as store:
        return {trial.number: trial for trial in store.trials("bench")}


def test_training_goes_on_while_somebody_holds_the_database(bench: Bench) -> None:
    running = bench.open()
    trial = begin(running)
    with locked(bench):
        for epoch in (1, 2):
            assert not running.measured(trial.number, learn(trial, epoch)).stop
        assert running.hand_out() is Nothing.NOW  # what cannot be recorded does not begin
        assert len(running.outbox.journal) == 2
        assert "locked" in running.outbox.why
    bench.clock.advance(LATEST_S)
    assert running.deliver()
    assert stored(bench)[trial.number] == running.trials[trial.number]
    assert running.trials[trial.number].epochs == 2
    assert not running.outbox.journal.path.exists()
    assert begin(running).number == trial.number + 1


def test_what_waits_comes_before_what_is_new(bench: Bench) -> None:
    running = bench.open()
    trial = begin(running)
    with locked(bench):
        running.measured(trial.number, learn(trial, 1))
    running.measured(trial.number, learn(trial, 2))  # the database is there, but the first epoch waits
    assert stored(bench)[trial.number].epochs == 0
    bench.clock.advance(LATEST_S)
    assert running.deliver()
    assert stored(bench)[trial.number].epochs == 2


def test_endings_and_attempts_wait_too_and_optuna_hears_of_them(bench: Bench) -> None:
    running = bench.open()
    ended, lost, failed = begin(running), begin(running), begin(running)
    with locked(bench):
        bench.train(running, ended)
        running.failed(lost.number, TrialFailure(FailureKind.LOST, "its machine went away"))
        running.failed(failed.number, TrialFailure("crash", "it broke", "Traceback"))
        assert not running.over
    bench.clock.advance(LATEST_S)
    assert running.deliver()
    assert stored(bench) == running.trials
    assert [row.state.is_finished() for row in running.recorder.optuna.get_trials()] == [True, False, True]
    assert stored(bench)[lost.number].attempts == 1


def test_a_driver_that_dies_meanwhile_loses_nothing(bench: Bench) -> None:
    running = bench.open()
    trial, other = begin(running), begin(running)
    with locked(bench):
        bench.train(running, trial)
        running.measured(other.number, learn(other, 1))
    known = dict(running.trials)
    assert stored(bench)[trial.number].epochs == 0
    again = bench.open()  # another launch
    assert again.trials == known == stored(bench)
    assert len(again.outbox.journal) == 0


def test_what_arrived_without_an_answer_is_not_written_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    running = bench.open()
    trial = begin(running)
    write = Store.add_measurement

    def unanswered(*given: Any) -> bool:
        write(*given)
        raise StorageAway("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "add_measurement", unanswered)
        running.measured(trial.number, learn(trial, 1))
    bench.clock.advance(LATEST_S)
    assert running.deliver()
    assert stored(bench)[trial.number].measurements == (learn(trial, 1),)


def test_it_is_asked_for_again_after_a_second_and_then_less_often(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = bench.open()
    trial = begin(running)
    asked: list[float] = []

    def away(*_given: Any) -> bool:
        asked.append(bench.clock.now.timestamp())
        raise StorageAway("gone")

    monkeypatch.setattr(Store, "add_measurement", away)
    running.measured(trial.number, learn(trial, 1))
    for _ in range(3000):
        bench.clock.advance(0.1)
        running.deliver()
    pauses = [after - before for before, after in pairwise(asked)]
    assert pauses[0] == pytest.approx(SOONEST_S, abs=0.11)
    assert 20 < max(pauses) <= LATEST_S + 0.11


def test_a_full_journal_ends_the_launch_and_the_next_goes_on(bench: Bench) -> None:
    running = bench.open()
    running.outbox.journal.most = 2
    trial = begin(running)
    with locked(bench):
        running.measured(trial.number, learn(trial, 1))
        running.measured(trial.number, learn(trial, 2))
        with pytest.raises(StudyError, match=r"2 entries wait in .* for the database"):
            running.measured(trial.number, learn(trial, 3))
    assert bench.open().trials[trial.number].epochs == 2  # the third is told again from the checkpoint


def test_a_journal_of_another_database_is_refused_and_stays(bench: Bench) -> None:
    running = bench.open()
    running.outbox.journal.append({"what": "measured", "number": 7, "measurement": learn(begin(running), 1).to_json()})
    with pytest.raises(StudyError, match=r"journal does not fit sqlite:///.*: .*; move it away to do without it"):
        bench.open()
    assert running.outbox.journal.path.exists()


def test_the_journal_of_a_confirmation_is_not_read_as_one_of_trials(bench: Bench) -> None:
    running = bench.open()
    trial = begin(running)
    path = running.outbox.journal.path
    seeds = Journal(
        path.with_name(f"{bench.record.label}.{SEEDS}.journal")
    )  # whose replicates have numbers of their own
    seeds.append({"what": "measured", "number": trial.number, "measurement": learn(trial, 1).to_json()})
    assert bench.open().trials[trial.number].epochs == 0
    assert len(Journal(seeds.path).entries) == 1


def test_a_database_file_that_is_taken_away_is_not_made_anew(bench: Bench, tmp_path: Any) -> None:
    running = bench.open()
    trial = begin(running)
    file = tmp_path / "bench-0.db"
    file.rename(tmp_path / "aside.db")
    running.measured(trial.number, learn(trial, 1))
    assert "the file is gone" in running.outbox.why
    assert not file.exists()
    (tmp_path / "aside.db").rename(file)
    bench.clock.advance(LATEST_S)
    assert running.deliver()
    assert stored(bench)[trial.number].epochs == 1


def test_a_damaged_database_ends_the_launch_at_once(bench: Bench, tmp_path: Any) -> None:
    running = bench.open()
    trial = begin(running)
    bench.clock.advance(1)
    for name in ("bench-0.db-wal", "bench-0.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "bench-0.db").write_bytes(b"not a database at all" * 1000)
    running.recorder.store.close()  # so that it is read anew
    with pytest.raises(StudyError, match="not a database") as raised:
        running.measured(trial.number, learn(trial, 1))
    assert not isinstance(raised.value, StorageAway)


@pytest.mark.slow
def test_a_server_that_is_stopped_and_started_again_is_told_everything_once(
    make_bench: MakeBench, stoppable: Stoppable
) -> None:
    bench = make_bench(stoppable.url, budget={"trials": 6})
    running = bench.open()
    bench.train(running, begin(running))
    trials = [begin(running) for _ in range(3)]
    running.measured(trials[0].number, learn(trials[0], 1))
    stoppable.stop()
    for trial in trials:
        bench.train(running, trial)
    assert running.hand_out() is Nothing.NOW
    assert not running.over
    bench.clock.advance(60)
    assert not running.deliver()
    stoppable.start()
    bench.clock.advance(LATEST_S)
    assert running.deliver()
    bench.train_all(running)
    assert running.over
    assert stored(bench) == running.trials
    assert [row.state.is_finished() for row in running.recorder.optuna.get_trials()] == [True] * 6
    assert bench.open().trials == running.trials


@pytest.mark.slow
def test_a_study_that_somebody_else_took_meanwhile_is_left_to_them(make_bench: MakeBench, stoppable: Stoppable) -> None:
    bench = make_bench(stoppable.url)
    running = bench.open()
    trial = begin(running)
    with Store.open(bench.url) as other, running.recorder.store.hold("bench"):
        stoppable.stop()
        running.measured(trial.number, learn(trial, 1))
        stoppable.start()
        with other.hold("bench"):
            bench.clock.advance(LATEST_S)
            with pytest.raises(StudyError, match=r"another launch.* is running 'bench'"):
                running.deliver()
        assert running.deliver()


def test_a_rejection_that_could_not_be_written_is_written_later_and_once(make_bench: MakeBench) -> None:
    bench = make_bench(constraints={"params": "<= 100k"}, sampler={"name": "random", "seed": 3})
    running = bench.open()
    begin(running)
    with locked(bench):
        while not running._rejections._unsaved:
            assert running.hand_out() is Nothing.NOW
            bench.clock.advance(LATEST_S)
    assert running.deliver()
    begin(running)
    with Store.open(bench.url) as store:
        assert store.rejections("bench") == running.rejections


def test_an_ending_is_written_as_it_was_decided(bench: Bench) -> None:
    running = bench.open()
    trial = begin(running)
    with locked(bench):
        running.failed(trial.number, TrialFailure("crash", "it \0 broke", "Traceback"))
    decided = running.trials[trial.number]
    bench.clock.advance(LATEST_S)
    assert running.deliver()
    told = stored(bench)[trial.number]
    assert replace(told, reason="") == replace(decided, reason="")
    assert told.state is State.FAILED
