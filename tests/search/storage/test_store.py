"""Hold every database to one contract: what goes in comes out, once, whoever else is writing."""

import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from platform import node
from typing import Any

import pytest
import sqlalchemy as sa

from search.core.records import Event, EventKind, Rejection, Session, Spent, State, StudyRecord, TrialRecord
from search.storage.store import Store
from spaces.architecture import Architecture
from spaces.cost import Cost
from spaces.errors import InputError, StudyError
from tests.search.bench import sql
from workers.measurement import Flow, Measurement

MakeStudy = Callable[..., StudyRecord]
MakeTrial = Callable[..., TrialRecord]
MakeMeasurement = Callable[..., Measurement]

STUDY = "digits-front"
NOON = datetime(2026, 5, 6, 12, 0, 0, 123456, tzinfo=UTC)
KOLKATA = timezone(timedelta(hours=5, minutes=30))


@pytest.fixture
def filled(store: Store, make_study: MakeStudy, make_trial: MakeTrial) -> Store:
    """Give a store with one study that has one running trial, number 0, without measurements."""
    store.add_study(make_study(STUDY))
    store.add_trial(STUDY, make_trial(0))
    return store


# What goes in comes out


def test_a_study_comes_back_as_it_went(store: Store, make_study: MakeStudy) -> None:
    config = {"nested": {"list": [1, 1.0, True, None, "1"]}, "tiny": 5e-324, "third": 1 / 3, "née": "日本"}
    study = make_study(config=config, bounds={"macs": (1.5, 2e12), "params": (1.0, 1.0)}, rungs=(1, 3))
    store.add_study(study)
    assert store.study(study.name) == study
    kinds = [type(value) for value in store.study(study.name).config["nested"]["list"]]
    assert kinds == [int, float, bool, type(None), str]


def test_a_study_without_rungs_bounds_or_a_moment_comes_back(store: Store, make_study: MakeStudy) -> None:
    study = make_study(rungs=(), bounds={}, space={}, config={}, created_at=None)
    store.add_study(study)
    assert store.study(study.name) == study


NAMES = ["été", "日本語", "🦊🚀", "e\u0301", "\u00e9", "שלום", 'it\'s "quoted"; --', "a/b %s {x} :y", " ", "字" * 512]


def test_a_study_may_have_any_name(store: Store, make_study: MakeStudy, make_trial: MakeTrial) -> None:
    for name in NAMES:
        store.add_study(make_study(name))
        store.add_trial(name, make_trial(0))
    assert [study.name for study in store.studies()] == NAMES
    assert [store.study(name) for name in NAMES] == [make_study(name) for name in NAMES]
    assert [len(store.trials(name)) for name in NAMES] == [1] * len(NAMES)


def test_a_name_that_some_database_refuses_is_refused_by_all(store: Store, make_study: MakeStudy) -> None:
    for name in ("", "x" * 513, "a\0b", "a\ud800b"):
        with pytest.raises(InputError, match="name"):
            store.add_study(make_study(name))
    assert store.studies() == []


def test_names_that_differ_in_case_are_two_studies(store: Store, make_study: MakeStudy) -> None:
    store.add_study(make_study("front"))
    store.add_study(make_study("Front"))
    assert [study.name for study in store.studies()] == ["front", "Front"]


def test_a_name_that_is_taken_is_refused_and_the_study_stays(store: Store, make_study: MakeStudy) -> None:
    first = make_study(max_epochs=9)
    store.add_study(first)
    with pytest.raises(InputError, match=f"there is a study '{STUDY}' already"):
        store.add_study(make_study(max_epochs=5))
    assert store.studies() == [first]


def test_an_unknown_study_is_none(store: Store) -> None:
    assert store.study("nowhere") is None


def test_a_later_launch_may_change_everything_but_name_and_birth(store: Store, make_study: MakeStudy) -> None:
    store.add_study(make_study(STUDY))
    store.add_study(make_study("other"))
    changed = make_study(
        "another name", objectives=("loss",), space={"a": 1}, config={"b": 2}, max_epochs=27, rungs=(3, 9), classes=100,
        image=(3, 32, 32), bounds={"params": (1.0, 2.0)}, created_at=NOON,
    )  # fmt: skip
    born = store.study(STUDY).created_at
    store.update_config(STUDY, changed)
    assert store.study(STUDY) == replace(changed, name=STUDY, created_at=born)
    assert store.study("other") == make_study("other")


