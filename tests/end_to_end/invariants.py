"""State what holds of every study that is over, however often it was killed."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import Row, create_engine, text

from search.config.study import load
from search.core.fronts import front_trials, objective_values
from search.core.records import State, StudyRecord, TrialRecord
from search.driver.driver import open_running
from search.storage.store import Store
from search.study.queue import ATTEMPTS

PLANTED = {"nan": "not-finite", "out-of-memory": "out-of-memory"}  # what a study calls what a test plants
STATES = {State.COMPLETE: TrialState.COMPLETE, State.STOPPED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}


def read(url: str, name: str = "small") -> tuple[StudyRecord, list[TrialRecord]]:
    """Return a study and its trials."""
    with Store.open(url, create=False) as store:
        study = store.study(name)
        assert study is not None
        return study, store.trials(name)


def check_whole(url: str, *, trials: int, name: str = "small", may_fail: Mapping[int, str] | None = None) -> None:
    """Check that every trial has ended, whole, and that Optuna's tables say the same.

    Args:
        url: of the database.
        trials: that the budget allows.
        name: of the study.
        may_fail: what was planted, by number; a trial that a rung had judged before may have been stopped.
    """
    study, ours = read(url, name)
    assert [trial.number for trial in ours] == list(range(trials))  # the budget counts once
    for trial in ours:
        if trial.state is State.FAILED:
            check_failed(trial, may_fail or {})
        else:
            check_trial(study, trial)
    assert not [trial for trial in ours if trial.number in (may_fail or {}) and trial.state is State.COMPLETE]
    check_front(url, study, ours)
    trained = [trial.identity for trial in ours]
    assert len(set(trained)) == len(trained)  # nothing was trained twice
    check_optuna(url, study, ours)


def check_story(trial: TrialRecord) -> None:
    """Check that every epoch of a trial is there once, and that it has ended after it began."""
    assert [measurement.epoch for measurement in trial.measurements] == list(range(1, trial.epochs + 1))
    assert trial.started_at is not None
    assert trial.ended_at is not None
    assert trial.started_at <= trial.ended_at
    assert trial.attempts <= ATTEMPTS


def check_failed(trial: TrialRecord, may_fail: Mapping[int, str]) -> None:
    """Check that a trial failed of what was planted in it, and of nothing else."""
    check_story(trial)
    assert trial.number in may_fail, trial.reason
    assert may_fail[trial.number].startswith(
        tuple(kind for kind, ours in PLANTED.items() if ours == trial.failure_kind)
    )
    assert trial.reason.startswith(f"{trial.failure_kind}: ")


def check_trial(study: StudyRecord, trial: TrialRecord) -> None:
    """Check that every epoch of a trial is there once, and that its state is what they make it."""
    check_story(trial)
    if trial.state is State.COMPLETE:
        assert trial.epochs == study.max_epochs
    else:
        assert trial.state is State.STOPPED, trial.reason
        assert trial.epochs in study.rungs
        assert trial.reason


def check_optuna(url: str, study: StudyRecord, ours: list[TrialRecord]) -> None:
    """Check that Optuna's tables tell of the same trials, and of the same front."""
    storage = RDBStorage(url)
    told = optuna.load_study(study_name=study.name, storage=storage)
    rows, best = told.get_trials(), told.best_trials
    storage.engine.dispose()
    assert [row.state for row in rows] == [STATES[trial.state] for trial in ours]
    for row, trial in zip(rows, ours, strict=True):
        assert row.params == dict(trial.params)
        if trial.state is State.COMPLETE:
            assert tuple(row.values) == objective_values(study, trial)
    assert {row.number for row in best} == {trial.number for trial in front_trials(study, ours)}


def _raw(url: str, query: str) -> list[Row[tuple[object, ...]]]:
    """Return what the database itself says, past all code of ours."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = list(connection.execute(text(query)))
    engine.dispose()
    return rows


def check_front(url: str, study: StudyRecord, ours: list[TrialRecord]) -> None:
    """Check the front of (accuracy, macs) against one that is made from the raw rows alone."""
    if study.objectives != ("accuracy", "macs"):
        return
    measured = "nas_measurement m JOIN nas_trial t ON t.id = m.trial_id JOIN nas_study s ON s.id = t.study_id"
    full = "m.epoch = s.max_epochs AND t.state = 'complete'"
    rows = _raw(url, f"SELECT t.number, m.accuracy, t.macs FROM {measured} WHERE {full} AND s.name = '{study.name}'")
    best = {
        number
        for number, accuracy, macs in rows
        if not any(a >= accuracy and m <= macs and (a, m) != (accuracy, macs) for _, a, m in rows)  # type: ignore[operator]
    }
    assert {trial.number for trial in front_trials(study, ours)} == best


def check_spending(url: str, folder: Path, name: str = "small") -> None:
    """Check that a further launch would count every epoch's seconds once."""
    config = load(folder / "space.yaml", [f"storage={url}"])
    with Store.open(url, create=False) as store:
        study = store.study(name)
        assert study is not None
        with closing((running := open_running(store, config, study)).recorder):
            spent, over = running.account.spending, running.over
    ((epochs, seconds),) = _raw(url, "SELECT count(*), sum(train_s + eval_s) FROM nas_measurement")
    assert running.account.trained_epochs == epochs
    assert abs(running.account.trained_s - float(str(seconds))) < 1e-6
    assert spent.trials == len(running.trials)
    assert over


def check_sessions(url: str, *, launches: int, wall_s: float, moved_s: float, name: str = "small") -> None:
    """Check that each launch has told of itself, and that none counts time that a clock made up.

    Args:
        url: of the database.
        launches: that were begun.
        wall_s: from the first one's beginning to the last one's end.
        moved_s: by how much the clock was moved at most, so that they may seem to overlap.
        name: of the study.
    """
    with Store.open(url, create=False) as store:
        sessions = store.sessions(name)
    assert 0 < len(sessions) <= launches  # one that dies at once tells nothing
    assert all(session.wall_s >= 0 for session in sessions)
    assert sum(session.wall_s for session in sessions) <= wall_s
    for before, after in pairwise(sessions):
        assert after.started_at >= before.seen_at - timedelta(seconds=moved_s)


def check_left_behind(url: str, folder: Path, temporary: Path) -> None:
    """Check that no file is left but the front's checkpoints: no journal, nothing half written, nothing temporary."""
    study, ours = read(url)
    front = {f"{trial.number}.pt" for trial in front_trials(study, ours)}
    assert {path.name for path in folder.glob("**/*.pt*")} == front
    assert not (folder / ".widefront").exists()
    locks = f"widefront-{os.getuid()}"  # of devices, empty, which stay
    left = sorted(path.name for path in temporary.glob("widefront-*") if path.name != locks)  # torch has a cache there
    assert not left, left


def doctor(url: str, folder: Path) -> str:
    """Return what the doctor says of a database that nothing is wrong with; the exit code is checked."""
    command = [sys.executable, "-m", "search.doctor", url]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
