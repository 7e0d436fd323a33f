"""A study in memory is what its tables hold, however it was brought there, and no trial is read that no event names."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboards.live import payload
from dashboards.live.watched import Watched
from search.core.records import EventKind, Replicate, State
from search.storage.replicates import Replicates
from search.storage.store import Store
from tests import factories
from tests.dashboards.live.conftest import Written

FULL = 3  # epochs of the random studies
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(written: Written) -> Store:
    """Give the store that the page reads by, which is not the one that a launch writes by."""
    return Store.open(written.url, create=False, migrate=False)


def watched(written: Written, store: Store) -> Watched:
    record = store.study(written.name)
    assert record is not None
    return Watched(store, record)


def told(known: Watched) -> dict[str, Any]:
    """Return all that a page is told of a study, but for events."""
    return {
        "rows": payload.rows(known),
        "front": payload.front(known),
        "head": payload.head(known, NOW),
        "running": known.running,
        "seq": known.seq,
    }


def catch_up(known: Watched, store: Store) -> None:
    known.hear(known.ask(store))


def random_step(written: Written, rng: random.Random) -> None:
    """Let one thing happen that can happen."""
    running = [trial.number for trial in written.trials if trial.state is State.RUNNING]
    if not running or rng.random() < 0.3:
        written.begin()
        return
    number = rng.choice(running)
    epochs = written.trials[number].epochs if written.trials[number].measurements else 0
    kind = rng.choice(["train"] * 6 + ["rest", "go on", "stop", "fail", "retry"])
    if kind == "train" or epochs == 0:
        written.train(number, round(rng.uniform(0.5, 0.99), 2))
        if len(written.store.trial(written.name, number).measurements) == FULL:  # type: ignore[union-attr]
            written.end(number, State.COMPLETE)
    elif kind == "rest":
        written.happen(EventKind.RESTED, f"at epoch {epochs}", number)
    elif kind == "go on":
        written.happen(EventKind.PROMOTED, f"from epoch {epochs}", number)
    elif kind == "retry":
        written.store.set_attempts(written.name, number, rng.randint(1, 3), "its worker was lost")
    else:
        written.end(number, State.STOPPED if kind == "stop" else State.FAILED, "for no reason", kind)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_brought_forward_is_what_is_read_anew(store_url: str, seed: int) -> None:
    rng, written = random.Random(seed), Written(store_url, max_epochs=FULL, rungs=(1,))
    with Store.open(store_url, create=False, migrate=False) as store:
        known = watched(written, store)
        for _ in range(25):
            for _ in range(rng.randint(0, 12)):
                random_step(written, rng)
            catch_up(known, store)
            fresh = watched(written, store)
            assert told(known) == told(fresh)
    assert len(written.complete()) > 3
    written.close()


def test_no_trial_is_read_that_no_event_names(written: Written, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store:
        for number in range(3):
            written.begin()
            written.train(number, 0.5)
        known = watched(written, store)
        asked: list[tuple[int, list[int]]] = []
        plain = Store.trials_since

        def counted(self: Store, study: str, newest: int, some: list[int]) -> Any:
            asked.append((newest, some))
            return plain(self, study, newest, some)

        monkeypatch.setattr(Store, "trials_since", counted)
        monkeypatch.setattr(Store, "trials", lambda *_given: pytest.fail("all trials are read again"))
        catch_up(known, store)
        assert asked == []
        written.train(1, 0.6)
        catch_up(known, store)
        assert asked == [(2, [1])]


def test_the_place_of_a_parameter_never_moves(written: Written, store: Store) -> None:
    with store:
        known = watched(written, store)
        places = list(known.parameters)
        assert places == list(written.record.space)
        written.begin(params={"of_another_version": 1, "block": "basic"})
        catch_up(known, store)
        assert known.parameters == [*places, "of_another_version"]
        assert payload.rows(known)[0][6] == ["basic", None, None, None, None, None, 1]


def test_events_come_once_and_in_order(written: Written, store: Store) -> None:
    with store:
        known = watched(written, store)
        written.begin()
        written.train(0, 0.5, 0.6)
        for _ in range(3):
            catch_up(known, store)
        seqs = [event.seq for event in known.events]
        assert seqs == sorted(set(seqs))
        assert [event.kind for event in known.events] == ["launched", "begun", "measured", "measured"]


def test_what_seeds_tell_comes_with_their_event(written: Written, store: Store) -> None:
    for final, macs in ((0.9, 10_000), (0.95, 20_000)):
        written.whole(final, cost=factories.in_proportion(macs))
    with store:
        known = watched(written, store)
        replicates = Replicates(written.store, written.name)
        for number, accuracy in enumerate((0.91, 0.92, 0.93)):
            replicates.add(Replicate(number=number, trial=0, seed=number))
            replicates.add_measurement(number, factories.measurement(1, accuracy=accuracy))
            ended = {"reason": "", "failure_kind": "", "failure_details": "", "ended_at": factories.STARTED}
            replicates.end(number, state=State.COMPLETE, **ended)  # type: ignore[arg-type]
            catch_up(known, store)
        assert told(known) == told(watched(written, store))
        row = dict(zip(payload.FIELDS, payload.rows(known)[0], strict=True))
        assert row["seeds"] == 3
        assert row["values"][0] == pytest.approx(0.92)


def test_a_study_without_rungs_or_trials_is_watched_too(sqlite_url: str) -> None:
    written = Written(sqlite_url, rungs=(), objectives=("loss",))
    with Store.open(sqlite_url, create=False, migrate=False) as store:
        known = watched(written, store)
        assert payload.rows(known) == []
        assert [each["epoch"] for each in payload.head(known, NOW)["funnel"]] == [9]
        assert list(known.steps) == ["macs"]
        written.whole(0.9)
        catch_up(known, store)
        assert told(known) == told(watched(written, store))
    written.close()