def test_a_trial_comes_back_as_it_went(store: Store, make_study: MakeStudy, make_measurement: MakeMeasurement) -> None:
    architecture = Architecture(
        block="resnext", depths=(3, 4, 6), widths=(64, 128, 256), cardinality=32, base_width=4,
        widening_factor=0.1 + 0.2, dropout="between", dropout_rate=1 / 3, stem="large", shortcut="C",
    )  # fmt: skip
    trial = TrialRecord(
        number=7,
        params={"bool": True, "int": 1, "float": 1.0, "str": "1", "third": 1 / 3, "名": "é"},
        architecture=architecture,
        digest=architecture.digest,
        seed=2**62,
        cost=Cost(params=2**40, macs=2**50, activations=2**45, weight_bytes=2**42),
        state=State.FAILED,
        reason="CUDA out of memory: 日本",
        failure_kind="out-of-memory",
        failure_details="Traceback:\n  line 1\n\tline 2 %s :x {y}" * 1000,
        attempts=2,
        started_at=NOON,
        ended_at=NOON + timedelta(microseconds=1),
        measurements=(make_measurement(1, peak_bytes=2**40), make_measurement(2, accuracy=math.nextafter(0.9, 1))),
    )
    store.add_study(make_study(STUDY))
    store.add_trial(STUDY, trial)
    found = store.trial(STUDY, 7)
    assert found == trial
    assert {name: type(value) for name, value in found.params.items()} == {
        name: type(value) for name, value in trial.params.items()
    }
    assert store.trials(STUDY) == [trial]


def test_every_state_comes_back(store: Store, make_study: MakeStudy, make_trial: MakeTrial) -> None:
    store.add_study(make_study(STUDY))
    for number, state in enumerate(State):
        store.add_trial(STUDY, make_trial(number, state=state))
    assert [trial.state for trial in store.trials(STUDY)] == list(State)


def test_a_measurement_comes_back_to_the_last_bit(filled: Store) -> None:
    measurement = Measurement(
        epoch=1, train_s=1 / 3, eval_s=math.pi,
        metrics={"accuracy": 0.1 + 0.2, "loss": 5e-324, "train_loss": 1.7976931348623157e308, "peak_bytes": 2.0**62},
    )  # fmt: skip
    assert filled.add_measurement(STUDY, 0, measurement)
    assert filled.trial(STUDY, 0).measurements == (measurement,)


def test_a_moment_comes_back_as_the_same_moment_in_utc(store: Store, make_study: MakeStudy) -> None:
    store.add_study(make_study(STUDY, created_at=NOON.astimezone(KOLKATA)))
    found = store.study(STUDY).created_at
    assert found == NOON
    assert found.tzinfo is UTC


def test_a_moment_without_a_time_zone_is_refused(filled: Store) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        filled.end_trial(STUDY, 0, state=State.COMPLETE, ended_at=datetime(2026, 1, 1))
    assert filled.trial(STUDY, 0).state is State.RUNNING


def test_a_reason_is_kept_even_with_bytes_that_no_database_takes(filled: Store) -> None:
    filled.end_trial(STUDY, 0, state=State.FAILED, reason="a\0b", failure_details="c\udc80d", ended_at=NOON)
    trial = filled.trial(STUDY, 0)
    assert (trial.reason, trial.failure_details) == ("a\N{REPLACEMENT CHARACTER}b", "c?d")


def test_rejections_come_back_oldest_first(filled: Store, make_study: MakeStudy) -> None:
    rejections = [
        Rejection(params={"depth": depth, "wide": True}, violations={"params": depth / 3}, reason=f"params: {depth}")
        for depth in (3, 1, 2)
    ]
    filled.add_study(make_study("other"))
    for rejection in rejections:
        filled.add_rejection(STUDY, rejection)
    filled.add_rejection("other", rejections[0])
    assert filled.rejections(STUDY) == rejections


def test_a_rejection_may_be_infinitely_far_off(filled: Store) -> None:
    filled.add_rejection(STUDY, Rejection(params={}, violations={"infeasible": math.inf}, reason="cannot be built"))
    assert filled.rejections(STUDY)[0].violations == {"infeasible": math.inf}


