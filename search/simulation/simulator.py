"""Run a study by a simulated clock over recorded trainings: its real sampler, proposer and rungs, no Ray, no waiting.

Workers are free or train; whatever happens next in simulated time happens next here. What comes at the same moment
comes in the order in which it was begun.
"""

import heapq
import math
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler

from search.config.replay import ReplayForm
from search.core.budget import Budget, Rates
from search.core.records import State, StudyRecord, TrialRecord
from search.samplers.proposer import Proposer
from search.samplers.registry import distributions, make_sampler
from search.schedulers.registry import Plan
from search.simulation.recordings import RecordedCatalogue, Recordings
from search.study.accounting import Account
from search.study.recording import Ledger
from search.study.running import Nothing, RunningStudy
from spaces.errors import TrialFailure
from workers.kinds import FailureKind
from workers.tasks import CLASSIFICATION

START = datetime(2000, 1, 1, tzinfo=UTC)
RECORDED = "recorded"  # a sampler: the networks in the order of the table
UNRECORDED = "unrecorded"  # a failure: the training goes no further in the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Name how a simulated study proposes and stops."""

    sampler: str
    plan: Plan
    rates: Rates = field(default_factory=Rates)  # of one trial's training
    limit_s: float | None = None  # seconds of training that one trial may take

    @property
    def name(self) -> str:
        """Return both names as one."""
        return f"{self.sampler}+{self.plan.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One trial of a simulated study."""

    number: int
    network: int  # its place in the recordings
    params: Mapping[str, object]
    seed: int  # which of the network's trainings
    epochs: int
    spent_epochs: int  # by all trials together until it ended
    began_s: float
    ended_s: float
    state: State
    reason: str


def policy(form: ReplayForm, recordings: Recordings, sampler: str, scheduler: str) -> Policy:
    """Return a policy with the scheduler that a file asks for, its rungs at recorded epochs."""
    given = form.scheduler.model_copy(update={"name": scheduler, "max_epochs": recordings.epochs[-1]})
    plan = given.plan(None if recordings.classes is None else CLASSIFICATION.chance(recordings.classes))
    levels = {_recorded(recordings, level) for level in plan.levels} - {recordings.epochs[-1]}
    return Policy(
        sampler=sampler,
        plan=replace(plan, levels=tuple(sorted(levels))),
        rates=form.resources.rates,
        limit_s=form.resources.limit_s,
    )


def _recorded(recordings: Recordings, epoch: int) -> int:
    """Return the first recorded epoch that is no earlier."""
    return next(each for each in recordings.epochs if each >= epoch)


def simulate(recordings: Recordings, how: Policy, budget: Budget, *, workers: int, seed: int) -> list[Course]:
    """Return a simulated study's trials in the order in which they ended.

    Args:
        recordings: what trainings show.
        how: proposals and stops are made.
        budget: of the study.
        workers: that train at the same time.
        seed: of the sampler, and of which recorded training a trial is.
    """
    return _Simulation(recordings, how, budget, workers, seed).run()


class _InOrder(RandomSampler):
    """Propose the networks of a table in its order."""

    def __init__(self, catalogue: RecordedCatalogue) -> None:
        super().__init__(seed=0)
        self._distributions = distributions(catalogue.parameters)
        self._left = catalogue.members()

    def infer_relative_search_space(self, *_trial: object) -> dict[str, BaseDistribution]:
        """Return every parameter."""
        return self._distributions

    def sample_relative(self, *_trial: object) -> dict[str, Any]:
        """Return the next network's parameters; when all have been, anything."""
        return next(self._left, {})


