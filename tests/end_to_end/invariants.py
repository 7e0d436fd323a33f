"""State what holds of every study that is over, however often it was killed."""

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from search.fronts import front_trials, objective_values
from search.store import Store
from search.trial import State, StudyRecord, TrialRecord

STATES = {State.COMPLETE: TrialState.COMPLETE, State.STOPPED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}


def read(url: str, name: str = "small") -> tuple[StudyRecord, list[TrialRecord]]:
    """Return a study and its trials."""
    with Store.open(url, create=False) as store:
        study = store.study(name)
        assert study is not None
        return study, store.trials(name)


def check_whole(url: str, *, trials: int, name: str = "small") -> None:
    """Check that every trial has ended, whole, and that Optuna's tables say the same."""
    study, ours = read(url, name)
    assert [trial.number for trial in ours] == list(range(trials))  # the budget counts once
    for trial in ours:
        check_trial(study, trial)
    digests = [trial.digest for trial in ours]
    assert len(set(digests)) == len(digests)  # nothing was trained twice
    check_optuna(url, study, ours)


def check_trial(study: StudyRecord, trial: TrialRecord) -> None:
    """Check that every epoch of a trial is there once, and that its state is what they make it."""
    assert [measurement.epoch for measurement in trial.measurements] == list(range(1, trial.epochs + 1))
    assert trial.started_at is not None
    assert trial.ended_at is not None
    assert trial.started_at <= trial.ended_at
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
