"""Guess how long a study will still take: by the epochs that its plan still takes, at this launch's own pace."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from search.core.pace import left_s
from search.core.records import Event, EventKind
from search.core.units import format_number_of
from search.study.running import RunningStudy

Range = tuple[float, float]  # seconds: the least and the most that is expected


@dataclass(slots=True)
class Forecast:
    """Remember when this launch heard of each of its epochs: what was before the first is no pace."""

    clock: Callable[[], float] = field(default=time.monotonic)
    _before: int | None = None  # epochs that were trained when this launch began
    _moments: list[float] = field(default_factory=list)  # of each epoch of this launch

    def range_s(self, study: RunningStudy) -> Range | None:
        """Return the least and the most seconds until the budget that ends first, or None where nobody can tell yet.

        At the end fewer workers have something to do, so it takes no less than the longest that a running trial needs.
        """
        self.hear(study)
        by_clock, left = self._by_clock(study), self._epochs_left(study)
        by_pace = None if left is None else left_s(self._moments, left)
        if by_pace is None:
            return None if by_clock is None else (by_clock, by_clock)
        low, high = by_pace[0], max(by_pace[1], *_rest_s(study), 0.0)
        return (low, high) if by_clock is None else (min(low, by_clock), min(high, by_clock))

    def hear(self, study: RunningStudy) -> None:
        """Note the moment, if the study has trained more epochs; to be called often, as moments are the pace."""
        trained = study.account.trained_epochs
        self._before = trained if self._before is None else self._before
        new = trained - self._before - len(self._moments)
        self._moments += [self.clock()] * new

    def _by_clock(self, study: RunningStudy) -> float | None:
        """Return what budgets of time and money have left, each by its own pace."""
        used = study.account.budget.used(study.account.spending)
        seconds = study.account.spending.hours * 3600
        spent = [(amount, limit) for name, amount, limit in used if name not in ("trials", "epochs") and amount]
        return min((max(0.0, seconds * (limit - amount) / amount) for amount, limit in spent), default=None)

    def _epochs_left(self, study: RunningStudy) -> float | None:
        """Return the epochs that the plan still takes; beyond it nobody can tell."""
        limit = epochs_in_all(study)
        left = 0.0 if limit is None else limit - study.account.trained_epochs
        return left if left > 0 else None


@dataclass(slots=True)
class PlannedEpochs:
    """Tell of the epochs that a study plans, and again whenever they change, for whoever shows it."""

    study: RunningStudy
    _told: str = ""

    def tell(self) -> None:
        """Record what is planned now, if that is news."""
        limit = epochs_in_all(self.study)
        if limit is None:
            return
        text = format_number_of("epoch", round(limit)).replace(",", "")
        if text != self._told:
            self._told = text
            self.study.outbox.happened(Event(at=self.study.clock(), kind=EventKind.PLANNED, text=text))


def epochs_in_all(study: RunningStudy) -> float | None:
    """Return the epochs after which a study ends, by its plan or its budget; None where neither has a limit."""
    limits = [planned_epochs(study), study.account.budget.epochs]
    return min((float(limit) for limit in limits if limit is not None), default=None)


def _rest_s(study: RunningStudy) -> list[float]:
    """Return for each trial that trains what is left of its full training, at its own pace."""
    trials = [study.trials[number] for number in study.at_work]
    return [
        each.trained_s / each.epochs * (study.record.max_epochs - each.epochs) for each in trials if each.measurements
    ]


def planned_epochs(study: RunningStudy) -> float | None:
    """Return the epochs that all trials will have been trained together; None where their number has no limit."""
    trials = len(study.trials) if study.exhausted else study.account.budget.trials
    return None if trials is None else study.scheduler.planned_epochs(trials)
