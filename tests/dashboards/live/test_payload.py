"""What the page's script is given: how far the study is, whether a launch lives, who stands where."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboards.live import payload
from dashboards.live.details import details
from dashboards.live.payload import is_alive
from dashboards.live.watched import Watched
from search.core.picking import bounds_of, pick
from search.core.records import EventKind, Session, State
from search.storage.store import Store
from spaces.architecture import Architecture
from tests import factories
from tests.dashboards.live.conftest import HERE, Written

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def store(written: Written) -> Iterator[Store]:
    with Store.open(written.url, create=False, migrate=False) as opened:
        yield opened


def watched(written: Written, store: Store) -> Watched:
    record = store.study(written.name)
    assert record is not None
    return Watched(store, record)


def head(written: Written, store: Store) -> dict[str, Any]:
    written.alive()
    return payload.head(watched(written, store), datetime.now(UTC))


def session(*, seconds_ago: float, process: int | None = None, host: str | None = None) -> Session:
    return Session(id=1, started_at=NOW, seen_at=NOW - timedelta(seconds=seconds_ago), host=host, process=process)


def test_a_launch_of_this_machine_lives_as_long_as_its_process() -> None:
    assert is_alive(session(seconds_ago=1, process=os.getpid(), host=HERE), NOW)
    assert not is_alive(session(seconds_ago=1, process=2**22 + 5, host=HERE), NOW)


def test_a_launch_of_another_machine_lives_as_long_as_it_was_seen() -> None:
    assert is_alive(session(seconds_ago=60, process=2**22 + 5, host="elsewhere"), NOW)
    assert not is_alive(session(seconds_ago=180, process=os.getpid(), host=HERE), NOW)


def test_epochs_are_those_that_the_launch_plans_and_else_the_most_there_can_be(written: Written, store: Store) -> None:
    written.begin()
    written.train(0, 0.5, 0.6)
    told = head(written, store)
    assert (told["epochs"], told["planned"], told["at_most"]) == (2, 540, True)
    written.happen(EventKind.PLANNED, "273 epochs")
    told = head(written, store)
    assert (told["epochs"], told["planned"], told["at_most"]) == (2, 273, False)


def test_time_left_is_told_from_some_epochs_on_and_of_a_launch_that_lives(written: Written, store: Store) -> None:
    written.begin()
    written.train(0, 0.5, 0.6)
    assert head(written, store)["left"] is None
    written.train(0, *[0.7] * 6)
    low, high = head(written, store)["left"]
    assert 0 < low < high
    later = datetime.now(UTC) + timedelta(hours=1)
    assert payload.head(watched(written, store), later)["left"] is None


def test_rungs_are_a_funnel(written: Written, store: Store) -> None:
    for _ in range(6):
        written.begin()
    for number in range(5):  # the last has not come to the first rung
        written.train(number, 0.5)
    for number in (0, 1):
        written.happen(EventKind.PROMOTED, "from epoch 1", number)
        written.train(number, 0.6, 0.7)
    written.train(0, *[0.8] * 6)
    written.end(0, State.COMPLETE)
    written.happen(EventKind.RESTED, "at epoch 3", 1)
    written.happen(EventKind.RESTED, "at epoch 1", 2)
    written.end(3, State.STOPPED, "hopeless")
    written.end(4, State.FAILED, "crash", "crash")
    first, second, full = head(written, store)["funnel"]
    assert first == {"epoch": 1, "came": 5, "paused": 1, "stopped": 1, "failed": 0, "on": 2, "complete": 0}
    assert second == {"epoch": 3, "came": 2, "paused": 1, "stopped": 0, "failed": 1, "on": 1, "complete": 0}
    assert (full["came"], full["complete"]) == (1, 1)


def test_workers_are_the_trials_that_train(written: Written, store: Store) -> None:
    written.begin()
    written.begin()
    written.train(0, 0.5)
    written.happen(EventKind.RESTED, "at epoch 1", 0)
    written.train(1, 0.5, 0.6)
    (worker,) = head(written, store)["workers"]
    assert (worker["trial"], worker["host"], worker["device"]) == (1, "node1", "cuda:0")
    assert worker["epoch_s"] == pytest.approx(0.38, abs=0.01)  # 0.25 to train, 0.125 to measure


def test_steps_are_what_pick_answers(written: Written, store: Store) -> None:
    for final, macs in ((0.9, 10_000), (0.97, 20_000), (0.96, 30_000), (0.99, 90_000)):
        written.whole(final, cost=factories.in_proportion(macs))
    steps = payload.front(watched(written, store))["steps"]["macs"]
    assert [step[:2] for step in steps] == [[10_000, 0], [20_000, 1], [90_000, 3]]
    assert "accuracy 97.00 %, macs 20.0k (one run)" in steps[1][2]
    chosen = pick(written.record, store.trials(written.name), bounds_of(["macs <= 85k"])).chosen
    assert chosen is not None
    assert chosen.number == steps[1][1]


def test_a_trial_in_detail_says_why_and_what_to_do(written: Written, store: Store) -> None:
    written.begin(architecture=Architecture(block="resnext", cardinality=4, depths=(2, 2, 2)))
    written.train(0, 0.5)
    written.end(0, State.FAILED, "out-of-memory: 3 GB", "out-of-memory", "Traceback: line 1\nline 2")
    known = watched(written, store)
    told = details(known, known.trials[0], "sqlite:///it's here.db")
    assert told["why"] == "out-of-memory: 3 GB"
    assert "batch_size" in told["help"]
    assert told["log"] == "Traceback: line 1\nline 2"
    assert [stage["name"] for stage in told["stages"]] == ["stem", "stage 1", "stage 2", "stage 3", "head"]
    assert [stage["blocks"] for stage in told["stages"]] == [1, 2, 2, 2, 1]
    assert told["stages"][1]["convolutions"] == "1x1, 3x3 in 4 groups, 1x1"
    command, alike = told["commands"]
    assert "search.control" in alike["line"]
    assert "train --like 0 --set NAME=VALUE" in alike["line"]
    assert "-m search.retrain" in command["line"]
    assert "'sqlite:///it'\"'\"'s here.db'" in command["line"]  # as a shell takes it
    json.dumps(told)


def test_an_epoch_says_what_ran_beside_it(written: Written, store: Store) -> None:
    written.begin()
    for epoch, (together, alone) in enumerate([(1, 1), (4, 0)], start=1):
        found = {"latency_ms": 2.0, "latency_alone": alone}
        shown = factories.measurement(epoch, together=together, host="n1", device="cpu", **found)
        written.store.add_measurement(written.name, 0, shown)
    known = watched(written, store)
    first, second = details(known, known.trials[0], "sqlite:///s.db")["epochs"]
    assert (first["where"], second["where"]) == (
        "n1 cpu", "n1 cpu, as one network with 3 others, latency beside other trainings"
    )  # fmt: skip
    assert "latency_alone" not in first["metrics"]


def test_all_that_is_told_is_json_without_nan(written: Written, store: Store) -> None:
    written.begin()
    written.whole(0.9)
    known = watched(written, store)
    for told in (payload.about(known), payload.front(known), payload.head(known, NOW), payload.rows(known)):
        json.dumps(told, allow_nan=False)
