"""Trials that wait for a worker: those of earlier launches, and those that failed for no fault of their own."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from search.core.records import TrialRecord
from spaces.errors import TrialFailure
from workers.kinds import FailureKind

ATTEMPTS = 3  # times a trial is handed out again after a failure that was not its own
BACK_OFF_S = 2.0  # before the first of them; four times as long before each one after


@dataclass(slots=True)
class Queue:
    """First come, first served, but that a trial which failed for its machine waits a while."""

    clock: Callable[[], datetime]
    fresh: set[int] = field(default_factory=set)  # trials whose worker crashed or hung: a fresh one tells whose fault
    alone: set[int] = field(default_factory=set)  # trials that failed with others of their process
    _waiting: deque[int] = field(default_factory=deque)
    _not_before: dict[int, datetime] = field(default_factory=dict)
    _tries: dict[int, tuple[int, int]] = field(default_factory=dict)  # at which epoch, and how many
    _killed: set[int] = field(default_factory=set)  # whose worker was ended for the machine's memory once

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def __iter__(self) -> Iterator[int]:
        """Iterate over their numbers, first come first."""
        return iter(self._waiting)

    def put(self, number: int) -> None:
        """Let a trial wait, behind the others."""
        self._waiting.append(number)

    def put_first(self, number: int) -> None:
        """Let a trial wait, before the others."""
        self._waiting.appendleft(number)

    def discard(self, number: int) -> None:
        """Let a trial wait no more."""
        if number in self._waiting:
            self._waiting.remove(number)

    def take(self, fits: Callable[[int], bool] = lambda _number: True) -> int | None:
        """Return the first trial that fits and whose time has come, which waits no more; None where there is none."""
        now = self.clock()
        come = (number for number in self._waiting if self._not_before.get(number, now) <= now)
        ready = next(filter(fits, come), None)
        if ready is not None:
            self._waiting.remove(ready)
        return ready

    def take_first(self) -> int:
        """Return the first trial, whether its time has come or not; it waits no more."""
        return self._waiting.popleft()

    def restore(self, trial: TrialRecord) -> None:
        """Let a trial of an earlier launch wait; the attempts that it had count until its next epoch."""
        self._tries[trial.number] = (trial.epochs, min(trial.attempts, ATTEMPTS))
        self.put(trial.number)

    def progressed(self, number: int) -> None:
        """Hear that a trial has come an epoch further: another crash is another one."""
        self.fresh.discard(number)
        self.alone.discard(number)

    def single(self, number: int) -> bool:
        """Whether a trial is to be trained with no other in its process, until it has come an epoch further."""
        return number in self.fresh or number in self.alone

    def retry(self, trial: TrialRecord, failure: TrialFailure) -> TrialFailure | None:
        """Let a trial wait for another worker, and return None; or the failure that it ends with."""
        number, kind = trial.number, FailureKind.of(failure.kind)
        if kind is FailureKind.KILLED and number in self._killed:  # once may be a neighbour's fault
            return TrialFailure(FailureKind.OUT_OF_MEMORY, f"{failure.message}, for the second time", failure.details)
        if kind is FailureKind.TOGETHER:
            self.alone.add(number)
        elif kind.transient and (tries := self._tries_since_progress(trial)) < ATTEMPTS:
            self._not_before[number] = self.clock() + timedelta(seconds=BACK_OFF_S * 4**tries)
            self._tries[number] = (trial.epochs, tries + (kind is not FailureKind.PREEMPTED))
        elif kind.suspect and number not in self.fresh:
            self.fresh.add(number)
        else:
            return failure
        if kind is FailureKind.KILLED:
            self._killed.add(number)
        self.put(number)
        return None

    def _tries_since_progress(self, trial: TrialRecord) -> int:
        """Return how often a trial has failed for its machine since its last epoch: after it they count anew."""
        epochs, tries = self._tries.get(trial.number, (trial.epochs, 0))
        return tries if epochs == trial.epochs else 0
