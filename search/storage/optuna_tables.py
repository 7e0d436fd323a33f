"""Read and open Optuna's own tables, which stand beside ours."""

import warnings
from dataclasses import dataclass

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.logging import WARNING, set_verbosity
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.core.records import State, StudyRecord
from search.storage.engine import engine_options, quick_commits
from search.storage.store import Store
from search.storage.url import optunas_url
from spaces.errors import InputError, StudyError, first_line
from workers.objectives import OBJECTIVES

ENDS = {State.COMPLETE: TrialState.COMPLETE, State.STOPPED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterpart:
    """Hold what Optuna's tables tell of a trial."""

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

        Raises:
            StudyError: the tables are of another version of Optuna.
        """
        storage = self._open()
        try:
            rows = storage.get_all_trials(storage.get_study_id_from_name(study), deepcopy=False) if storage else []
        except KeyError:
            return {}
        except (ValueError, LookupError, TypeError) as error:
            raise StudyError(f"Optuna's tables of {study!r} cannot be read: {first_line(error)}") from error
        return {row.number: _counterpart(row) for row in rows}

    def _open(self) -> RDBStorage | None:
        if self._storage is None and {"studies", "version_info", "alembic_version"} <= self._store.tables():
            try:
                self._storage = RDBStorage(optunas_url(self._store.url), skip_table_creation=True)
            except RuntimeError as error:
                raise StudyError(f"{self._store.shown_url}: {first_line(error)}") from error
            quick_commits(self._storage.engine)
        return self._storage

    def close(self) -> None:
        """Let go of the database; the store stays open."""
        if self._storage is not None:
            self._storage.remove_session()
            self._storage.engine.dispose()


def _counterpart(row: FrozenTrial) -> Counterpart:
    state = next((ours for ours, theirs in ENDS.items() if theirs is row.state), State.RUNNING)
    return Counterpart(number=row.number, state=state, described="architecture" in row.user_attrs)


def open_optuna(store: Store, record: StudyRecord) -> tuple[RDBStorage, optuna.Study]:
    """Return Optuna's own tables beside ours, and the study in them, made if it is new."""
    set_verbosity(WARNING)  # Optuna tells of every study it opens
    storage = RDBStorage(optunas_url(store.url), engine_kwargs=engine_options(store.url))
    quick_commits(storage.engine)
    study = optuna.create_study(
        storage=storage,
        study_name=record.name,
        directions=[StudyDirection[OBJECTIVES[name].direction.upper()] for name in record.objectives],
        load_if_exists=True,
    )
    if [way.name.lower() for way in study.directions] != [OBJECTIVES[name].direction for name in record.objectives]:
        storage.engine.dispose()
        raise InputError(
            f"Optuna's tables hold another study named {record.name!r}; give this one another name", place="study"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # names have been experimental since Optuna 3.2
        study.set_metric_names([_metric_name(name) for name in record.objectives])
    return storage, study


def _metric_name(name: str) -> str:
    objective = OBJECTIVES[name]
    return f"{name} ({objective.unit})"
