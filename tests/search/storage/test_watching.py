"""What whoever shows a study asks of its events: the newest, what is planned, where each trial stands."""

from collections.abc import Callable

import pytest

from search.core.records import Event, EventKind, State, StudyRecord, TrialRecord
from search.storage import watching
from search.storage.store import Store
from tests import factories

STUDY = "digits-front"


@pytest.fixture
def told(store: Store, make_study: Callable[..., StudyRecord], make_trial: Callable[..., TrialRecord]) -> Store:
    """Give a study of three trials: one rests, one was promoted, one has ended; another study has a trial too."""
    for name in (STUDY, "another"):
        store.add_study(make_study(name))
    for number in range(3):
        store.add_trial(STUDY, make_trial(number))
        store.add_measurement(STUDY, number, factories.measurement())
        happen(store, EventKind.RESTED, number, "at epoch 1")
    happen(store, EventKind.PROMOTED, 1, "from epoch 1")
    happen(store, EventKind.NOTICE, 0, "no news of where it stands")
    store.end_trial(STUDY, 2, state=State.STOPPED, reason="hopeless", ended_at=factories.STARTED)
    store.add_trial("another", make_trial(0))
    return store


def happen(store: Store, kind: EventKind, trial: int | None, text: str, study: str = STUDY) -> None:
    store.add_event(study, Event(at=factories.STARTED, kind=kind, trial=trial, text=text))


def test_the_newest_come_oldest_first_and_of_one_study(told: Store) -> None:
    found = watching.newest(told, STUDY, 2)
    assert [event.kind for event in found] == ["notice", "stopped"]
    assert [event.kind for event in watching.newest(told, "another", 10)] == ["begun"]


def test_where_a_trial_stands_is_told_by_its_last_event_of_those_that_tell(told: Store) -> None:
    assert {number: event.kind for number, event in watching.standing(told, STUDY).items()} == {
        0: "rested", 1: "promoted", 2: "rested",
    }  # fmt: skip


def test_what_is_planned_is_what_was_told_last(told: Store) -> None:
    assert watching.last(told, STUDY, EventKind.PLANNED) is None
    for text in ("60 epochs", "90 epochs"):
        happen(told, EventKind.PLANNED, None, text)
    happen(told, EventKind.PLANNED, None, "7 epochs", study="another")
    planned = watching.last(told, STUDY, EventKind.PLANNED)
    assert planned is not None
    assert planned.text == "90 epochs"
