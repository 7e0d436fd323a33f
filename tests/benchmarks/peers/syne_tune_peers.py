"""Syne Tune's methods for more than one objective: MOASHA, and expected hypervolume improvement.

Its schedulers are called as its Tuner calls them. Everything is minimised; parameters all exist at all times.
"""

from datetime import datetime
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, lograndint, loguniform, ordinal, randint, uniform
from syne_tune.optimizer.baselines import EHVI
from syne_tune.optimizer.scheduler import SchedulerDecision, TrialScheduler
from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA
from syne_tune.optimizer.schedulers.multiobjective.multiobjective_priority import NonDominatedPriority

from spaces.domains import Choice, Domain, Float
from tests.benchmarks.peers.axes import axes
from tests.benchmarks.peers.loop import MakePeer, Setting, Verdict, Work

EPOCH = "epoch"


def config_space(setting: Setting) -> dict[str, Any]:
    """Return Syne Tune's words for the domains."""
    return {item.name: _domain(item.domain) for item in setting.rows.parameters}


def _domain(domain: Domain) -> Any:
    if isinstance(domain, Choice):
        if any(isinstance(each, (bool, str)) for each in domain.options):
            return choice(list(domain.options))
        return ordinal([float(each) for each in domain.options])
    if isinstance(domain, Float):
        if domain.step is not None:
            return ordinal([float(each) for each in domain.values()])
        return (loguniform if domain.log else uniform)(domain.low, domain.high)
    if domain.step > 1:
        return ordinal(list(domain.values()))
    return (lograndint if domain.log else randint)(domain.low, domain.high)


class SyneTunePeer:
    """Ask a scheduler; tell it of every epoch, or of the last alone."""

    resumes = False

    def __init__(self, setting: Setting, scheduler: TrialScheduler, *, stops: bool, scaled: bool = False) -> None:
        self.setting = setting
        self.scheduler = scheduler
        self.stops = stops
        self.axes = axes(setting.recordings)
        self.scaled = scaled
        self.trials: dict[int, Trial] = {}

    def ask(self, number: int) -> Work:
        suggestion = self.scheduler.suggest()
        trial = self.trials[number] = Trial(number, suggestion.config, datetime.min)
        self.scheduler.on_trial_add(trial)
        return number, self.setting.rows.row(suggestion.config)

    def report(self, number: int, epoch: int, values: list[float]) -> Verdict:
        if not self.stops:
            return Verdict.GO
        decision = self.scheduler.on_trial_result(self.trials[number], self._result(epoch, values))
        return Verdict.STOP if decision == SchedulerDecision.STOP else Verdict.GO

    def end(self, number: int, epoch: int, values: list[float]) -> None:
        if epoch < self.setting.max_epochs:
            self.scheduler.on_trial_remove(self.trials[number])
        else:
            self.scheduler.on_trial_complete(self.trials[number], self._result(epoch, values))

    def fail(self, number: int) -> None:
        self.scheduler.on_trial_error(self.trials[number])

    def _result(self, epoch: int, values: list[float]) -> dict[str, Any]:
        """Return what is minimised; scaled, in [-3, -2]: for EHVI the worst is -2, whatever the objectives are."""
        told = [
            axis.unit(value) - 3 if self.scaled else axis.sign * value
            for axis, value in zip(self.axes, values, strict=True)
        ]
        return {EPOCH: epoch} | dict(zip(_metrics(self.setting), told, strict=True))


def _metrics(setting: Setting) -> list[str]:
    return [objective.name for objective in setting.recordings.objectives]


class Ranks(NonDominatedPriority):
    """Return every item's place, as MOASHA reads it: what it ships returns which item stands at every place."""

    def priority_unsafe(self, objectives: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the place `t` of each trial by its objectives `t m`."""
        return np.argsort(super().priority_unsafe(objectives))


def _moasha(setting: Setting, priority: NonDominatedPriority | None = None) -> SyneTunePeer:
    np.random.seed(setting.seed)  # from which MOASHA draws, whatever its own seed
    scheduler = MOASHA(
        config_space(setting),
        _metrics(setting),
        time_attr=EPOCH,
        multiobjective_priority=priority,
        max_t=setting.max_epochs,
        grace_period=1,
        reduction_factor=3,
        random_seed=setting.seed,
    )
    return SyneTunePeer(setting, scheduler, stops=True)


def _ehvi(setting: Setting, *, scaled: bool = False) -> SyneTunePeer:
    torch.set_default_dtype(torch.float64)  # its own mixture of two precisions is refused by BoTorch 0.18
    np.random.seed(setting.seed)  # from which it draws its first trials
    scheduler = EHVI(config_space(setting), _metrics(setting), random_seed=setting.seed)
    return SyneTunePeer(setting, scheduler, stops=False, scaled=scaled)


PEERS: dict[str, MakePeer] = {
    "syne-tune-moasha": _moasha,
    "syne-tune-moasha-ranked": lambda setting: _moasha(setting, Ranks()),
    "syne-tune-ehvi": _ehvi,
    "syne-tune-ehvi-scaled": lambda setting: _ehvi(setting, scaled=True),
}