def test_a_session_tells_where_its_seconds_went(filled: Store) -> None:
    first = filled.open_session(STUDY, started_at=NOON, machine={"gpu": "H200", "torch": "2.15"})
    second = filled.open_session(STUDY, started_at=NOON.astimezone(KOLKATA), machine={})
    spent = Spent(startup_s=0.1 + 0.2, proposing_s=1 / 3, training_s=1e9)
    filled.touch_session(first, seen_at=NOON + timedelta(seconds=90), spent=spent)
    found = filled.sessions(STUDY)
    assert found == [
        Session(
            id=first, started_at=NOON, seen_at=NOON + timedelta(seconds=90), spent=spent,
            machine={"gpu": "H200", "torch": "2.15"}, host=node(), process=os.getpid(),
        ),
        Session(id=second, started_at=NOON, seen_at=NOON, machine={}, host=node(), process=os.getpid()),
    ]  # fmt: skip
    assert found[0].wall_s == 90


def test_a_session_that_was_never_opened_cannot_be_touched(filled: Store) -> None:
    with pytest.raises(ValueError, match="no session 99"):
        filled.touch_session(99, seen_at=NOON, spent=Spent())


def test_studies_do_not_see_each_others_trials(filled: Store, make_study: MakeStudy, make_trial: MakeTrial) -> None:
    filled.add_study(make_study("other"))
    filled.add_trial("other", make_trial(0, accuracies=[0.5]))
    filled.end_trial("other", 0, state=State.STOPPED, ended_at=NOON)
    assert filled.trial(STUDY, 0) == make_trial(0)
    filled.set_attempts(STUDY, 0, 1)
    assert filled.trial("other", 0).attempts == 0


def test_trials_come_by_number_with_their_curves_in_order(
    store: Store, make_study: MakeStudy, make_trial: MakeTrial
) -> None:
    store.add_study(make_study(STUDY))
    trials = [make_trial(number, accuracies=[0.1 * number, 0.2, 0.3][:number]) for number in range(4)]
    for trial in (trials[2], trials[0], trials[3], trials[1]):
        store.add_trial(STUDY, trial)
    assert store.trials(STUDY) == trials


def test_what_was_written_is_there_after_opening_again(filled: Store, make_measurement: MakeMeasurement) -> None:
    filled.add_measurement(STUDY, 0, make_measurement(1))
    before = filled.trials(STUDY)
    filled.close()
    with Store.open(filled.url, create=False) as again:
        assert again.trials(STUDY) == before


# Once only


def test_a_trial_added_again_stays_as_it_is(filled: Store, make_trial: MakeTrial) -> None:
    filled.end_trial(STUDY, 0, state=State.STOPPED, ended_at=NOON)
    before = filled.trials(STUDY)
    filled.add_trial(STUDY, make_trial(0, seed=99, accuracies=[0.5]))
    assert filled.trials(STUDY) == before


def test_an_epoch_is_recorded_once(filled: Store, make_measurement: MakeMeasurement) -> None:
    first = make_measurement(1)
    assert filled.add_measurement(STUDY, 0, first) is True
    assert filled.add_measurement(STUDY, 0, make_measurement(1, accuracy=0.99)) is False
    assert filled.trial(STUDY, 0).measurements == (first,)


def test_an_earlier_epoch_reported_again_changes_nothing(filled: Store, make_measurement: MakeMeasurement) -> None:
    assert [filled.add_measurement(STUDY, 0, make_measurement(epoch)) for epoch in (1, 2, 3, 1, 2)] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert filled.trial(STUDY, 0).epochs == 3


def test_a_gap_is_refused(filled: Store, make_measurement: MakeMeasurement) -> None:
    for recorded in range(4):
        for epoch in (recorded + 2, recorded + 3, 1_000):
            complaint = f"epoch {epoch} of trial 0 leaves a gap: epoch {epoch - 1} is not recorded"
            with pytest.raises(ValueError, match=complaint):
                filled.add_measurement(STUDY, 0, make_measurement(epoch))
        assert filled.trial(STUDY, 0).epochs == recorded
        assert filled.add_measurement(STUDY, 0, make_measurement(recorded + 1))


def test_a_trial_added_with_a_gap_is_refused(
    filled: Store, make_trial: MakeTrial, make_measurement: MakeMeasurement
) -> None:
    with pytest.raises(ValueError, match="gap"):
        filled.add_trial(STUDY, make_trial(1, measurements=(make_measurement(2),)))
    assert filled.trial(STUDY, 1) is None


