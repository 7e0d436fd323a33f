"""Optuna's tables tell the truth about every trial, on both databases, and a crash leaves no difference behind."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import sqlalchemy as sa
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from search.core.fronts import objective_values
from search.core.labels import name_of
from search.core.records import State, TrialRecord
from search.storage import optuna_rows
from search.storage.store import Store
from search.study.queue import BACK_OFF_S
from search.study.recorder import Recorder
from search.study.running import RunningStudy
from spaces.architecture import Architecture
from spaces.cost import Cost
from spaces.errors import StudyError, TrialFailure
from tests.search.bench import NOON, Bench, learn, sql
from workers.kinds import FailureKind

MakeBench = Callable[..., Bench]

CRASH = TrialFailure("crash", "ValueError: no", "Traceback: here")


def rich(make_bench: MakeBench, url: str | None) -> Bench:
    """Return a bench whose study has constraints, three objectives and a sampler that wants things remembered."""
    return make_bench(
        url,
        objectives=["accuracy", "macs", "loss"],
        constraints={"params": "<= 500k", "activations": ">= 1000"},
        sampler={"name": "nsga2", "seed": 0},
        scheduler={"name": "asha", "grace_epochs": 1, "max_epochs": 3, "keep": 0.5},
    )


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def filled(request: pytest.FixtureRequest, make_bench: MakeBench) -> Bench:
    """Give a bench on one kind of database and then on the other."""
    return rich(make_bench, request.getfixturevalue("postgres_url") if request.param == "postgresql" else None)


def start(running: RunningStudy) -> TrialRecord:
    trial = running.hand_out()
    assert isinstance(trial, TrialRecord)
    return trial


def live(bench: Bench) -> RunningStudy:
    """Return a study with a complete trial, a stopped one, a failed one, one that waits again, and one that runs."""
    running = bench.open()
    bench.train(running, start(running))
    low = start(running)
    running.measured(low.number, learn(low, 1).showing(accuracy=0.11))
    running.failed(start(running).number, CRASH)
    lost = start(running)
    running.measured(lost.number, learn(lost, 1).showing(accuracy=0.99))
    running.failed(lost.number, TrialFailure(FailureKind.LOST, "gone"))
    return running


STATES = [State.COMPLETE, State.STOPPED, State.FAILED, State.RUNNING]


def optunas_rows(bench: Bench) -> list[FrozenTrial]:
    with bench.optunas() as study:
        return study.get_trials()


def ours(bench: Bench) -> list[TrialRecord]:
    with Store.open(bench.url) as store:
        return store.trials(bench.record.name)


# What Optuna's tables say


def test_optunas_tables_tell_of_every_trial_what_ours_tell(filled: Bench) -> None:
    running = live(filled)
    told = optunas_rows(filled)
    assert [trial.state for trial in ours(filled)] == STATES
    assert [row.number for row in told] == [trial.number for trial in ours(filled)] == [0, 1, 2, 3]
    states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING]
    assert [row.state for row in told] == states
    for row, trial in zip(told, ours(filled), strict=True):
        check_attributes(row, trial)
        check_constraints(row, running.proposer.catalogue.describe(trial.params).constraints)
        check_params(row, trial, running)
    complete, stopped, failed, waiting = told
    record = running.trials[0]
    assert record.last is not None
    shown = record.last.metrics
    assert complete.values == [shown["accuracy"], record.cost.macs, shown["loss"]]
    assert [row.values for row in (stopped, failed, waiting)] == [None] * 3
    assert complete.user_attrs["epochs"] == 3
    assert (stopped.user_attrs["epochs"], stopped.user_attrs["reason"]) == (1, running.trials[1].reason)
    assert (failed.user_attrs["epochs"], failed.user_attrs["reason"]) == (0, "crash: ValueError: no")
    assert "reason" not in complete.user_attrs
    for row, trial in zip(told, ours(filled), strict=True):
        if trial.state is not State.RUNNING and trial.last:  # also what was stopped, of which Optuna keeps no values
            assert row.user_attrs["last_accuracy"] == trial.last.metrics["accuracy"]
            assert row.user_attrs["last_loss"] == trial.last.metrics["loss"]
            assert row.user_attrs["trained_s"] == trial.trained_s


def check_attributes(row: FrozenTrial, trial: TrialRecord) -> None:
    attrs = row.user_attrs
    assert attrs["architecture"] == name_of(trial.architecture)
    assert Architecture.from_json(json.loads(row.system_attrs["architecture"])) == trial.architecture
    assert (attrs["digest"], attrs["seed"]) == (trial.digest, trial.seed)
    assert {name: attrs[name] for name in trial.cost.to_json()} == trial.cost.to_json()


def check_constraints(row: FrozenTrial, violations: Mapping[str, float]) -> None:
    assert list(violations) == ["params", "activations"]
    assert {name: row.constraints[name] for name in violations} == violations
    assert row.system_attrs["constraints"] == list(violations.values())  # the form that the dashboard reads


def check_params(row: FrozenTrial, trial: TrialRecord, running: RunningStudy) -> None:
    assert row.params == dict(trial.params)
    assert {name: type(value) for name, value in row.params.items()} == {
        name: type(value) for name, value in trial.params.items()
    }
    assert row.distributions == {name: running.recorder.distributions[name] for name in trial.params}
    kinds = {"block": CategoricalDistribution, "depth": IntDistribution, "dropout_rate": FloatDistribution}
    assert all(isinstance(row.distributions[name], kinds.get(name, CategoricalDistribution)) for name in row.params)


def rest(bench: Bench) -> tuple[RunningStudy, TrialRecord]:
    """Return a study one of whose trials rests at a rung, and that trial."""
    running = bench.open()
    bench.clock.advance(60)
    trial = start(running)
    bench.train(running, trial)
    assert trial.number in running.resting
    return running, running.trials[trial.number]


def lasted(row: FrozenTrial, until: datetime | None = None) -> float:
    """Return for how many seconds Optuna believes that a trial was at work."""
    end = row.datetime_complete or until
    assert row.datetime_start is not None
    assert end is not None
    return (end.astimezone(UTC) - row.datetime_start.astimezone(UTC)).total_seconds()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def promoting(request: pytest.FixtureRequest, make_bench: MakeBench) -> Bench:
    """Give a bench whose trials rest at rungs."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    return make_bench(url, scheduler={"name": "auto", "max_epochs": 9}, budget={"trials": 8})


