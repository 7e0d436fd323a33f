"""Guess how long a study will still take: by the epochs that its plan still takes, at this launch's own pace."""

import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter

from search.core.records import Event, EventKind
from search.core.units import format_number_of
from search.study.running import RunningStudy

FEWEST = 3  # epochs after the first that a pace is told by
Range = tuple[float, float]  # seconds: the least and the most that is expected


@dataclass(slots=True)
class Forecast:
    """Remember when this launch heard of its first epoch: what was before it is no pace."""

    clock: Callable[[], float] = field(default=time.monotonic)
    _since: tuple[float, int] | None = None  # when it was heard, and how many were trained then
    _began: int | None = None
    _passed: list[tuple[float, int]] = field(default_factory=list)  # when so many epochs were trained

    def left_s(self, study: RunningStudy) -> float | None:
        """Return the seconds until the budget that ends first, or None where nobody can tell yet."""
        pace = self._pace(study.account.trained_epochs)
        guesses = [self._by_clock(study), self._by_epochs(study, pace)]
        return min((guess for guess in guesses if guess is not None), default=None)

    def range_s(self, study: RunningStudy) -> Range | None:
        """Return the least and the most seconds that a study is expected to take until its budget ends.

        The launch's own pace and that of its last half are the two; at the end fewer workers have something to do, so
        it takes no less than the longest that a running trial still needs.
        """
        left = self.left_s(study)
        if left is None:
            return None
        guesses = [left]
        recent = self._recent_pace()
        if self._by_clock(study) is None and recent is not None:
            guesses += [guess for guess in (self._by_epochs(study, recent),) if guess is not None]
            guesses.append(max(_rest_s(study), default=0.0))
        return min(guesses[:2]), max(guesses)

    def _recent_pace(self) -> float | None:
        """Return the epochs in a second of the last half of those that this launch has trained."""
        if not self._passed:
            return None
        now, trained = self._passed[-1]
        middle = bisect_left(self._passed, (trained + self._passed[0][1]) / 2, key=itemgetter(1))
        then, before = self._passed[middle]
        return (trained - before) / (now - then) if now > then and trained - before >= FEWEST else None

    def _pace(self, trained: int) -> float | None:
        """Return the epochs in a second since the first of this launch."""
        if self._began is None:
            self._began = trained
        if self._since is None:
            self._since = (self.clock(), trained) if trained > self._began else None
            return None
        if not self._passed or trained > self._passed[-1][1]:
            self._passed.append((self.clock(), trained))
        passed_s, epochs = self.clock() - self._since[0], trained - self._since[1]
        return epochs / passed_s if epochs >= FEWEST and passed_s > 0 else None

    def _by_clock(self, study: RunningStudy) -> float | None:
        """Return what budgets of time and money have left, each by its own pace."""
        used = study.account.budget.used(study.account.spending)
        seconds = study.account.spending.hours * 3600
        spent = [(amount, limit) for name, amount, limit in used if name not in ("trials", "epochs") and amount]
        return min((max(0.0, seconds * (limit - amount) / amount) for amount, limit in spent), default=None)

    def _by_epochs(self, study: RunningStudy, pace: float | None) -> float | None:
        limit = epochs_in_all(study)
        left = 0.0 if limit is None else limit - study.account.trained_epochs
        return left / pace if left > 0 and pace else None  # beyond its plan nobody can tell


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
