"""What a study has spent, over all its launches and in this one, and whether its budget allows more."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from search.core.budget import Budget, Rates, Spending, steady_clock
from search.core.records import Spent
from workers.measurement import Measurement


@dataclass(slots=True)
class Account:
    """The seconds and epochs of a study."""

    budget: Budget
    rates: Rates = field(default_factory=Rates)
    earlier_s: float = 0.0  # spent by launches before this one
    clock: Callable[[], datetime] = field(default_factory=steady_clock)
    spent: Spent = field(default_factory=Spent)  # by this launch
    running_s: float = 0.0  # from Ray's start to the last trial's end
    begun: Callable[[], int] = lambda: 0  # trials, over all launches
    trained_s: float = 0.0  # over all trials and launches, measuring included
    trained_epochs: int = 0
    began: datetime | None = None  # this launch
    starting_s: float = 0.0  # between then and when it trained its first trial
    _trains: bool = False  # or has trained

    def count(self, measurement: Measurement) -> None:
        """Add an epoch, whoever trained it."""
        self.count_again(1, measurement.wall_s)

    def count_again(self, epochs: int, seconds: float) -> None:
        """Add epochs that were trained once more: they were spent, although they are recorded once."""
        self.trained_epochs += epochs
        self.trained_s += seconds

    @property
    def seconds(self) -> float:
        """Return how long the study has been alive, over all launches, time between them left out."""
        return self.earlier_s + ((self.clock() - self.began).total_seconds() if self.began else 0.0)

    @property
    def studied_s(self) -> float:
        """Return how long the study has been alive, without what this launch took to start."""
        return max(0.0, self.seconds - self.starting_s)

    def look_at_start(self, *, trains: bool) -> None:
        """Count the time until now as this launch's start, as long as it trains nothing yet."""
        self._trains = self._trains or trains
        if not self._trains:
            self.starting_s = self.seconds - self.earlier_s

    @property
    def spending(self) -> Spending:
        """Return what is spent of whatever a budget can bound."""
        return Spending.of(
            trials=self.begun(),
            epochs=self.trained_epochs,
            trained_s=self.trained_s,
            seconds=self.seconds,
            rates=self.rates,
        )

    @property
    def budget_spent(self) -> bool:
        """Whether no further trial may begin."""
        return self.budget.ended_by(self.spending) is not None

    @property
    def cut_off(self) -> bool:
        """Whether time or money has run out; that no further trial is due stops none that runs."""
        return self.budget.ended_by(self.spending) not in (None, "trials")

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the seconds of a block to a part of `spent`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            setattr(self.spent, part, getattr(self.spent, part) + time.perf_counter() - began)
