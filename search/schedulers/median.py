"""Stop a trial whose best epoch is worse than the median of what others showed on average by then.

Source: Golovin et al. 2017 (Google Vizier), the median stopping rule. It looks at how good networks are alone, so it
stops small ones that might be on the front.
"""

from dataclasses import dataclass
from statistics import mean, median
from typing import Annotated, cast

from annotated_types import Ge

from search.core.gains import entry_of
from search.core.records import TrialRecord
from search.schedulers.base import GO_ON, Decision, Options, Scheduler, Verdict
from workers.measurement import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianOptions(Options):
    """The keys that the median rule reads."""

    min_trials: Annotated[int, Ge(1)] = 5  # others that have come as far, before it stops any


class Median(Scheduler):
    """The median stopping rule, at every epoch from `grace_epochs` on."""

    options_class = MedianOptions
    summary = "stops a trial at any epoch when its best is worse than the median of the others' averages"

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._shown: dict[int, dict[int, float]] = {}  # by trial and epoch, less is better

    @classmethod
    def told(cls, name: str, options: Options) -> str:
        """Return from which epoch on it decides."""
        return f"{name}, at every epoch from {options.grace_epochs} on, full at {options.max_epochs}"

    def reads(self, epoch: int) -> bool:
        """Every epoch from the first rung's on."""
        return self.options.grace_epochs <= epoch < self.max_epochs

    def observe(self, trial: TrialRecord, measurement: Measurement) -> None:
        """Remember how good a trial was at an epoch."""
        if (entry := entry_of(self.study, trial, measurement)) is not None:
            self._shown.setdefault(trial.number, {})[measurement.epoch] = entry.quality

    def on_measurement(self, trial: TrialRecord, measurement: Measurement) -> Decision:
        """Compare a trial's best epoch with what others showed on average by this one."""
        epoch = measurement.epoch
        if epoch not in self._shown.get(trial.number, {}):
            return GO_ON
        others = [self._average(shown, epoch) for number, shown in self._shown.items() if number != trial.number]
        averages = [each for each in others if each is not None]
        if not self.reads(epoch) or len(averages) < cast(MedianOptions, self.options).min_trials:
            return GO_ON
        if min(value for at, value in self._shown[trial.number].items() if at <= epoch) <= median(averages):
            return GO_ON
        why = f"epoch {epoch}: its best is worse than the median of what {len(averages)} others showed on average"
        return Decision(Verdict.STOP, why)

    @staticmethod
    def _average(shown: dict[int, float], epoch: int) -> float | None:
        """Return what one trial showed on average up to an epoch; None where it never came there."""
        return mean(value for at, value in shown.items() if at <= epoch) if epoch in shown else None
