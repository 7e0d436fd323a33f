"""Promote, of the trials that rest at rungs, the one by which the front is expected to gain most for its time.

Costs are known, and what a trial will come to is predicted from what trials before it came to that had shown as much.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, cast

from annotated_types import Gt, Le

from search.core.gains import Entry, expected_gains, rates
from search.core.records import TrialRecord
from search.schedulers.base import GO_ON, Decision, Options, PromotionState, Verdict
from search.schedulers.rungs import Rung, RungScheduler
from workers.measurement import Measurement

LITTLE = 5e-5  # a gain that two decimals of a percentage do not show
SPENT = "the epochs for going on (scheduler.share) are spent"
LEAST = 4  # trainings in full whose epochs a study may take at its end, whatever their share: fewer make no front


@dataclass(frozen=True, slots=True, kw_only=True)
class GainOptions(Options):
    """The keys that promotion by expected gain reads."""

    share: Annotated[float, Gt(0), Le(1)] = 0.22  # of the epochs after the first rung, over all trials, to be trained:
    # a quarter of all epochs where the first rung is early


class Gain(RungScheduler):
    """Every trial rests at each rung; the one goes on that is expected to add most to the front for its time."""

    options_class = GainOptions
    summary = "pauses trials at each rung and resumes the one with the highest expected hypervolume gain for its time"

    def on_measurement(self, trial: TrialRecord, measurement: Measurement) -> Decision:
        """Let a trial rest at a rung; whose turn it is, this one's perhaps, the next question tells."""
        if not self.stands_at(trial, measurement.epoch):
            return GO_ON
        why = f"epoch {measurement.epoch}: rests, to go on when the front has most to gain by it"
        return Decision(Verdict.REST, why)

    def promote(self, state: PromotionState) -> int | None:
        """Return the trial with the highest gain for its time, as long as there are epochs of the share left."""
        return Promotion(self, state).choose() if state.resting else None

    def finish(self, state: PromotionState) -> dict[int, str]:
        """Return why each resting trial stops: the epochs for it are trained."""
        return Promotion(self, state).ends()

    def planned_epochs(self, trials: int) -> float:
        """Return the epochs to the first rung and the share of the others; a few trials are trained in full anyhow."""
        return max(self.allowed(trials), min(trials, LEAST) * self.max_epochs)

    def allowed(self, trials: int) -> float:
        """Return the epochs of so many trials: all to the first rung, and a share of the rest."""
        first = min(self.levels, default=self.max_epochs)
        return trials * (first + cast(GainOptions, self.options).share * (self.max_epochs - first))


@dataclass(frozen=True)
class Promotion:
    """One promotion decision."""

    scheduler: Gain
    state: PromotionState

    def choose(self) -> int | None:
        """Return the trial that goes on, or None where that has to wait."""
        state, max_epochs = self.state, self.scheduler.max_epochs
        steps = [self._step(epoch) for epoch in state.resting.values()]
        few = min(state.trials, LEAST) * max_epochs if state.no_more_trials else 0
        allowed = max(self.scheduler.allowed(state.trials), few)
        left = allowed - state.trained_epochs - sum(map(self._step, state.active.values()))
        alone = state.no_more_trials and not state.active
        if min(steps) > left and not alone:
            return None
        best = max(self.rates, key=self.rates.__getitem__)
        beyond = alone and state.force_one and left > -max_epochs  # those that went on so may fail one after another
        return best if beyond or self._step(state.resting[best]) <= left else None

    def ends(self) -> dict[int, str]:
        """Return why each resting trial stops."""
        resting = self.state.resting.items()
        return {number: f"epoch {epoch}: {SPENT}; {self._stands(number)}" for number, epoch in resting}

    def _stands(self, number: int) -> str:
        """Return what spoke for one resting trial to go on, and how many had more of it."""
        if self.gains[number] < LITTLE:
            return "next to no hypervolume gain was expected of it"
        place = 1 + sum(rate > self.rates[number] for rate in self.rates.values())
        return f"rank {place} of {len(self.rates)} paused trials by expected hypervolume gain for its time"

    def _step(self, epoch: int) -> int:
        """Return how many epochs a trial will train before it is looked at again."""
        return self.scheduler.next_read(epoch) - epoch

    @cached_property
    def gains(self) -> dict[int, float]:
        """Return by what share each resting trial is expected to raise the front, were it trained in full."""
        active = self.state.active.items()
        passed = {number: max(levels) for number, epochs in active if (levels := self._passed(number, epochs))}
        return gains(self.scheduler.reached, self.state.resting, passed, self.scheduler.max_epochs)

    @cached_property
    def rates(self) -> dict[int, float]:
        """Return by what share each resting trial is expected to raise the front for its time."""
        return rates(self.gains, _entries(self.scheduler.reached), self.state.resting, self.scheduler.max_epochs)

    def _passed(self, number: int, epochs: int) -> list[int]:
        """Return the rungs at which a trial that trains was measured: an earlier launch may have had others."""
        return [level for level in self.scheduler.levels if level <= epochs and self._stood_at(number, level)]

    def _stood_at(self, number: int, level: int) -> bool:
        return level in self.scheduler.reached and number in self.scheduler.reached[level].entries


def gains(
    rungs: Mapping[int, Rung], resting: Mapping[int, int], running: Mapping[int, int], max_epochs: int
) -> dict[int, float]:
    """Return for each resting trial what the front is expected to gain, were it trained in full, by its rungs."""
    return expected_gains(_entries(rungs), resting, running, max_epochs)


def _entries(rungs: Mapping[int, Rung]) -> dict[int, dict[int, Entry]]:
    return {epoch: rung.entries for epoch, rung in rungs.items()}
