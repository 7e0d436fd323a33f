"""Learn from trials that ran out of memory which networks cannot fit, so that none of them is started."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from search.core.records import Rejection, TrialRecord
from search.core.units import format_count
from spaces.cost import Cost
from spaces.domains import Scalar
from workers.kinds import FailureKind

MEMORY = "memory"  # what a rejection by the ceiling oversteps


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The least estimate of training memory at which, so far, nothing fits."""

    training_bytes: int
    trial: int  # that ran out of memory there

    def violation(self, training_bytes: int) -> float:
        """Return by how much of the ceiling an estimate oversteps it; 0 is below it, and at it is over it."""
        return max(0.0, training_bytes / self.training_bytes - 1 + 1e-6)

    def against(self, params: Mapping[str, Scalar], cost: Cost) -> Rejection | None:
        """Return why a network is not started, or nothing where it may fit."""
        over = self.violation(cost.training_bytes)
        reason = self.reason(cost.training_bytes)
        return Rejection(params=params, violations={MEMORY: over}, reason=reason) if over else None

    def reason(self, training_bytes: int) -> str:
        """Return one line that says why a network is not started."""
        needed, known = format_count(training_bytes), format_count(self.training_bytes)
        return f"an estimated {needed}B of memory does not fit: trial {self.trial} ran out of memory at {known}B"


def ceiling_of(trials: Iterable[TrialRecord]) -> Ceiling | None:
    """Return the ceiling that trials have shown, or None where it takes more of them to tell.

    The estimate is not the need: where a larger one has been trained, a smaller failure teaches nothing. And one
    failure may be a neighbour's fault, so it takes two, and the larger of the two least is the ceiling.
    """
    ran_out, fits = [], 0
    for trial in trials:
        if trial.failure_kind == FailureKind.OUT_OF_MEMORY:
            ran_out.append((trial.cost.training_bytes, trial.number))
        elif trial.epochs:
            fits = max(fits, trial.cost.training_bytes)
    above = sorted(pair for pair in ran_out if pair[0] > fits)
    return Ceiling(training_bytes=above[1][0], trial=above[1][1]) if len(above) > 1 else None