def test_an_epoch_below_one_is_refused(filled: Store, make_measurement: MakeMeasurement) -> None:
    for epoch in (0, -1):
        with pytest.raises(ValueError, match=f"epoch {epoch} is below 1"):
            filled.add_measurement(STUDY, 0, replace(make_measurement(1), epoch=epoch))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_only_finite_values_are_stored(
    filled: Store, make_trial: MakeTrial, make_measurement: MakeMeasurement, value: float
) -> None:
    for field in ("accuracy", "loss", "train_loss", "train_s", "eval_s"):
        measurement = make_measurement(1, **{field: value})
        with pytest.raises(ValueError, match=f"{field} {value} of epoch 1 is not finite"):
            filled.add_measurement(STUDY, 0, measurement)
        with pytest.raises(ValueError, match=f"{field} {value} of epoch 1 is not finite"):
            filled.add_trial(STUDY, make_trial(1, measurements=(measurement,)))
    assert [trial.epochs for trial in filled.trials(STUDY)] == [0]


def test_the_first_ending_stays(filled: Store) -> None:
    assert filled.end_trial(STUDY, 0, state=State.STOPPED, reason="dominated at epoch 1", ended_at=NOON) is True
    assert filled.end_trial(STUDY, 0, state=State.FAILED, failure_kind="lost", ended_at=NOON + timedelta(1)) is False
    trial = filled.trial(STUDY, 0)
    assert (trial.state, trial.reason, trial.failure_kind, trial.ended_at) == (
        State.STOPPED, "dominated at epoch 1", "", NOON,
    )  # fmt: skip


def test_a_failure_says_what_happened(filled: Store) -> None:
    filled.end_trial(
        STUDY, 0, state=State.FAILED, reason="CUDA out of memory", failure_kind="out-of-memory",
        failure_details="Traceback", ended_at=NOON.astimezone(KOLKATA),
    )  # fmt: skip
    trial = filled.trial(STUDY, 0)
    assert (trial.state, trial.reason, trial.failure_kind, trial.failure_details, trial.ended_at) == (
        State.FAILED, "CUDA out of memory", "out-of-memory", "Traceback", NOON,
    )  # fmt: skip


def test_running_is_no_way_to_end(filled: Store) -> None:
    with pytest.raises(ValueError, match="running"):
        filled.end_trial(STUDY, 0, state=State.RUNNING, ended_at=NOON)


def test_attempts_never_fall_and_are_written_twice_without_harm(filled: Store) -> None:
    for attempts in (1, 3, 3, 2):
        filled.set_attempts(STUDY, 0, attempts)
    assert filled.trial(STUDY, 0).attempts == 3


def test_a_digest_can_be_corrected_and_nothing_else_changes(filled: Store) -> None:
    before = filled.trial(STUDY, 0)
    filled.correct_digest(STUDY, 0, "0123456789abcdef")
    assert filled.trial(STUDY, 0) == replace(before, digest="0123456789abcdef")


def test_a_trial_that_is_not_there_takes_no_news(filled: Store, make_measurement: MakeMeasurement) -> None:
    for write in (
        lambda: filled.add_measurement(STUDY, 5, make_measurement(1)),
        lambda: filled.end_trial(STUDY, 5, state=State.COMPLETE, ended_at=NOON),
        lambda: filled.set_attempts(STUDY, 5, 1),
        lambda: filled.correct_digest(STUDY, 5, "0"),
    ):
        with pytest.raises(ValueError, match="there is no trial 5"):
            write()
    assert filled.trial(STUDY, 5) is None


def test_an_unknown_study_is_named(
    store: Store, make_study: MakeStudy, make_trial: MakeTrial, make_measurement: MakeMeasurement
) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: store.update_config("nowhere", make_study()),
        lambda: store.add_trial("nowhere", make_trial(0)),
        lambda: store.add_measurement("nowhere", 0, make_measurement(1)),
        lambda: store.end_trial("nowhere", 0, state=State.COMPLETE, ended_at=NOON),
        lambda: store.set_attempts("nowhere", 0, 1),
        lambda: store.add_rejection("nowhere", Rejection(params={}, violations={}, reason="")),
        lambda: store.open_session("nowhere", started_at=NOON, machine={}),
        lambda: store.trials("nowhere"),
        lambda: store.trial("nowhere", 0),
        lambda: store.rejections("nowhere"),
        lambda: store.sessions("nowhere"),
    ]
    for call in calls:
        with pytest.raises(InputError, match="there is no study 'nowhere' in "):
            call()


# Several at once


