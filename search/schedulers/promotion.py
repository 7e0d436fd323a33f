"""Choose which of the trials that rest at rungs goes on: the one by which the front is expected to gain most an epoch.

Costs are known, and what a trial will come to is expected from what trials before it came to that showed as much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search.models.extrapolation import Axis, draws_at
from search.models.improvement import box, gain_of_draws, reached, readings
from search.schedulers.rungs import Entry, Rung, Rungs
from workers.objectives import TINY

Array = NDArray[np.float64]

WORST = 0.75  # share of all trials whose expected error counts as an error at all
ENOUGH = 4  # trials at full fidelity from which the axis of errors is read
LITTLE = 5e-5  # a gain that two decimals of a percentage do not show
SPENT = "the epochs for going on (scheduler.share) are spent"
LEAST = 4  # trainings in full whose epochs a study may take at its end, whatever their share: fewer make no front


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Hold all that tells whose turn it is."""

    rungs: Rungs
    reached: Mapping[int, Rung]  # what trials showed, by epoch; full fidelity too
    resting: Mapping[int, int]  # the epoch at which each trial rests
    active: Mapping[int, int]  # the epochs that each trial has which trains now
    trials: int  # begun
    trained: int  # epochs, over all trials
    max_epochs: int  # full fidelity

    def choose(self, *, last: bool, anyhow: bool) -> int | None:
        """Return the trial that goes on, or None where that has to wait or there is none.

        Args:
            last: no further trial will begin.
            anyhow: one goes on even if its epochs are beyond their share, once nothing else trains or will begin.
        """
        steps = [self._step(epoch) for epoch in self.resting.values()]
        few = min(self.trials, LEAST) * self.max_epochs if last else 0
        allowed = max(self.rungs.allowed(self.trials, self.max_epochs), few)
        left = allowed - self.trained - sum(map(self._step, self.active.values()))
        alone = last and not self.active
        if not steps or (min(steps) > left and not alone):
            return None
        best = max(self.gains, key=self._worth)
        beyond = alone and anyhow and left > -self.max_epochs  # those that went on so may fail one after another
        return best if beyond or self._step(self.resting[best]) <= left else None

    def ends(self) -> dict[int, str]:
        """Return why each resting trial stops, where none goes on any more: the epochs for it are trained."""
        return {number: f"epoch {epoch}: {SPENT}; {self._stands(number)}" for number, epoch in self.resting.items()}

    def _stands(self, number: int) -> str:
        """Return what spoke for one resting trial to go on, and how many had more of it."""
        if self.gains[number] < LITTLE:
            return "the front was expected to gain next to nothing by it"
        place = 1 + sum(self._worth(other) > self._worth(number) for other in self.gains)
        return f"place {place} of {len(self.gains)} at rest by what the front was expected to gain an epoch"

    def _worth(self, number: int) -> float:
        """Return by what share a resting trial is expected to raise the front for each epoch that it takes."""
        return self.gains[number] / (self.max_epochs - self.resting[number])

    def _step(self, epoch: int) -> int:
        """Return how many epochs a trial will train before it is looked at again."""
        return self.rungs.next(epoch, self.max_epochs) - epoch

    @cached_property
    def gains(self) -> dict[int, float]:
        """Return by what share each resting trial is expected to raise the front, were it trained in full."""
        passed = {number: max(levels) for number, epochs in self.active.items() if (levels := self._passed(epochs))}
        return gains(self.reached, self.resting, passed, self.max_epochs)

    def _passed(self, epochs: int) -> list[int]:
        return [level for level in self.rungs.levels if level <= epochs]


def gains(
    rungs: Mapping[int, Rung], resting: Mapping[int, int], running: Mapping[int, int], max_epochs: int
) -> dict[int, float]:
    """Return for each resting trial what the front is expected to gain, were it trained in full.

    A gain is a share of the box between the best and the worst error and the least and the highest costs.

    Args:
        rungs: what trials showed, by epoch; full fidelity too.
        resting: the epoch at which each trial rests.
        running: the rung that each trial has passed that goes on now: another one need not do the same.
        max_epochs: full fidelity.
    """
    if not resting:
        return {}
    full = rungs[max_epochs].entries if max_epochs in rungs else {}
    finals = np.array([entry.learned for entry in full.values()])
    waiting = [rungs[epoch].entries[number] for number, epoch in (*resting.items(), *running.items())]
    shown = np.array([entry.learned for entry in waiting])
    axis = Axis(finals if len(finals) >= ENOUGH else np.concatenate([finals, shown]))

    def examples(epoch: int) -> tuple[Array, Array]:
        pairs = [
            (entry.learned, full[number].learned) for number, entry in rungs[epoch].entries.items() if number in full
        ]
        before, after = np.array(pairs).reshape(-1, 2).T
        return before, after

    def everyone(epoch: int) -> Array:
        return np.array([entry.learned for entry in rungs[epoch].entries.values()])

    draws = draws_at(axis, everyone, examples, [*resting.values(), *running.values()], shown)
    middle = np.median(draws, axis=1)
    costs = _costs([*full.values(), *waiting])
    worst = float(np.quantile(np.concatenate([finals, middle]), WORST))
    points = readings(*box(costs))
    count = len(full)
    there = np.r_[0:count, count + len(resting) : len(costs)]
    heights = reached(points, costs[there], np.concatenate([finals, middle[len(resting) :]]), worst)
    gain = gain_of_draws(points, heights, costs[count : count + len(resting)], draws[: len(resting)])
    height = max(worst - float(np.concatenate([finals, middle]).min()), TINY)
    return dict(zip(resting, (gain / height).tolist(), strict=True))


def _costs(entries: Sequence[Entry]) -> Array:
    return np.array([entry.costs for entry in entries], dtype=np.float64).reshape(len(entries), -1)
