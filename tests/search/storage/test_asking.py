"""Who asks writes one row and nothing else; a launch answers once."""

import platform
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from search.core.records import Event, EventKind, State, StudyRecord, TrialRecord
from search.core.requests import MOST_TEXT, Request, RequestState, latest
from search.storage import asking, engine, requests
from search.storage.answering import answer
from search.storage.store import Store
from search.storage.tables import METADATA
from spaces.errors import InputError, StorageAway
from tests import factories
from tests.search.bench import sql

STUDY = "digits-front"
MakeStudy = Callable[..., StudyRecord]
HOSTILE = "'); DROP TABLE nas_trial; -- <script>alert(1)</script> ../../etc\0\ud800"


@pytest.fixture
def asked(store: Store, make_study: Callable[..., StudyRecord], make_trial: Callable[..., TrialRecord]) -> Store:
    """Give a study of a trial that runs and one that has ended, with a launch that lives: this process."""
    store.add_study(make_study(STUDY))
    store.add_study(make_study("another"))
    for number in range(2):
        store.add_trial(STUDY, make_trial(number))
    store.end_trial(STUDY, 1, state=State.STOPPED, reason="hopeless", ended_at=factories.STARTED)
    store.open_session(STUDY, started_at=datetime.now(UTC), machine={})
    return store


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table of ours."""
    with sql(url) as connection:
        return {
            name: sorted(map(tuple, connection.execute(sa.text(f"SELECT * FROM {name}"))), key=repr)
            for name in METADATA.tables
        }


@pytest.mark.parametrize(
    ("act", "table"),
    [
        (lambda store: asking.ask(store, STUDY, "pause", {}, by=HOSTILE), "nas_request"),
        (lambda store: asking.ask(store, STUDY, "stop", {"trial": 0}), "nas_request"),
        (lambda store: asking.note(store, STUDY, 1, star=True), "nas_note"),
        (lambda store: asking.note(store, STUDY, 1, text=HOSTILE), "nas_note"),
    ],
)
def test_who_asks_or_notes_writes_one_row_and_nothing_else(
    act: Callable[[Store], object], table: str, asked: Store
) -> None:
    before = contents(asked.url)
    with asking.opened(asked.url) as store:
        act(store)
    after = contents(asked.url)
    assert len(after.pop(table)) == len(before.pop(table)) + 1
    assert after == before


def test_a_request_comes_back_as_it_went_with_the_launch_that_lived_then(asked: Store) -> None:
    made = asking.ask(asked, STUDY, "add", {"hours": 1.5, "trials": 20}, by="dana on node1")
    assert requests.requests(asked, STUDY) == [made]
    assert (str(made), made.session, made.state) == ("add 1.5 hours, 20 trials", 1, RequestState.WAITING)
    assert requests.requests(asked, "another") == []


def test_what_is_noted_last_holds_and_a_star_leaves_the_text(asked: Store) -> None:
    for given in ({"star": True}, {"text": "first"}, {"text": " second\n"}, {"star": False}, {"star": True}):
        asking.note(asked, STUDY, 1, **given)  # type: ignore[arg-type]
    asking.note(asked, STUDY, 0, text="")
    held = latest(requests.notes(asked, STUDY))
    assert {number: (note.star, note.text) for number, note in held.items()} == {0: (None, ""), 1: (True, "second")}
    assert len(requests.notes(asked, STUDY, after=held[1].id)) == 1


def test_hostile_text_is_text(asked: Store) -> None:
    asking.note(asked, STUDY, 0, text=HOSTILE)
    (note,) = requests.notes(asked, STUDY)
    assert note.text == HOSTILE.replace("\0", "\ufffd").replace("\ud800", "?")
    assert len(asked.trials(STUDY)) == 2


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("paws", {}, "unknown request 'paws' \\(did you mean 'pause'\\?\\)"),
        ("pause", {"trial": 1}, "trial: pause takes none"),
        ("stop", {"trial": 1}, "trial 1 is stopped already"),
        ("promote", {"trial": 1}, "trial 1 is stopped already and does not go on; search.retrain"),
        ("stop", {"trial": 7}, "'digits-front' has no trial 7"),
        ("stop", {"trial": True}, "True is no trial's number"),
        ("stop", {"trial": -1}, "-1 is no trial's number"),
        ("stop", {}, "stop needs trial"),
        ("add", {}, "add needs trials or epochs or hours"),
        ("add", {"trials": 0}, "0 is no whole number above 0"),
        ("add", {"trials": 1.5}, "1.5 is no whole number above 0"),
        ("add", {"hours": float("nan")}, "nan is no number above 0"),
        ("add", {"weeks": 1}, "unknown value 'weeks'"),
        ("train", {"params": {}}, "values by the names of parameters are required"),
        ("train", {"params": {"depth": [1]}}, r"depth: \[1\] is no number, text or truth"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_line_and_nothing_is_written(
    kind: str, values: Mapping[str, Any], said: str, asked: Store
) -> None:
    with pytest.raises(InputError, match=said):
        asking.ask(asked, STUDY, kind, values)
    assert requests.requests(asked, STUDY) == []


def test_a_note_of_no_trial_or_too_long_is_refused(asked: Store) -> None:
    for trial, text, said in ((7, "x", "has no trial 7"), (0, "x" * (MOST_TEXT + 1), "at most 2,000 characters")):
        with pytest.raises(InputError, match=said):
            asking.note(asked, STUDY, trial, text=text)
    assert requests.notes(asked, STUDY) == []


def test_what_is_of_a_launch_is_refused_where_none_runs_and_all_else_waits_for_the_next(asked: Store) -> None:
    with sql(asked.url) as connection:
        gone = {"gone": 2**22 + 7, "here": platform.node()}
        connection.execute(sa.text("UPDATE nas_session SET process = :gone, host = :here"), gone)
    for kind in ("pause", "resume", "end"):
        with pytest.raises(InputError, match=f"no launch of 'digits-front' is running, so there is none to {kind}"):
            asking.ask(asked, STUDY, kind, {})
    assert asking.ask(asked, STUDY, "stop", {"trial": 0}).session is None


def told(text: str) -> Event:
    return Event(at=factories.STARTED, kind=EventKind.ASKED, text=text)


def reply(store: Store, request: Request, text: str) -> bool:
    given = {"state": RequestState.DONE, "text": text, "at": factories.STARTED, "event": told(text)}
    return answer(store, STUDY, request, effect={"added": {"trials": 2}}, **given)  # type: ignore[arg-type]


def test_a_request_is_answered_once_with_its_event(asked: Store) -> None:
    made = asking.ask(asked, STUDY, "pause", {})
    assert [each.id for each in requests.news(asked, STUDY, after=made.id)] == [made.id]
    assert reply(asked, made, "no new trial begins")
    assert not reply(asked, made, "another")
    (found,) = requests.requests(asked, STUDY)
    assert (found.state, found.answer, found.effect) == ("done", "no new trial begins", {"added": {"trials": 2}})
    assert found.answered_at == factories.STARTED
    assert [event.text for event in asked.events(STUDY) if event.kind == EventKind.ASKED] == ["no new trial begins"]
    assert requests.news(asked, STUDY, after=made.id) == []
    assert requests.news(asked, STUDY, after=-1) == [found]


def test_a_database_that_may_only_be_read_takes_nothing(sqlite_url: str, make_study: MakeStudy) -> None:
    with pytest.raises(InputError, match="there is no study in"):
        asking.opened(sqlite_url)
    with Store.open(sqlite_url) as made:
        made.add_study(make_study(STUDY))
    address = f"sqlite:///file:{sqlite_url.removeprefix('sqlite:///')}?mode=ro&uri=true"
    with pytest.raises(InputError, match="may only be read, so nothing can be asked there"):
        asking.opened(address)


def test_who_asks_waits_for_a_database_that_is_busy_and_says_when_it_stays_so(
    sqlite_url: str, make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(sqlite_url) as made:
        made.add_study(make_study(STUDY))
        made.open_session(STUDY, started_at=datetime.now(UTC), machine={})
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.3, other.rollback).start()
        with asking.opened(sqlite_url) as store:
            assert asking.ask(store, STUDY, "pause", {}).id == 1
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(engine, "BUSY_MS", 1)
        with asking.opened(sqlite_url) as store, pytest.raises(StorageAway, match="locked"):
            asking.ask(store, STUDY, "resume", {})
        other.rollback()
