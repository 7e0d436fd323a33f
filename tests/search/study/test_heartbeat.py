"""A launch tells the database that it lives, and the study how long it has been alive."""

from datetime import UTC, datetime, timedelta

import pytest

from search.core.records import Session, Spent
from search.study.heartbeat import SessionLog, alive_s
from spaces.errors import StorageAway
from tests.search.bench import NOON, Bench


def begin(bench: Bench, machine: dict[str, str] | None = None) -> SessionLog:
    running = bench.open()
    store, began = running.recorder.store, datetime.now(UTC) - timedelta(seconds=30)
    return SessionLog(store, running, store.open_session("bench", started_at=began, machine=machine or {}))


def test_a_launch_records_that_it_lives_and_where_its_seconds_go(bench: Bench) -> None:
    with begin(bench, {"device": "toaster"}) as log:
        spent, store = log.running.account.spent, log.store
        spent.proposing_s, spent.training_s = 1.5, 7.0
        log.touch()
        (session,) = store.sessions("bench")
        assert (session.spent, session.machine) == (Spent(proposing_s=1.5, training_s=7.0), {"device": "toaster"})
        spent.recording_s = 3.0
        log.touch()  # too soon to be written
        assert store.sessions("bench")[0].spent.recording_s == 0.0
    (session,) = store.sessions("bench")
    assert session.spent.recording_s == 3.0
    assert 30 <= session.wall_s < 60


def test_a_launch_that_is_interrupted_is_recorded_to_its_end(bench: Bench) -> None:
    def interrupted() -> None:
        with begin(bench):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert bench.open().account.earlier_s >= 30


def test_a_launch_whose_database_is_away_does_not_ask_it(bench: Bench) -> None:
    with begin(bench) as log:
        log.running.outbox.lose(StorageAway("gone"))
        log.write()
    assert log.store.sessions("bench")[0].wall_s == 0


def session(begin: float, end: float) -> Session:
    return Session(id=0, started_at=NOON + timedelta(seconds=begin), seen_at=NOON + timedelta(seconds=end))


@pytest.mark.parametrize(
    ("spans", "alive"),
    [
        ([], 0),
        ([(0, 10)], 10),
        ([(0, 10), (20, 25)], 15),  # the time between launches is nobody's
        ([(0, 10), (5, 25)], 25),  # two that shared the study
        ([(0, 30), (5, 25), (26, 40)], 40),
        ([(20, 25), (0, 10)], 15),
        ([(10, 5)], 0),  # a clock that was set back
    ],
)
def test_a_study_is_alive_while_any_of_its_launches_is(spans: list[tuple[float, float]], alive: float) -> None:
    assert alive_s(session(*span) for span in spans) == alive


def test_a_database_that_cannot_take_that_a_launch_lives_is_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_given: object, **_named: object) -> None:
        raise StorageAway("gone")

    log = begin(bench)
    monkeypatch.setattr(log.store, "touch_session", gone)
    with log:
        log.touch()
        assert log.running.outbox.away_s is not None  # so that nothing waits for it once more
    monkeypatch.setattr(log.running.outbox, "_away_since", None)
    with log:
        pass  # at the end there is nothing to wait for