def test_a_trial_that_rests_waits_in_optunas_tables_with_what_it_has_shown(promoting: Bench) -> None:
    _, trial = rest(promoting)
    (row,) = optunas_rows(promoting)
    assert row.state is TrialState.WAITING
    assert row.system_attrs["fixed_params"] == row.params == dict(trial.params)  # the dashboard shows the former
    assert trial.last is not None
    assert row.user_attrs["last_accuracy"] == trial.last.metrics["accuracy"]
    assert (row.user_attrs["epochs"], row.user_attrs["trained_s"]) == (trial.epochs, trial.trained_s)


def test_a_trial_that_another_launch_let_go_on_before_it_died_waits_again(promoting: Bench) -> None:
    running, trial = rest(promoting)
    with Store.open(promoting.url) as store:
        (row,) = optunas_rows(promoting)
        optuna_rows.go_on(store, row._trial_id, datetime.now(UTC))
    running.recorder.rests(trial)
    (row,) = optunas_rows(promoting)
    assert row.state is TrialState.WAITING


def test_a_trial_that_goes_on_has_lasted_as_long_as_it_has_trained(promoting: Bench) -> None:
    running, trial = rest(promoting)
    with sql(promoting.url) as connection:
        connection.execute(sa.text("UPDATE trials SET datetime_start = '2026-01-01 00:00:00'"))  # days ago
    running.recorder.goes_on(running.trials[trial.number])
    (row,) = optunas_rows(promoting)
    assert row.state is TrialState.RUNNING
    assert lasted(row, datetime.now(UTC)) == pytest.approx(trial.trained_s, abs=5)


def test_a_trial_that_is_stopped_at_rest_ended_when_it_last_trained(promoting: Bench) -> None:
    running, _ = rest(promoting)
    promoting.train_all(running)
    for row, ended in zip(optunas_rows(promoting), ours(promoting), strict=True):
        if row.state is TrialState.PRUNED:
            assert ended.last is not None
            assert lasted(row) == pytest.approx(ended.trained_s)
            assert row.datetime_complete is not None
            assert row.datetime_complete.astimezone(UTC) == ended.last.at
    assert TrialState.PRUNED in {row.state for row in optunas_rows(promoting)}


