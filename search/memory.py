"""Learn from trials that ran out of memory which networks cannot fit, so that none of them is started."""

from collections.abc import Iterable
from dataclasses import dataclass

from search.trial import TrialRecord
from search.units import format_count

OUT_OF_MEMORY = "out-of-memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """Hold the least estimate of training memory at which, so far, nothing fits."""

    training_bytes: int
    trial: int  # that ran out of memory there

    def violation(self, training_bytes: int) -> float:
        """Return by how much of the ceiling an estimate oversteps it; 0 is below it, and at it is over it."""
        return max(0.0, training_bytes / self.training_bytes - 1 + 1e-6)

    def reason(self, training_bytes: int) -> str:
        """Return one line that says why a network is not started."""
        needed, known = format_count(training_bytes), format_count(self.training_bytes)
        return f"up to {needed}B of memory would not fit: trial {self.trial} ran out with {known}B"


def ceiling_of(trials: Iterable[TrialRecord]) -> Ceiling | None:
    """Return the ceiling that trials have shown, or None where none ran out of memory.

    The estimate is not the need: where a larger one has been trained since, a smaller failure teaches nothing.
    """
    ran_out, fits = [], 0
    for trial in trials:
        if trial.failure_kind == OUT_OF_MEMORY:
            ran_out.append((trial.cost.training_bytes, trial.number))
        elif trial.epochs:
            fits = max(fits, trial.cost.training_bytes)
    least = min((pair for pair in ran_out if pair[0] > fits), default=None)
    return Ceiling(training_bytes=least[0], trial=least[1]) if least else None