def test_of_two_stores_that_record_the_same_epoch_one_does(filled: Store, make_measurement: MakeMeasurement) -> None:
    barrier = threading.Barrier(2)

    def record(store: Store) -> list[bool]:
        news = []
        for epoch in range(1, 21):
            barrier.wait()
            news.append(store.add_measurement(STUDY, 0, make_measurement(epoch)))
        return news

    with Store.open(filled.url) as other, ThreadPoolExecutor(2) as pool:
        ours, theirs = pool.map(record, [filled, other])
    assert [a != b for a, b in zip(ours, theirs, strict=True)] == [True] * 20
    assert filled.trial(STUDY, 0).epochs == 20


def test_of_two_stores_that_end_a_trial_one_does(filled: Store, make_trial: MakeTrial) -> None:
    barrier = threading.Barrier(2)
    for number in range(1, 11):
        filled.add_trial(STUDY, make_trial(number))

    def end(store: Store) -> list[bool]:
        barrier.wait()
        return [store.end_trial(STUDY, number, state=State.COMPLETE, ended_at=NOON) for number in range(11)]

    with Store.open(filled.url) as other, ThreadPoolExecutor(2) as pool:
        ours, theirs = pool.map(end, [filled, other])
    assert [a != b for a, b in zip(ours, theirs, strict=True)] == [True] * 11


def test_one_store_serves_several_threads(filled: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda attempts: filled.set_attempts(STUDY, 0, attempts), range(1, 41)))
    assert filled.trial(STUDY, 0).attempts == 40