def test_what_a_launch_leaves_waits_until_the_next_one_hands_it_out(filled: Bench) -> None:
    running = filled.open()
    start(running)
    running.lay_down_all()
    assert [row.state for row in optunas_rows(filled)] == [TrialState.WAITING]
    running = filled.open()
    assert [row.state for row in optunas_rows(filled)] == [TrialState.WAITING]
    assert start(running).number == 0
    assert [row.state for row in optunas_rows(filled)] == [TrialState.RUNNING]


def test_what_a_launch_that_was_killed_left_at_work_waits_too_once_the_next_has_begun(filled: Bench) -> None:
    start(filled.open())
    filled.open()
    assert [row.state for row in optunas_rows(filled)] == [TrialState.WAITING]


def test_a_row_of_before_is_adopted_by_the_architecture_among_what_people_are_shown(filled: Bench) -> None:
    running = filled.open()
    trial = start(running)
    with sql(filled.url) as connection:
        whole = "(SELECT value_json FROM trial_system_attributes WHERE key = 'architecture')"
        connection.execute(sa.text(f"UPDATE trial_user_attributes SET value_json = {whole} WHERE key = 'architecture'"))
        connection.execute(sa.text("DELETE FROM trial_system_attributes WHERE key = 'architecture'"))
        connection.execute(sa.text("DELETE FROM nas_event"))
        connection.execute(sa.text("DELETE FROM nas_trial"))
    filled.open()
    assert [(each.digest, each.architecture) for each in ours(filled)] == [(trial.digest, trial.architecture)]


def test_objectives_have_their_names_units_and_directions(filled: Bench) -> None:
    filled.open()
    with filled.optunas() as study:
        assert study.metric_names == ["accuracy (fraction)", "macs (count per image)", "loss (nats)"]
        assert [way.name for way in study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]


def test_a_study_without_constraints_has_none_in_either_form(make_bench: MakeBench) -> None:
    bench = make_bench(constraints={})
    start(bench.open())
    (row,) = optunas_rows(bench)
    assert row.constraints == {}
    assert "constraints" not in row.system_attrs


def test_a_trial_is_complete_to_optuna_only_at_full_fidelity(bench: Bench) -> None:
    running = bench.open()
    trial = start(running)
    for epoch in range(1, 9):
        running.measured(trial.number, learn(trial, epoch))
        assert optunas_rows(bench)[0].state is TrialState.RUNNING
    running.measured(trial.number, learn(trial, 9))
    (row,) = optunas_rows(bench)
    assert row.state is TrialState.COMPLETE
    assert tuple(row.values) == objective_values(running.record, running.trials[0])


def test_what_the_sampler_wants_remembered_survives(filled: Bench) -> None:
    live(filled)
    attrs = filled.open().recorder.sampler_attrs()
    assert attrs == {number: {"NSGAIISampler:generation": 0} for number in range(4)}


def test_ours_tell_why_a_trial_failed_in_full(filled: Bench) -> None:
    live(filled)
    failed = ours(filled)[2]
    assert (failed.reason, failed.failure_kind, failed.failure_details) == (
        "crash: ValueError: no",
        "crash",
        "Traceback: here",
    )
    assert failed.ended_at == NOON


def test_an_odd_byte_in_a_reason_is_no_obstacle(filled: Bench) -> None:
    running = filled.open()
    running.failed(start(running).number, TrialFailure("crash", "a\0b\ud800c é", "x\0"))
    (row,) = optunas_rows(filled)
    assert row.state is TrialState.FAIL
    assert "é" in row.user_attrs["reason"]
    assert "é" in ours(filled)[0].reason


# What a crash between two writes left different


