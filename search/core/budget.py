"""When a study ends, and what it has spent so far."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta


def steady_clock(
    now: Callable[[], datetime] = lambda: datetime.now(UTC), monotonic: Callable[[], float] = time.monotonic
) -> Callable[[], datetime]:
    """Return a clock that begins with the machine's and then goes on at an even pace.

    Whoever moves the machine's clock, a person or a time server, neither spends a budget nor makes a trial wait.
    """
    began, at = now(), monotonic()
    return lambda: began + timedelta(seconds=monotonic() - at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What an hour of one trial's training takes."""

    gpus: float = 0.0
    price: float = 0.0  # in the file's own currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Add up what a study has spent over all its launches; the time between them is left out."""

    trials: int = 0  # handed out
    epochs: int = 0  # trained
    gpu_hours: float = 0.0  # that trials held GPUs for while they trained and were measured
    hours: float = 0.0  # by the clock
    cost: float = 0.0

    @classmethod
    def of(cls, *, trials: int, epochs: int, trained_s: float, seconds: float, rates: Rates) -> "Spending":
        """Return what so many seconds, of training and by the clock, come to."""
        hours = trained_s / 3600
        return cls(
            trials=trials,
            epochs=epochs,
            gpu_hours=hours * rates.gpus,
            hours=seconds / 3600,
            cost=hours * rates.price,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a study hands out no further trial: whichever comes first."""

    trials: int | None = None
    epochs: int | None = None
    gpu_hours: float | None = None
    hours: float | None = None
    cost: float | None = None

    def used(self, spending: Spending) -> Iterator[tuple[str, float, float]]:
        """Yield each budget's name, what is spent of it, and how much there is."""
        for item in fields(self):
            limit = getattr(self, item.name)
            if limit is not None:
                yield item.name, getattr(spending, item.name), limit

    def ended_by(self, spending: Spending) -> str | None:
        """Return the name of a budget that is used up, or None; one of trials comes last, as it stops none of them."""
        over = [name for name, amount, limit in self.used(spending) if amount >= limit]
        return max(over, key=lambda name: name != "trials", default=None)
