"""Write what happens into SQL: our tables first, which are the truth, then Optuna's, which its dashboard reads.

A trial begins the other way round, since its number is Optuna's. A crash between the two writes leaves a difference
that `reconcile` takes away at the next launch.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.core.fronts import run_values
from search.core.labels import name_of
from search.core.records import Rejection, State, StudyRecord, TrialRecord
from search.samplers.proposer import Proposal
from search.samplers.registry import recorded_distributions
from search.storage import optuna_rows
from search.storage.optuna_tables import ARCHITECTURE, DAMAGED, ENDS, OptunasTables, described_of, open_optuna
from search.storage.retelling import CONSTRAINTS, OUTSIDE, OptunasRow
from search.storage.store import Store
from spaces.architecture import Architecture
from spaces.cost import NAMES as COST_NAMES
from spaces.cost import Cost
from spaces.errors import StudyError
from spaces.space import SearchSpace
from workers.measurement import Measurement
from workers.objectives import Objective
from workers.tasks import CLASSIFICATION

HEADLINE = CLASSIFICATION.headline
OURS = frozenset({ARCHITECTURE, optuna_rows.FIXED})  # of a row's system attributes, beside constraints


class Recorder:
    """Write one study's trials."""

    def __init__(
        self,
        store: Store,
        record: StudyRecord,
        space: SearchSpace,
        trials: Iterable[TrialRecord] = (),
        *,
        shared: bool = False,
    ) -> None:
        """Open Optuna's tables.

        Args:
            store: with our own.
            record: of the study.
            space: that trials are chosen from now.
            trials: that it has; some may have been chosen from another space.
            shared: other launches write to this study too.
        """
        self.store = store
        self.record = record
        self.shared = shared
        self.distributions = recorded_distributions(space.parameters, (trial.params for trial in trials))
        self.storage, self.optuna = open_optuna(store, record)
        self._study_id = self.storage.get_study_id_from_name(record.name)
        self._ids: dict[int, int] = {}
        self._attrs: dict[int, dict[str, Any]] = {}  # the sampler's, of rows that earlier launches wrote
        self._waiting: set[int] = set()  # in Optuna's tables

    def close(self) -> None:
        """Let go of the database; the store stays open."""
        self.storage.remove_session()
        self.storage.engine.dispose()

    def count(self) -> int:
        """Return how many trials have a number."""
        with self._speaking():
            return self.storage.get_n_trials(self._study_id)

    def reacquire_lock(self) -> None:
        """Make sure that nobody else holds the study."""
        self.store.reacquire_lock()

    def rejected(self, rejection: Rejection) -> None:
        """Record a proposal that never became a trial."""
        self.store.add_rejection(self.record.name, rejection)

    def start(self, proposal: Proposal, seeds: int, now: datetime, session: int | None = None) -> TrialRecord:
        """Record a new trial, and return it with its number.

        Args:
            proposal: what it trains.
            seeds: where those of the study begin; each trial's is its own, however often the study is launched.
            now: when it begins.
            session: the launch that begins it.
        """
        # Ours finds a number by an index; Optuna's tables have none, and to count its trials Optuna reads them all.
        if not self.shared and self.store.trial(self.record.name, len(self._ids)) is not None:
            raise StudyError("another launch writes to this study at the same time")
        seed = seeds + (self.count() if self.shared else len(self._ids))
        with self._speaking():
            number = self._add_row(proposal, seed, {**proposal.system_attrs, **constraint_attrs(proposal.constraints)})
        trial = TrialRecord(
            number=number,
            params=proposal.params,
            architecture=proposal.architecture,
            digest=proposal.digest,
            seed=seed,
            cost=proposal.cost,
            started_at=now,
            session=session,
        )
        self.store.add_trial(self.record.name, trial)
        return trial

    def _add_row(self, trial: Proposal | TrialRecord, seed: int, system_attrs: Mapping[str, Any]) -> int:
        """Add a running trial to Optuna's tables, and return the number that it has there."""
        row = create_trial(
            state=TrialState.RUNNING,
            params=dict(trial.params),
            distributions={name: self.distributions[name] for name in trial.params},
            user_attrs=_user_attrs(trial, seed),
            system_attrs={**system_attrs, ARCHITECTURE: json.dumps(trial.architecture.to_json())},
        )
        row_id = self.storage.create_new_trial(self._study_id, template_trial=row)
        number = self.storage.get_trial_number_from_id(row_id)
        self._ids[number] = row_id
        return number

    def measured(self, number: int, measurement: Measurement) -> bool:
        """Record one epoch; False where it was recorded already."""
        return self.store.add_measurement(self.record.name, number, measurement)

    def end(self, trial: TrialRecord, front: str | None = None) -> None:
        """Record a trial's end: its state, its reason, what it reached, and what the front is by it."""
        self.store.end_trial(
            self.record.name,
            trial.number,
            state=trial.state,
            reason=trial.reason,
            failure_kind=trial.failure_kind,
            failure_details=trial.failure_details,
            ended_at=trial.ended_at or datetime.now(UTC),
            front=front,
        )
        with self._speaking():
            self._tell(trial)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Say in our words what Optuna's tables complain of, which Optuna hides now and then."""
        with self.store.speaking():
            try:
                yield
            except StorageInternalError as error:
                raise error.__cause__ or error from error
            except KeyError as error:  # so does Optuna where there is no such study or trial
                gone = f"somebody took {self.record.name!r} out of Optuna's tables"
                raise StudyError(f"{gone}; launch it again") from error

    def _tell(self, trial: TrialRecord) -> None:
        """Bring Optuna's row to the end that ours has, unless another launch has just done it."""
        with suppress(UpdateFinishedTrialError):
            self._tell_optuna(trial)

    def _tell_optuna(self, trial: TrialRecord) -> None:
        row_id = self._id(trial.number)
        optuna_rows.describe(self.store, row_id, self._shown(trial))
        values = list(run_values(self.record, trial)) if trial.state is State.COMPLETE else None
        self.storage.set_trial_state_values(row_id, ENDS[trial.state], values)
        if trial.number in self._waiting:
            self._waiting.discard(trial.number)
            self._set_times(trial)

    def _shown(self, trial: TrialRecord) -> dict[str, Any]:
        """Return what was last measured of a trial, as attributes: Optuna keeps no values of one that was stopped."""
        names = [*(name for name in self.record.objectives if not self.record.objective(name).static), HEADLINE]
        last = trial.shown.metrics if trial.shown else {}
        shown = {f"last_{name}": last[name] for name in names if math.isfinite(last.get(name, math.nan))}
        shown |= {"trained_s": round(trial.trained_s, 3)} if trial.last else {}
        return {"epochs": trial.epochs, **({"reason": trial.reason} if trial.reason else {}), **shown}

    def _set_times(self, trial: TrialRecord) -> None:
        """Let a trial that waited have ended when its training did."""
        if trial.last and trial.last.at:
            began = trial.last.at - timedelta(seconds=trial.trained_s)
            optuna_rows.set_times(self.store, self._id(trial.number), began, trial.last.at)

    def rests(self, trial: TrialRecord) -> None:
        """Let Optuna's tables say that a trial waits, with what it has shown so far."""
        with self._speaking():
            optuna_rows.rest(self.store, self._id(trial.number), trial.params, self._shown(trial))
        self._waiting.add(trial.number)

    def goes_on(self, trial: TrialRecord) -> None:
        """Let Optuna's tables say that a trial trains again, and has begun as long ago as it has trained."""
        with self._speaking():
            began = datetime.now(UTC) - timedelta(seconds=trial.trained_s)  # by the clock that will say when it ended
            optuna_rows.go_on(self.store, self._id(trial.number), began)
        self._waiting.discard(trial.number)

    def _id(self, number: int) -> int:
        if number not in self._ids:
            self._ids[number] = self.storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return self._ids[number]

    def reconcile(self, trials: Mapping[int, TrialRecord]) -> list[TrialRecord]:
        """Take away what a crash between two writes left different, and return trials that only Optuna knew."""
        with self._speaking():
            return self._reconcile(trials)

    def _reconcile(self, trials: Mapping[int, TrialRecord]) -> list[TrialRecord]:
        missing: list[TrialRecord] = []
        for row in self._rows():
            self._ids[row.number] = row._trial_id
            if row.state is TrialState.WAITING:
                self._waiting.add(row.number)
            if attrs := _of_sampler(row):
                self._attrs[row.number] = attrs
            ours = trials.get(row.number)
            if ours is None:
                missing.append(self._adopt(row))
            elif ours.state is not State.RUNNING and not row.state.is_finished():
                self._tell(ours)
        for number in sorted(trials.keys() - self._ids.keys()):
            self._restore_row(trials[number])
        return missing

    def _rows(self) -> list[FrozenTrial]:
        """Return what stands in Optuna's table. Not by its study, which would keep it all in memory.

        Raises:
            StudyError: a row cannot be read.
        """
        try:
            return self.storage.get_all_trials(self._study_id, deepcopy=False)
        except DAMAGED:
            with closing(OptunasTables(self.store)) as tables:
                tables.trials(self.record.name)  # says which row, which Optuna does not
            raise

    def _restore_row(self, trial: TrialRecord) -> None:
        """Write again what somebody deleted from Optuna's tables, as its dashboard can; numbers must stay ours."""
        attrs = constraint_attrs({SPACE: 1.0}) if trial.outside else {}
        if self._add_row(trial, trial.seed, attrs) != trial.number:
            raise StudyError(f"trial {trial.number} is missing from Optuna's tables")
        if trial.state is not State.RUNNING:
            self._tell(trial)

    def _adopt(self, row: FrozenTrial) -> TrialRecord:
        """Record a trial that was started in Optuna's table when the driver died."""
        described = row.user_attrs
        if (told := described_of(row)) is None:
            raise StudyError(f"trial {row.number} in Optuna's tables was not made by this service")
        architecture = Architecture.from_json(json.loads(told))
        trial = TrialRecord(
            number=row.number,
            params=row.params,
            architecture=architecture,
            digest=architecture.digest,  # an older version's may be another
            seed=described["seed"],
            cost=_cost(described, self.record.measures),
            started_at=datetime.now(UTC),
        )
        self.store.add_trial(self.record.name, trial)
        # What stands there: it may have arrived before, and only the answer was lost.
        return self.store.trial(self.record.name, trial.number) or trial

    def sampler_attrs_of(self, number: int) -> dict[str, Any]:
        """Return what the sampler wanted remembered of one trial, perhaps another launch's."""
        with self._speaking():
            return _of_sampler(self.storage.get_trial(self._id(number)))

    def sampler_attrs(self) -> dict[int, dict[str, Any]]:
        """Return what the sampler wanted remembered of each trial that `reconcile` found, where that is anything."""
        return self._attrs


