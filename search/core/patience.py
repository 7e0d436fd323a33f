"""How long a trial may take before it counts as stuck: bounds from the file, and from what epochs have taken here."""

from collections.abc import Iterable
from dataclasses import dataclass

from search.core.records import TrialRecord
from search.core.units import format_duration
from workers.pulse import COMPILING, EXAMINING, LOADING

LEAST_S = 60.0  # no bound that is learned is below: a machine may stand still for that long
LOADING_TIMES = 4.0  # of the silence allowed elsewhere: nothing beats while data are read
ROOM_TO_A_RUNG = 1.5  # times what the epochs to the next rung are expected to take


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The bounds of a file, in seconds; None switches one off."""

    silence_s: float | None = 300.0  # without a step
    epoch_slack: float | None = 10.0  # times what an epoch of such a cost is expected to take
    first_epoch_s: float | None = 3600.0  # as long as no epoch is known
    grace_s: float = 30.0  # beyond hours_per_trial and a budget of time or money

    def epoch_s(self, expected_s: float | None) -> float | None:
        """Return how long an epoch may take, by what it is expected to take."""
        if expected_s is None:
            return self.first_epoch_s
        return None if self.epoch_slack is None else LEAST_S + self.epoch_slack * expected_s

    def silent_s(self, phase: str, expected_s: float | None) -> float | None:
        """Return how long a trial may give no sign of life: a step takes no longer than an epoch, to compile it may."""
        if phase == COMPILING:
            return None if self.silence_s is None else self.silence_s * LOADING_TIMES
        bounds = [self.silence_s, self.epoch_s(expected_s) if expected_s is not None else None]
        known = [bound for bound in bounds if bound is not None]
        return min(known) * (LOADING_TIMES if phase in (LOADING, EXAMINING) else 1.0) if known else None


def expected_epoch_s(trial: TrialRecord, others: Iterable[TrialRecord]) -> float | None:
    """Return what an epoch of a trial is expected to take: its own longest, else by the macs of what was trained.

    Networks cost a part that grows with their macs and a part that does not, so the longest epoch of any network at
    least as small, scaled by macs, is an upper estimate; without one, the longest of all. A trial that was measured
    after none of its epochs does not tell what one takes that it is measured after.
    """
    own_s = _longest_s(trial)
    if trial.shown:
        return own_s
    known = [(other.cost.macs, _longest_s(other)) for other in others if other.shown]
    if not known:
        return None
    return max(own_s, *(took_s * max(1.0, trial.cost.macs / macs) for macs, took_s in known))


def _longest_s(trial: TrialRecord) -> float:
    return max((each.wall_s for each in trial.measurements), default=0.0)


def stuck_line(phase: str, silent_s: float, bound_s: float) -> str:
    """Return one line: what a worker that is ended did last."""
    return f"no sign of life for {format_duration(silent_s)} while {phase} ({format_duration(bound_s)} allowed)"


def slow_line(epoch: int, took_s: float, bound_s: float) -> str:
    """Return one line: an epoch that goes on and on."""
    return f"epoch {epoch} has taken {format_duration(took_s)} ({format_duration(bound_s)} allowed)"