@dataclass(slots=True)
class _Simulation:
    recordings: Recordings
    how: Policy
    budget: Budget
    free: int
    seed: int
    now_s: float = 0.0
    study: RunningStudy = field(init=False)
    catalogue: RecordedCatalogue = field(init=False)
    _events: list[tuple[float, int, int]] = field(default_factory=list)  # when, in what order, of which trial
    _trainings: dict[int, tuple[int, int]] = field(default_factory=dict)  # each trial's network and seed
    _steps: Counter[int] = field(default_factory=Counter)  # how many of its recorded epochs each trial has behind it
    _began_s: dict[int, float] = field(default_factory=dict)  # when each trial would have begun, had it never rested
    _latest: dict[int, tuple[int, float]] = field(default_factory=dict)  # epochs of all trials and seconds, at its last
    _order: int = 0
    _epochs: int = 0

    def __post_init__(self) -> None:
        self.catalogue = RecordedCatalogue(self.recordings)
        record = record_of(self.recordings, self.how.plan.levels)
        self.study = RunningStudy(
            record=record,
            outbox=Ledger(),
            proposer=self._proposer(),
            scheduler=self.how.plan.make(record),
            account=Account(
                budget=self.budget,
                rates=self.how.rates,
                clock=lambda: START + timedelta(seconds=self.now_s),
            ),
            limit_s=self.how.limit_s,
            seed=self.seed,
        )
        self.study.restore([], [])

    def _proposer(self) -> Proposer:
        sampler = (
            _InOrder(self.catalogue)
            if self.how.sampler == RECORDED
            else make_sampler(self.how.sampler, self.seed, self.catalogue, self.catalogue.coordinates())
        )
        directions = [objective.direction for objective in self.recordings.objectives]
        return Proposer(self.catalogue, sampler, directions, self.seed)

    def run(self) -> list[Course]:
        """Let every event happen."""
        self._fill()
        while self._events:
            self.now_s, _, number = heapq.heappop(self._events)
            if self._goes_on(number):
                self._await(number)
            else:
                self.free += 1
                self._fill()
        numbers = sorted(self.study.trials, key=lambda number: self._latest[number])  # some rest: the budget has ended
        return [self._course(self.study.trials[number]) for number in numbers]

    def _fill(self) -> None:
        """Give every free worker a trial, as long as there are any."""
        while self.free:
            trial = self.study.hand_out()
            if isinstance(trial, Nothing):
                return
            if self._ended(trial.number):  # it rested, and its recorded training goes no further
                self._fail_unrecorded(trial.number)
                continue
            self.free -= 1
            if trial.number not in self._trainings:
                network = self.catalogue.index(trial.params)
                seed = random.Random(trial.seed).randrange(int(self.recordings.seeds[network]))
                self._trainings[trial.number] = network, seed
            self._began_s[trial.number] = self.now_s - self._trained_s(trial.number)
            self._await(trial.number)

    def _await(self, number: int) -> None:
        """Let the trial's next epoch end when it takes as long as it did."""
        self._order += 1
        ends_s = self._began_s[number] + self._trained_s(number, more=1)
        heapq.heappush(self._events, (ends_s, self._order, number))

    def _trained_s(self, number: int, more: int = 0) -> float:
        """Return how long a trial has trained, or will have after some more of its recorded epochs."""
        network, seed = self._trainings[number]
        steps = self._steps[number] + more
        return float(self.recordings.seconds[network, seed, steps - 1]) if steps else 0.0

    def _goes_on(self, number: int) -> bool:
        """Tell the study of the epoch that has just ended, and say whether the trial has another one."""
        network, seed = self._trainings[number]
        measurement = self.recordings.measurement(network, seed, self._steps[number])
        trained = range(self.study.trials[number].epochs + 1, measurement.epoch + 1)
        self._steps[number] += 1
        self._epochs += len(trained)
        self._latest[number] = self._epochs, self.now_s
        if any(map(math.isnan, measurement.metrics.values())):
            self.study.failed(number, TrialFailure(FailureKind.NOT_FINITE, f"epoch {measurement.epoch}"))
            return False
        for epoch in trained[:-1]:  # of which nothing is recorded, so that no scheduler can decide by it
            self.study.measured(number, replace(measurement, epoch=epoch, train_s=0.0, metrics={}))
        if self.study.measured(number, measurement).stop:
            return False
        if self._ended(number):
            self._fail_unrecorded(number)
            return False
        return True

    def _ended(self, number: int) -> bool:
        """Whether a trial has trained all that is recorded."""
        return number in self._trainings and self._steps[number] == self.recordings.steps[self._trainings[number]]

    def _fail_unrecorded(self, number: int) -> None:
        self.study.failed(number, TrialFailure(UNRECORDED, "nothing more is recorded of this training"))

    def _course(self, trial: TrialRecord) -> Course:
        network, seed = self._trainings[trial.number]
        spent_epochs, ended_s = self._latest[trial.number]
        return Course(
            number=trial.number,
            network=network,
            params=trial.params,
            seed=seed,
            epochs=trial.epochs,
            spent_epochs=spent_epochs,
            began_s=((trial.started_at or START) - START).total_seconds(),
            ended_s=ended_s,
            state=trial.state,
            reason=trial.reason,
        )


def record_of(recordings: Recordings, levels: tuple[int, ...]) -> StudyRecord:
    """Return the study that a replay is."""
    return StudyRecord(
        name=recordings.name,
        objectives=tuple(objective.name for objective in recordings.objectives),
        space={},
        config={},
        max_epochs=recordings.epochs[-1],
        rungs=levels,
        classes=recordings.classes or 2,
        image=(0, 0, 0),
        bounds={},
        measures={objective.name: objective for objective in recordings.objectives},
    )