def test_a_trial_that_only_optuna_has_is_adopted(filled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    running = live(filled)
    filled.clock.advance(BACK_OFF_S)
    assert start(running).number == 3  # the one that waits
    with monkeypatch.context() as patch:
        patch.setattr(running.recorder.store, "add_trial", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            running.hand_out()
    assert (len(optunas_rows(filled)), len(ours(filled))) == (5, 4)
    row = optunas_rows(filled)[4]
    again = filled.open()
    assert [trial.number for trial in ours(filled)] == [0, 1, 2, 3, 4]
    adopted = again.trials[4]
    assert ours(filled)[4] == adopted
    assert (adopted.state, adopted.epochs, adopted.params) == (State.RUNNING, 0, row.params)
    check_attributes(row, adopted)
    assert list(again.queue) == [3, 4]


def test_a_trial_that_an_older_version_began_is_adopted_with_what_it_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Cost.to_json
    with monkeypatch.context() as patch:
        patch.setattr(Cost, "to_json", lambda cost: {k: v for k, v in counted(cost).items() if k != "training_bytes"})
        running = bench.open()
        patch.setattr(running.recorder.store, "add_trial", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            running.hand_out()
    adopted = bench.open().trials[0]
    assert adopted.cost.params > 0
    assert adopted.cost.training_bytes == 0


def _interrupt(*_given: Any, **_named: Any) -> Any:
    raise KeyboardInterrupt


def test_a_trial_that_ended_in_ours_alone_is_told(filled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    running = filled.open()
    trials = [start(running) for _ in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(running.recorder, "_tell", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            filled.train(running, trials[0])
        with pytest.raises(KeyboardInterrupt):
            running.measured(1, learn(trials[1], 1).showing(accuracy=0.11))
        with pytest.raises(KeyboardInterrupt):
            running.failed(2, CRASH)
    assert {row.state for row in optunas_rows(filled)} == {TrialState.RUNNING}
    filled.open()
    assert [row.state for row in optunas_rows(filled)] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    assert optunas_rows(filled)[2].user_attrs["reason"] == "crash: ValueError: no"


def test_a_crash_in_the_midst_of_telling_is_made_good(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    running = bench.open()
    trial = start(running)
    with monkeypatch.context() as patch:
        patch.setattr(running.recorder.storage, "set_trial_state_values", _interrupt)  # behind the attributes
        with pytest.raises(KeyboardInterrupt):
            running.failed(trial.number, CRASH)
    bench.open()
    (row,) = optunas_rows(bench)
    assert (row.state, row.user_attrs["reason"]) == (TrialState.FAIL, "crash: ValueError: no")


def test_reconciling_twice_changes_nothing_more(filled: Bench) -> None:
    live(filled)
    running = filled.open()
    before = (ours(filled), optunas_rows(filled))
    for _ in range(2):
        assert running.recorder.reconcile(running.trials) == []
    filled.open()
    assert (ours(filled), optunas_rows(filled)) == before


def test_a_trial_of_somebody_else_is_refused_in_one_line(filled: Bench) -> None:
    running = filled.open()
    start(running)
    with filled.optunas() as study:
        study.enqueue_trial({"depth": 3})
    with pytest.raises(StudyError, match=r"^trial 1 in Optuna's tables was not made by this service$"):
        running.recorder.reconcile(running.trials)


def test_rows_that_were_deleted_from_optunas_tables_are_written_again(filled: Bench) -> None:
    live(filled)
    running = filled.open()
    before = optunas_rows(filled)
    running.recorder.storage.delete_study(running.recorder._study_id)  # a button of Optuna's dashboard does it
    again = filled.open()
    after = optunas_rows(filled)
    for old, new in zip(before, after, strict=True):
        assert (old.number, old.state, old.values, old.params) == (new.number, new.state, new.values, new.params)
        assert old.user_attrs == new.user_attrs
    start(again)
    assert start(again).number == 4


def test_two_launches_at_once_never_share_a_number(bench: Bench) -> None:
    running = bench.open()
    with Store.open(bench.url) as store:
        other = Recorder(store, bench.record, bench.config.search_space)
        start(running)
        proposal, _ = running.proposer.propose({})
        assert proposal is not None
        with pytest.raises(StudyError, match="another launch writes to this study at the same time"):
            other.start(proposal, 0, NOON)
        other.close()
    start(running)  # the one that was first goes on
    assert len(ours(bench)) == len(optunas_rows(bench)) == 2


def test_measuring_says_whether_an_epoch_was_new(bench: Bench) -> None:
    running = bench.open()
    trial = start(running)
    assert running.recorder.measured(trial.number, learn(trial, 1)) is True
    assert running.recorder.measured(trial.number, learn(trial, 1).showing(accuracy=0.0)) is False
    assert ours(bench)[0].measurements == (learn(trial, 1),)


def test_a_closed_recorder_holds_no_connection(bench: Bench) -> None:
    running = bench.open()
    start(running)
    running.recorder.close()
    pool = cast(Any, running.recorder.storage.engine.pool)
    assert pool.checkedin() + pool.checkedout() == 0