def _cost(described: Mapping[str, Any], measures: Mapping[str, Objective]) -> Cost:
    """Return the cost that a row's attributes tell; what an older version did not know is left out."""
    counted = {name: described[name] for name in COST_NAMES if name in described}
    own = [name for name, each in measures.items() if each.static and name not in COST_NAMES]
    return Cost(**counted, more={name: described[name] for name in own if name in described})


def _of_sampler(row: FrozenTrial) -> dict[str, Any]:
    return {
        key: value for key, value in row.system_attrs.items() if not key.startswith(CONSTRAINTS) and key not in OURS
    }


def _user_attrs(trial: Proposal | TrialRecord, seed: int) -> dict[str, Any]:
    return {
        ARCHITECTURE: name_of(trial.architecture),
        "digest": trial.digest,
        "seed": seed,
        **trial.cost.to_json(),
        **trial.cost.more,
        **_outside_attr(trial),
    }


def _outside_attr(trial: Proposal | TrialRecord) -> dict[str, str]:
    return {OUTSIDE: trial.outside} if isinstance(trial, TrialRecord) and trial.outside else {}


def constraint_attrs(constraints: Mapping[str, float]) -> dict[str, Any]:
    """Return constraints in the form Optuna 5 reads and in the older one that its dashboard reads."""
    if not constraints:
        return {}
    return {CONSTRAINTS: list(constraints.values())} | {f"{CONSTRAINTS}:{k}": v for k, v in constraints.items()}


