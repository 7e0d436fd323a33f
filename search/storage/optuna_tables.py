"""Read and open Optuna's own tables, which stand beside ours."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.logging import WARNING, set_verbosity
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Row, text
from sqlalchemy.exc import SQLAlchemyError

from search.core.records import State, StudyRecord
from search.storage.damage import named
from search.storage.engine import engine_options, quick_commits
from search.storage.store import Store
from search.storage.url import optunas_url
from spaces.errors import InputError, StudyError, first_line
from workers.objectives import Objective

# What reading a damaged row ends in: Optuna checks by assertions, and hides what SQLAlchemy says.
DAMAGED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, StorageInternalError)
ARCHITECTURE = "architecture"  # the attribute that names it; in full it is one of the system's, which nobody is shown
ENDS = {State.COMPLETE: TrialState.COMPLETE, State.STOPPED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterpart:
    """What Optuna's tables tell of a trial."""

    number: int
    state: State  # running also where it only waits
    described: bool  # by this service: a row of somebody else's names no architecture


class OptunasTables:
    """Read Optuna's tables where they are; nothing is written, and none are made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._storage: RDBStorage | None = None

    def check(self) -> None:
        """Refuse tables that this version of Optuna cannot use, before anything is written beside them.

        Raises:
            StudyError: they are of another version.
        """
        self._open()

    def trials(self, study: str) -> dict[int, Counterpart]:
        """Return what they tell of a study's trials; nothing where somebody deleted it, or no launch came to make it.

        Rows that cannot be read are noted in the store's damage.

        Raises:
            StudyError: the tables are of another version of Optuna.
        """
        storage = self._open()
        if storage is None:
            return {}
        try:
            study_id = storage.get_study_id_from_name(study)
        except KeyError:
            return {}
        return self._read(storage, study_id)

    def _read(self, storage: RDBStorage, study_id: int) -> dict[int, Counterpart]:
        try:
            rows = storage.get_all_trials(study_id, deepcopy=False)
        except DAMAGED:  # Optuna does not say in which row
            found = [self._read_alone(storage, row) for row in self._rows(storage, study_id)]
        else:
            found = [self._noted(partial(_counterpart, row), row._trial_id, row.number) for row in rows]
        return {each.number: each for each in found if each is not None}

    def _rows(self, storage: RDBStorage, study_id: int) -> Sequence[Row[Any]]:
        """Return id and number of each trial's row, whatever stands there."""
        asked = text("SELECT trial_id, number FROM trials WHERE study_id = :study ORDER BY trial_id")
        with self._store.speaking(), storage.engine.connect() as connection:
            return connection.execute(asked, {"study": study_id}).all()

    def _read_alone(self, storage: RDBStorage, row: Row[Any]) -> Counterpart | None:
        return self._noted(lambda: _counterpart(storage.get_trial(row.trial_id)), row.trial_id, row.number)

    def _noted(self, make: Callable[[], Counterpart], row_id: int, number: object) -> Counterpart | None:
        """Return what is made of a row, or note that it cannot be read."""
        row, lost = named(f"row {row_id} of Optuna's trials", "trials", number)
        return self._store.damage.read(partial(_translated, make), row, lost)

    def _open(self) -> RDBStorage | None:
        if self._storage is None and {"studies", "version_info", "alembic_version"} <= self._store.tables():
            try:
                self._storage = RDBStorage(optunas_url(self._store.url), skip_table_creation=True)
            except (RuntimeError, SQLAlchemyError, *DAMAGED) as error:
                raise StudyError(f"{self._store.shown_url}: {_said(error)}") from error
            quick_commits(self._storage.engine)
        return self._storage

    def close(self) -> None:
        """Let go of the database; the store stays open."""
        if self._storage is not None:
            self._storage.remove_session()
            self._storage.engine.dispose()


def _translated(make: Callable[[], Counterpart]) -> Counterpart:
    """Return what is made of a row, and say in our words what Optuna makes of a damaged one.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return make()
    except (AssertionError, StorageInternalError) as error:
        raise ValueError(_said(error)) from error


def _said(error: Exception) -> str:
    """Return what Optuna complains of; where it hides what SQLAlchemy said, that."""
    return first_line(error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error)


def _counterpart(row: FrozenTrial) -> Counterpart:
    if not isinstance(row.number, int) or row.number < 0:
        raise ValueError(f"number {row.number!r} is no whole number of at least 0")
    state = next((ours for ours, theirs in ENDS.items() if theirs is row.state), State.RUNNING)
    return Counterpart(number=row.number, state=state, described=described_of(row) is not None)


def described_of(row: FrozenTrial) -> str | None:
    """Return the JSON of a row's architecture, if this service made it: before 0.1.0 it was a user attribute."""
    told = row.system_attrs.get(ARCHITECTURE, row.user_attrs.get(ARCHITECTURE))
    return None if told is None else str(told)


def open_optuna(store: Store, record: StudyRecord) -> tuple[RDBStorage, optuna.Study]:
    """Return Optuna's own tables beside ours, and the study in them, made if it is new.

    Raises:
        InputError: another study has its name there.
        StudyError: what stands there of the study cannot be read.
    """
    set_verbosity(WARNING)  # Optuna tells of every study it opens
    storage = RDBStorage(optunas_url(store.url), engine_kwargs=engine_options(store.url))
    quick_commits(storage.engine)
    try:
        return storage, _study(storage, record)
    except DAMAGED as error:
        storage.engine.dispose()
        raise StudyError(f"Optuna's tables of {record.name!r} cannot be read ({_said(error)})") from error
    except BaseException:
        storage.engine.dispose()
        raise


def _study(storage: RDBStorage, record: StudyRecord) -> optuna.Study:
    objectives = [record.objective(name) for name in record.objectives]
    study = optuna.create_study(
        storage=storage,
        study_name=record.name,
        directions=[StudyDirection[each.direction.upper()] for each in objectives],
        load_if_exists=True,
    )
    if [way.name.lower() for way in study.directions] != [each.direction for each in objectives]:
        raise InputError(
            f"Optuna's tables hold another study named {record.name!r}; give this one another name", place="study"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # names have been experimental since Optuna 3.2
        study.set_metric_names([_metric_name(each) for each in objectives])
    return study


def _metric_name(objective: Objective) -> str:
    return f"{objective.name} ({objective.unit})"
