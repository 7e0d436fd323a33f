"""Every browser hears what it has missed, once, from where it was; what keeps the page from reading is told."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from dashboards.live import watched
from dashboards.live.feed import Feed, Message
from search.core.records import Event, EventKind, State
from search.storage import events
from search.storage.analyses import Analyses
from search.storage.claims import Claims
from search.storage.retelling import _retell_ours
from search.storage.store import Store
from tests import factories
from tests.dashboards.analyses import examples
from tests.dashboards.live.conftest import NAME, Written
from tests.search.storage.test_claims import FOUND
from tests.search.storage.test_engine import _make_tables


@pytest.fixture
def feed(written: Written) -> Iterator[Feed]:
    """Give a feed that has read a study of one trial."""
    written.begin()
    made = Feed(written.url, None)
    made.look()
    yield made
    made.close()


def state(feed: Feed, name: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(feed.state(name))
    return told


def missed(feed: Feed, after: int, label: str) -> list[Message]:
    return feed.messages(NAME, after, label)


def test_what_is_missed_is_told_once_and_in_order(feed: Feed, written: Written) -> None:
    begun = state(feed)
    seq, label = begun["seq"], begun["study"]["label"]
    assert [message.kind for message in missed(feed, seq, label)] == ["head"]
    written.train(0, 0.5, 0.6)
    feed.look()
    update, head = missed(feed, seq, label)
    assert [event["text"].rpartition(", ")[2] for event in update.data["events"]] == [
        "after epoch 1 of 9 came to 50.00 %", "after epoch 2 of 9 came to 60.00 %",
    ]  # fmt: skip
    (row,) = update.data["rows"]
    assert row[3] == 2
    assert update.seq == seq + 2
    assert head.data["head"]["epochs"] == 2
    assert [message.kind for message in missed(feed, seq + 2, label)] == ["head"]
    assert [len(missed(feed, seq + 1, label)[0].data["events"])] == [1]


def test_the_front_is_sent_only_where_it_has_changed(feed: Feed, written: Written) -> None:
    label = state(feed)["study"]["label"]
    written.train(0, 0.5)
    feed.look()
    assert "front" not in missed(feed, state(feed)["seq"] - 1, label)[0].data
    seq = state(feed)["seq"]
    written.train(0, *[0.9] * 8)
    written.end(0, State.COMPLETE)
    feed.look()
    assert missed(feed, seq, label)[0].data["front"]["numbers"] == [0]


def test_who_has_missed_more_than_is_in_memory_begins_anew(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "KEPT", 5)
    written.begin()
    feed = Feed(written.url, None)
    feed.look()
    begun = state(feed)
    written.train(0, *[0.5] * 8)
    feed.look()
    assert missed(feed, begun["seq"], begun["study"]["label"]) == [Message("anew", {})]
    last = state(feed)
    assert [message.kind for message in missed(feed, last["seq"] - 3, last["study"]["label"])] == ["update", "head"]
    feed.close()


def test_who_knows_another_study_of_this_name_or_a_later_event_begins_anew(feed: Feed) -> None:
    begun = state(feed)
    assert missed(feed, begun["seq"], "digits-front-19700101T000000") == [Message("anew", {})]
    assert missed(feed, begun["seq"] + 1, begun["study"]["label"]) == [Message("anew", {})]


def test_a_study_whose_space_has_changed_is_read_anew_by_everybody(written: Written) -> None:
    for final in (0.9, 0.95):
        written.whole(final, cost=factories.in_proportion(20_000))
    feed = Feed(written.url, None)
    feed.look()
    begun = state(feed)
    assert begun["front"]["numbers"] == [1]
    out = replace(written.store.trials(NAME)[1], outside="depth 4 is above 3")
    grown = Event(at=written.now, kind=EventKind.GROWN, text="depth is 1 to 3")
    with written.store.transaction() as connection:  # what `retell` writes of ours
        study_id = written.store.study_id(connection, NAME)
        _retell_ours(connection, study_id, written.record, [out])
        events.add(connection, study_id, grown)
    feed.look()
    assert missed(feed, begun["seq"], begun["study"]["label"]) == [Message("anew", {})]
    told = state(feed)
    assert (told["front"]["numbers"], told["head"]["counts"]) == ([0], {"complete": 1, "outside": 1})
    assert told["events"][-1]["text"] == "the study has changed: depth is 1 to 3"
    assert "depth 4 is above 3" in feed.trial(None, 1)["why"]  # type: ignore[index]
    feed.close()


def test_a_database_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    feed = Feed(f"sqlite:///{tmp_path}/study.db", NAME)
    feed.look()
    told = state(feed)
    assert "there is no study in" in told["trouble"]
    assert "study" not in told
    written = Written(f"sqlite:///{tmp_path}/study.db", "another")
    feed.look()
    told = state(feed)
    assert (told["trouble"], told["waiting"]) == ("", f"the study {NAME} has not begun yet")
    Written(written.url, NAME)
    feed.look()
    assert state(feed)["study"]["name"] == NAME
    feed.close()


def test_without_a_name_the_newest_study_is_shown_and_a_browser_may_ask_for_another(
    feed: Feed, written: Written
) -> None:
    other = Written(written.url, "another")
    feed.look()
    told = state(feed)
    assert (told["study"]["name"], told["studies"]) == ("another", [NAME, "another"])
    assert state(feed, NAME)["study"]["name"] == NAME
    assert state(feed, "unknown")["waiting"] == "the study unknown has not begun yet"
    other.close()


def test_a_locked_database_is_told_and_caught_up_with(
    written: Written, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("search.storage.engine.BUSY_MS", 50)
    written.begin()
    written.store.close()
    locked = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
    locked.execute("PRAGMA journal_mode=DELETE")  # where readers are kept out too
    feed = Feed(written.url, None)
    feed.look()
    begun = state(feed)
    locked.execute("BEGIN EXCLUSIVE")
    feed.look()
    (head,) = missed(feed, begun["seq"], begun["study"]["label"])
    assert "locked" in head.data["trouble"]
    assert state(feed)["study"]["name"] == NAME  # what is known stays
    locked.execute("COMMIT")
    locked.close()
    written.store = Store.open(written.url)
    written.train(0, 0.5)
    feed.look()
    update, head = missed(feed, begun["seq"], begun["study"]["label"])
    assert (len(update.data["events"]), head.data["trouble"]) == (1, "")
    feed.close()


def test_a_database_that_was_taken_away_is_told(feed: Feed, written: Written, tmp_path: Path) -> None:
    written.store.close()
    for path in tmp_path.glob("study.db*"):
        path.rename(tmp_path / f"gone-{path.name}")
    feed.look()
    assert "study.db" in state(feed)["trouble"]
    assert not (tmp_path / "study.db").exists()


def test_whatever_goes_wrong_is_told_and_tried_again(
    feed: Feed, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_given: object) -> None:
        raise RuntimeError("of no known kind")

    with monkeypatch.context() as broken:
        broken.setattr(watched.Watched, "ask", break_down)
        feed.look()
    assert state(feed)["trouble"] == "RuntimeError: of no known kind"
    written.train(0, 0.5)
    feed.look()
    assert (state(feed)["trouble"], state(feed)["head"]["epochs"]) == ("", 1)


def test_a_file_that_may_only_be_read_is_followed_too(written: Written, tmp_path: Path) -> None:
    written.begin()
    feed = Feed(f"sqlite:///file:{tmp_path}/study.db?mode=ro&uri=true", None)
    feed.look()
    assert state(feed)["head"]["epochs"] == 0
    written.train(0, 0.5)
    feed.look()
    assert state(feed)["head"]["epochs"] == 1
    feed.close()


def test_no_trouble_shows_a_password() -> None:
    feed = Feed("postgresql+psycopg://me:s3cr3t@127.0.0.1:9/x", NAME)
    feed.look()
    told = state(feed)
    assert told["trouble"]
    assert "s3cr3t" not in json.dumps(told)


def test_tables_of_an_older_version_are_waited_for_and_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    _make_tables(url, "0001")
    before = (tmp_path / "old.db").read_bytes()
    feed = Feed(url, None)
    feed.look()
    assert "of an older version" in state(feed)["trouble"]
    assert (tmp_path / "old.db").read_bytes() == before
    feed.close()


def test_a_browser_follows_until_the_server_ends(feed: Feed, written: Written) -> None:
    begun = state(feed)
    over: list[bool] = []

    async def follow() -> list[str]:
        watching, kinds = asyncio.create_task(feed.watch()), []
        async for message in feed.follow(NAME, begun["seq"], begun["study"]["label"], lambda: bool(over)):
            kinds.append(message.kind)
            if kinds == ["head"]:
                await asyncio.to_thread(written.train, 0, 0.5)
            if message.kind == "update":
                over.append(True)
        watching.cancel()
        return kinds

    kinds = asyncio.run(asyncio.wait_for(follow(), 120))
    assert [kind for kind in kinds if kind != "head"] == ["update", "bye"]


def test_nothing_but_questions_is_said_to_the_database(written: Written) -> None:
    written.whole(0.9)
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        said.append(statement.split()[0])

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        feed = Feed(written.url, None)
        feed.look()
        feed.look()
        feed.state(None)
        assert feed.trial(None, 0)
        feed.close()
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
    assert set(said) - {"PRAGMA", "BEGIN"} == {"SELECT"}


def test_a_verdict_that_is_found_while_the_page_is_open_is_told(feed: Feed, written: Written) -> None:
    before = state(feed)["head"]["analysed"]
    for seconds in (1.0, 2.0):  # the second in the place of the first
        Claims(written.store).add_verdict(replace(FOUND, seconds=seconds, at=FOUND.at + timedelta(seconds=seconds)))
        feed.look()
        now = state(feed)["head"]["analysed"]
        assert now != before
        before = now
    assert "Plain is worse." in feed.analyses(NAME)


def test_an_analysis_that_is_kept_while_the_page_is_open_is_told(feed: Feed, written: Written) -> None:
    before = state(feed)["head"]["analysed"]
    assert feed.analyses(NAME) == ""
    Analyses(written.store, NAME).add(examples.lesions(0))
    feed.look()
    first = state(feed)["head"]["analysed"]
    assert "lesions of trial 0" in feed.analyses(NAME)
    Analyses(written.store, NAME).add(replace(examples.lesions(0), at=examples.AT + timedelta(hours=1)))  # anew
    feed.look()
    assert len({before, first, state(feed)["head"]["analysed"]}) == 3
    assert feed.analyses("nowhere") == ""