SPACE = "space"  # the constraint that a trial breaks which the space as it is now cannot choose


def optunas_rows(
    space: SearchSpace, trials: Sequence[TrialRecord], constraints: Mapping[int, Mapping[str, float]]
) -> list[OptunasRow]:
    """Return what Optuna's tables tell of trials from a space that has changed.

    What is no member breaks a constraint there, which keeps it from the front: Optuna knows no other way to say so.

    Args:
        space: as it is now.
        trials: all of the study, as they are told now.
        constraints: by the number of a trial, by how much it oversteps each.

    Raises:
        InputError: a parameter is of numbers now, and trials have words.
    """
    wide = recorded_distributions(space.parameters, (trial.params for trial in trials))
    told = {name: distribution_to_json(each) for name, each in wide.items()}
    return [_optunas_row(trial, wide, told, constraints[trial.number]) for trial in trials]


def _optunas_row(
    trial: TrialRecord,
    wide: Mapping[str, BaseDistribution],
    told: Mapping[str, str],
    constraints: Mapping[str, float],
) -> OptunasRow:
    over = dict(constraints)
    if trial.outside and all(by <= 0 for by in over.values()):
        over[SPACE] = 1.0
    return OptunasRow(
        number=trial.number,
        params={name: (float(wide[name].to_internal_repr(value)), told[name]) for name, value in trial.params.items()},
        constraints=constraint_attrs(over),
        outside=trial.outside,
        fixed=dict(trial.params),
    )