def test_a_reader_is_not_kept_waiting_by_a_writer(filled: Store) -> None:
    engine = sa.create_engine(filled.url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE nas_trial SET attempts = 5"))
        assert filled.trial(STUDY, 0).attempts == 0  # who had to wait would be told that the database is locked
    engine.dispose()
    assert filled.trial(STUDY, 0).attempts == 5


@contextmanager
def _before_each_statement(act: Callable[[str], None]) -> Iterator[None]:
    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        act(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", listen)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", listen)


def test_trials_and_their_curves_are_read_at_one_moment(filled: Store, make_measurement: MakeMeasurement) -> None:
    told: list[bool] = []

    def come_in_between(statement: str) -> None:
        if not told and statement.startswith("SELECT nas_measurement"):
            told.append(True)
            other.add_measurement(STUDY, 0, make_measurement(1))
            other.end_trial(STUDY, 0, state=State.COMPLETE, ended_at=NOON)

    with Store.open(filled.url) as other:
        with _before_each_statement(come_in_between):
            (before,) = filled.trials(STUDY)
        (after,) = filled.trials(STUDY)
    assert told
    assert (before.state, before.epochs) == (State.RUNNING, 0)
    assert (after.state, after.epochs) == (State.COMPLETE, 1)


def test_reading_trials_takes_as_many_queries_for_fifty_as_for_one(filled: Store, make_trial: MakeTrial) -> None:
    asked: list[str] = []

    def count() -> int:
        asked.clear()
        filled.trials(STUDY)
        return sum(statement.startswith("SELECT") for statement in asked)

    with _before_each_statement(asked.append):
        for_one = count()
        for number in range(1, 50):
            filled.add_trial(STUDY, make_trial(number, accuracies=[0.1, 0.2]))
        assert count() == for_one == 2


def test_recording_an_epoch_is_two_statements_in_one_transaction(
    filled: Store, make_measurement: MakeMeasurement
) -> None:
    asked: list[str] = []
    with _before_each_statement(asked.append):
        filled.add_measurement(STUDY, 0, make_measurement(1))
    lock = (
        "BEGIN",
        "SET LOCAL lock_timeout",
        "SELECT pg_advisory_xact_lock",
    )  # PostgreSQL's, so that events are in order
    assert [each.split()[0] for each in asked if not each.startswith(lock)] == ["INSERT"] * 2
    assert sum(statement.startswith("BEGIN") for statement in asked) <= 1


def test_a_study_is_held_by_one_launch_at_a_time_and_let_go_of_at_its_end(store_url: str) -> None:
    with Store.open(store_url) as first, Store.open(store_url) as second:
        with first.hold("small"):
            with second.hold("another"):
                pass
            with pytest.raises(StudyError, match=r"^another launch is running 'small' in "), second.hold("small"):
                pass
        with second.hold("small"):
            pass


# Events


def told(store: Store, after: int = -1) -> list[tuple[str, int | None, str]]:
    return [(event.kind, event.trial, event.text) for event in store.events(STUDY, after)]


def test_what_happens_to_a_trial_is_told_in_order_with_what_it_is_about(
    store: Store, make_study: MakeStudy, make_trial: MakeTrial, make_measurement: MakeMeasurement
) -> None:
    store.add_study(make_study(STUDY))
    store.open_session(STUDY, started_at=NOON, machine={})
    store.add_trial(STUDY, make_trial(0))
    store.add_measurement(STUDY, 0, make_measurement(1, at=NOON))
    store.set_attempts(STUDY, 0, 1, "lost: its machine went away")
    store.add_event(STUDY, Event(at=NOON, kind=EventKind.RESTED, trial=0, text="at epoch 1"))
    store.end_trial(STUDY, 0, state=State.STOPPED, reason="epoch 1: enough", ended_at=NOON)
    (launched, *rest) = told(store)
    assert launched[:2] == ("launched", None)
    assert rest == [
        ("begun", 0, ""), ("measured", 0, "epoch 1"), ("retried", 0, "lost: its machine went away"),
        ("rested", 0, "at epoch 1"), ("stopped", 0, "epoch 1: enough"),
    ]  # fmt: skip


def test_what_is_told_twice_is_one_event(
    store: Store, make_study: MakeStudy, make_trial: MakeTrial, make_measurement: MakeMeasurement
) -> None:
    store.add_study(make_study(STUDY))
    for _ in range(2):
        store.add_trial(STUDY, make_trial(0))
        store.add_measurement(STUDY, 0, make_measurement(1))
        store.set_attempts(STUDY, 0, 1, "lost")
        store.add_event(STUDY, Event(at=NOON, kind=EventKind.RESTED, trial=0, text="at epoch 1"))
        store.end_trial(STUDY, 0, state=State.COMPLETE, ended_at=NOON)
    assert [kind for kind, *_ in told(store)] == ["begun", "measured", "retried", "rested", "complete"]


def test_what_is_new_is_behind_the_last_number_that_was_seen(store: Store, make_study: MakeStudy) -> None:
    store.add_study(make_study(STUDY))
    store.add_study(make_study("another"))
    for number in range(4):
        store.add_event(STUDY, Event(at=NOON, kind=EventKind.NOTICE, text=str(number)))
        store.add_event("another", Event(at=NOON, kind=EventKind.NOTICE, text="of another study"))
    seen = store.events(STUDY)
    assert [event.text for event in seen] == ["0", "1", "2", "3"]
    assert [event.seq for event in seen] == sorted({event.seq for event in seen})
    assert store.events(STUDY, seen[1].seq) == seen[2:]
    assert store.events(STUDY, seen[1].seq, most=1) == seen[2:3]
    assert store.events(STUDY, seen[-1].seq) == []


def test_the_news_are_found_by_an_index(filled: Store) -> None:
    if not filled.url.startswith("sqlite"):
        return  # small tables are read whole by PostgreSQL's planner
    with sql(filled.url) as connection:
        query = "EXPLAIN QUERY PLAN SELECT * FROM nas_event WHERE study_id = 1 AND seq > 5 ORDER BY seq"
        plan = " ".join(row[3] for row in connection.execute(sa.text(query)))
    assert "ix_nas_event_study_id_seq" in plan
    assert "SCAN" not in plan


def test_an_event_goes_with_the_transaction_that_it_tells_of(filled: Store, make_measurement: MakeMeasurement) -> None:
    before = told(filled)
    with pytest.raises(ValueError, match="gap"):
        filled.add_measurement(STUDY, 0, make_measurement(7))
    assert told(filled) == before


def test_flow_is_written_with_its_measurement_once(filled: Store, make_measurement: MakeMeasurement) -> None:
    through = (Flow(block="1.1", gradient=0.5, branch=1.5), Flow(block="1.2", gradient=None, branch=None))
    assert filled.flow(STUDY, 0) == ()
    assert filled.add_measurement(STUDY, 0, replace(make_measurement(1), flow=through))
    assert not filled.add_measurement(STUDY, 0, replace(make_measurement(1), flow=through[:1]))
    filled.add_measurement(STUDY, 0, make_measurement(2))
    assert filled.flow(STUDY, 0) == (
        {"epoch": 1, "block": "1.1", "gradient": 0.5, "branch": 1.5},
        {"epoch": 1, "block": "1.2", "gradient": None, "branch": None},
    )  # fmt: skip
    assert [each.flow for each in filled.trials(STUDY)[0].measurements] == [(), ()]
