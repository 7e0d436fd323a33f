"""Run a study by a simulated clock over recorded trainings: its real sampler, proposer and rungs, no Ray, no waiting.

Workers are free or train; whatever happens next in simulated time happens next here. What comes at the same moment
comes in the order in which it was begun.
"""

import heapq
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler

from search.budget import Budget
from search.ledger import Ledger
from search.proposer import Proposer
from search.recordings import RecordedCatalogue, RecordedStudy, Recordings
from search.replay_forms import ReplayForm
from search.rungs import Rungs, rung_levels, share_kept
from search.running import Nothing, RunningStudy
from search.samplers import distributions, make_sampler
from search.trial import State, TrialRecord
from spaces.errors import TrialFailure

START = datetime(2000, 1, 1, tzinfo=UTC)
RECORDED = "recorded"  # a sampler: the networks in the order of the table
UNRECORDED = "unrecorded"  # a failure: the training goes no further in the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Name how a simulated study proposes and stops."""

    sampler: str
    rungs: Rungs

    @property
    def name(self) -> str:
        """Return both names as one."""
        return f"{self.sampler}+{self.rungs.rule}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Hold one trial of a simulated study."""

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
    """Return a policy with the rungs that a file asks for, at recorded epochs."""
    given, chance = form.scheduler, None if recordings.classes is None else 1 / recordings.classes
    wanted = rung_levels(given.grace_epochs, recordings.epochs[-1], given.reduction_factor)
    rungs = Rungs(
        rule=scheduler,
        levels=tuple(sorted({_step(recordings, level) for level in wanted} - {len(recordings.epochs)})),
        keep=share_kept(scheduler, given.reduction_factor, given.keep),
        floor_accuracy=-1.0 if chance is None else chance + given.floor * (1 - chance),
    )
    return Policy(sampler=sampler, rungs=rungs)


def _step(recordings: Recordings, epoch: int) -> int:
    """Return the number of the first recorded epoch that is no earlier."""
    return next(number for number, each in enumerate(recordings.epochs, 1) if each >= epoch)


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
    _trainings: dict[int, tuple[int, int]] = field(default_factory=dict)  # network and seed of each running trial
    _spent: dict[int, int] = field(default_factory=dict)  # epochs of all trials together at a trial's latest
    _order: int = 0
    _epochs: int = 0

    def __post_init__(self) -> None:
        self.catalogue = RecordedCatalogue(self.recordings)
        self.study = RunningStudy(
            record=record_of(self.recordings, self.how.rungs),
            outbox=Ledger(),
            proposer=self._proposer(),
            rungs=self.how.rungs,
            budget=self.budget,
            seed=self.seed,
            clock=lambda: START + timedelta(seconds=self.now_s),
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
        resting = sorted(self.study.trials.running)  # when the budget ended
        return [self._course(self.study.trials[number]) for number in (*self.study.trials.ended, *resting)]

    def _fill(self) -> None:
        """Give every free worker a trial, as long as there are any."""
        while self.free:
            trial = self.study.hand_out()
            if isinstance(trial, Nothing):
                return
            self.free -= 1
            network = self.catalogue.index(trial.params)
            seed = random.Random(trial.seed).randrange(int(self.recordings.seeds[network]))
            self._trainings[trial.number] = network, seed
            self._await(trial.number)

    def _await(self, number: int) -> None:
        """Let the trial's next epoch end when it takes as long as it did."""
        network, seed = self._trainings[number]
        step, started = self.study.trials[number].epochs, self.study.trials[number].started_at or START
        self._order += 1
        ends_s = (started - START).total_seconds() + float(self.recordings.seconds[network, seed, step])
        heapq.heappush(self._events, (ends_s, self._order, number))

    def _goes_on(self, number: int) -> bool:
        """Tell the study of the epoch that has just ended, and say whether the trial has another one."""
        network, seed = self._trainings[number]
        step = self.study.trials[number].epochs
        measurement = self.recordings.measurement(network, seed, step)
        self._epochs += self.recordings.epochs[step] - (self.recordings.epochs[step - 1] if step else 0)
        self._spent[number] = self._epochs
        if any(value != value for value in measurement.values.values()):
            self.study.failed(number, TrialFailure("not-finite", f"epoch {self.recordings.epochs[step]}"))
            return False
        if self.study.measured(number, measurement).stop:
            return False
        if step + 1 == self.recordings.steps[network, seed]:
            self.study.failed(number, TrialFailure(UNRECORDED, "nothing more is recorded of this training"))
            return False
        return True

    def _course(self, trial: TrialRecord) -> Course:
        network, seed = self._trainings[trial.number]
        began_s = ((trial.started_at or START) - START).total_seconds()
        return Course(
            number=trial.number,
            network=network,
            params=trial.params,
            seed=seed,
            epochs=self.recordings.epochs[trial.epochs - 1] if trial.epochs else 0,
            spent_epochs=self._spent.get(trial.number, 0),
            began_s=began_s,
            ended_s=began_s
            + (float(self.recordings.seconds[network, seed, trial.epochs - 1]) if trial.epochs else 0.0),
            state=trial.state,
            reason=trial.reason,
        )


def record_of(recordings: Recordings, rungs: Rungs) -> RecordedStudy:
    """Return the study that a replay is."""
    return RecordedStudy(
        name=recordings.name,
        objectives=tuple(objective.name for objective in recordings.objectives),
        space={},
        config={},
        max_epochs=len(recordings.epochs),
        rungs=rungs.levels,
        classes=recordings.classes or 2,
        image=(0, 0, 0),
        bounds={},
        measures={objective.name: objective for objective in recordings.objectives},
    )
