"""A name is held by one process or by those who share it, and by nobody once they are gone."""

import errno
import fcntl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from search.core.records import StudyRecord, TrialRecord
from search.storage import asking
from search.storage.locks import AdvisoryHold, LookingHold, hold
from search.storage.store import Store
from spaces.errors import HolderUnknown, InputError, StudyError
from tests.conftest import Stoppable

NAME = "a study's name; with 'quotes'"


@pytest.fixture
def engine(store_url: str) -> Iterator[sa.Engine]:
    made = sa.create_engine(store_url)
    yield made
    made.dispose()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[sa.Engine]:
    made = sa.create_engine(postgres_url)
    yield made
    made.dispose()


def test_one_holds_a_name_until_it_lets_go(engine: sa.Engine) -> None:
    first, second = hold(engine, "study"), hold(engine, "study")
    assert first.take()
    assert first.take()  # to hold it already is enough
    assert not second.take()
    first.drop()
    first.drop()
    assert second.take()
    second.drop()


def test_another_name_is_free(engine: sa.Engine) -> None:
    first, second = hold(engine, "study"), hold(engine, "another")
    assert first.take()
    assert second.take()
    first.drop()
    second.drop()


def test_several_share_a_name_and_nobody_has_it_alone_meanwhile(postgres: sa.Engine) -> None:
    first, second = (hold(postgres, NAME, shared=True) for _ in range(2))
    alone = hold(postgres, NAME)
    assert first.take()
    assert second.take()
    assert not alone.take()
    first.drop()
    assert not alone.take()
    second.drop()
    assert alone.take()
    assert not first.take()
    alone.drop()


def test_a_file_cannot_be_shared(sqlite_url: str) -> None:
    with pytest.raises(InputError, match="only a study in PostgreSQL can be shared"):
        hold(sa.create_engine(sqlite_url), "study", shared=True)


def looking(sqlite_url: str) -> LookingHold:
    return LookingHold(Path(sqlite_url.removeprefix("sqlite:///")), "study")


def test_who_only_looks_asks_for_the_launchs_own_lock_and_shares_it(sqlite_url: str) -> None:
    launch, first, second = hold(sa.create_engine(sqlite_url), "study"), looking(sqlite_url), looking(sqlite_url)
    assert launch.take()
    assert not first.take()
    launch.drop()
    assert first.take()
    assert first.take()  # to hold it already is enough
    assert second.take()
    assert not launch.take()
    first.drop()
    first.drop()
    second.drop()
    assert launch.take()
    launch.drop()


def test_where_no_launch_left_a_lock_nobody_knows_and_none_is_made(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(HolderUnknown, match=r"cannot read .*study\.db\.study\.lock: No such file"):
        looking(sqlite_url).take()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_locks_for_writers_alone_says_that_nobody_knows(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_given: int) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    Path(f"{sqlite_url.removeprefix('sqlite:///')}.study.lock").touch()
    monkeypatch.setattr(fcntl, "flock", refused)
    mine = looking(sqlite_url)
    with pytest.raises(HolderUnknown, match=r"cannot lock .*: Bad file descriptor"):
        mine.take()
    mine.drop()


def test_a_lock_that_cannot_be_made_says_that_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "study.db.study.lock").mkdir()
    with pytest.raises(HolderUnknown, match=r"cannot lock .*study\.lock: Is a directory"):
        hold(sa.create_engine(f"sqlite:///{tmp_path}/study.db"), "study").take()


def test_a_connection_that_the_server_ends_takes_the_hold_with_it(postgres: sa.Engine) -> None:
    first, second = AdvisoryHold(postgres, NAME, shared=False), AdvisoryHold(postgres, NAME, shared=False)
    assert first.take()
    with postgres.begin() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        connection.execute(sa.text(others))
    end = time.monotonic() + 120  # the server lets go of it when the connection's process has ended, a moment later
    while not second.take():
        assert time.monotonic() < end
    assert not first.take()  # it finds out, asks again, and is refused
    second.drop()
    assert first.take()
    first.drop()


@pytest.mark.slow
def test_a_hold_is_taken_again_once_the_server_is_back(stoppable: Stoppable) -> None:
    engine = sa.create_engine(stoppable.url, pool_pre_ping=True)
    mine = hold(engine, NAME)
    assert mine.take()
    stoppable.stop()
    with pytest.raises(sa.exc.OperationalError):
        mine.take()
    stoppable.start()
    assert mine.take()
    assert not hold(engine, NAME).take()
    mine.drop()
    engine.dispose()


def test_while_a_launch_holds_a_study_others_may_ask_and_note_and_nothing_else(
    store: Store, make_study: Callable[..., StudyRecord], make_trial: Callable[..., TrialRecord]
) -> None:
    """The law of one writer: one row of `nas_request` or `nas_note` is all that anybody beside the launch writes."""
    store.add_study(make_study("digits"))
    store.add_trial("digits", make_trial(0))
    with store.hold("digits"), asking.opened(store.url) as other:
        assert asking.ask(other, "digits", "stop", {"trial": 0}).id == 1
        assert asking.note(other, "digits", 0, star=True).id == 1
        with pytest.raises(StudyError, match="is running 'digits'"), other.hold("digits"):
            pass
        store.reacquire_lock()
