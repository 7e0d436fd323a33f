"""Decide at a rung whether a trial goes on, from what is known there alone. Less is better everywhere.

A rung is an epoch at which trials are compared with all that came as far before them. The last epoch is none: who
reaches it is at full fidelity.

Source: Li et al. 2020 (asynchronous successive halving, here with stopping in place of pausing). Ranking by
non-domination keeps cheap networks that one objective alone would stop.
"""

import math
from bisect import bisect_left, insort
from dataclasses import dataclass

import numpy as np

from search.core.fronts import minimised_values
from search.core.records import StudyRecord, TrialRecord
from search.models.pareto import Layers, spread
from spaces.errors import InputError, unknown
from workers.objectives import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Hold what one trial showed at a rung."""

    number: int
    learned: float  # the first objective that says how good a network is, minimised
    costs: tuple[float, ...] = ()  # all others, minimised, on axes where equal steps matter alike
    values: tuple[float, ...]  # all objectives, minimised
    accuracy: float


def entry_of(study: StudyRecord, trial: TrialRecord) -> Entry:
    """Return what a trial shows by its latest epoch."""
    assert trial.last is not None
    values = tuple(minimised_values(study, [trial])[0].tolist())
    objectives = [study.objective(name) for name in study.objectives]
    quality = next(index for index, objective in enumerate(objectives) if objective.quality)
    others = [objective for index, objective in enumerate(objectives) if index != quality]
    return Entry(
        number=trial.number,
        learned=values[quality],
        costs=tuple(_axis(objective, objective.value(trial.cost, trial.last)) for objective in others),
        values=values,
        accuracy=trial.last.accuracy,
    )


def _axis(objective: Objective, value: float) -> float:
    """Return a value minimised; a cost on the axis of costs."""
    return objective.minimised(value) if objective.quality else objective.coordinate(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Say whether a trial stops, and why."""

    stop: bool
    reason: str = ""


GO_ON = Decision(stop=False)
SHARE = 0.22  # a quarter of all epochs where the first rung is early


class Rung:
    """Hold what trials showed at one epoch, and let every one of them go on."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}  # by the trial's number

    def enter(self, entry: Entry) -> None:
        """Take in what a trial showed, once."""
        self.entries[entry.number] = entry

    def decide(self, number: int, keep: float) -> Decision:  # noqa: ARG002  # it never looks
        """Say whether a trial goes on, as one of a share that does; where it cannot be told from others, it is last."""
        return GO_ON


class Asha(Rung):
    """Let a trial go on if it is among the best share by what training revealed; ties go on."""

    def __init__(self) -> None:
        super().__init__()
        self._learned: list[float] = []  # best first

    def enter(self, entry: Entry) -> None:
        """Take in what a trial showed, once."""
        super().enter(entry)
        insort(self._learned, entry.learned)

    def decide(self, number: int, keep: float) -> Decision:
        """Say whether a trial goes on."""
        place = bisect_left(self._learned, self.entries[number].learned)
        return _among_best(place, len(self.entries), keep, "by what training revealed")


class ParetoAsha(Rung):
    """Let a trial go on if it is among the best share by non-domination rank, then crowding distance.

    An end of the front goes on in any case: among few trials the share alone would stop the cheapest or the best.
    """

    def __init__(self) -> None:
        super().__init__()
        self._layers = Layers()

    def enter(self, entry: Entry) -> None:
        """Take in what a trial showed, once."""
        super().enter(entry)
        self._layers.add(entry.number, entry.values)

    def decide(self, number: int, keep: float) -> Decision:
        """Say whether a trial goes on."""
        rank = self._layers.rank(self.entries[number].values)
        numbers, points = self._layers[rank]
        # The trial judged comes last; the others by number, since nobody knows after a relaunch who came first.
        distance = spread(points[np.lexsort((numbers, numbers == number))])
        if rank == 0 and np.isinf(distance[-1]):
            return GO_ON
        better = self._layers.above(rank)
        place = better + int((distance >= distance[-1]).sum()) - 1
        by_rank = better >= _kept(len(self.entries), keep)  # else its rank alone would have let it go on
        crowded = "" if by_rank else ", crowded there"
        return _among_best(place, len(self.entries), keep, f"by non-domination (rank {rank}{crowded})")


def _among_best(place: int, count: int, keep: float, how: str) -> Decision:
    kept = _kept(count, keep)
    if place < kept:
        return GO_ON
    return Decision(stop=True, reason=f"place {place + 1} of {count} {how}; {kept} {'goes' if kept == 1 else 'go'} on")


def _kept(count: int, keep: float) -> int:
    return max(1, math.ceil(count * keep - 1e-9))


RESTING = ("auto", "gain")  # every trial rests at a rung, until it is its turn: see `search.schedulers.promotion`
SCHEDULERS: dict[str, type[Rung]] = {
    **dict.fromkeys(RESTING, Rung),
    "pareto-asha": ParetoAsha,
    "asha": Asha,
    "fifo": Rung,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rungs:
    """Hold a study's rungs and the rule that is asked there."""

    rule: str
    levels: tuple[int, ...]
    keep: float  # share of the trials at a rung that goes on
    floor_accuracy: float  # at or below it a trial stops, however cheap its network
    share: float = SHARE  # of the epochs after the first rung, over all trials, that are trained where trials rest

    def __post_init__(self) -> None:
        if self.rule not in SCHEDULERS:
            raise InputError(unknown("scheduler", self.rule, SCHEDULERS), place="scheduler.name")

    def allowed(self, trials: int, max_epochs: int) -> float:
        """Return the epochs of so many trials where they rest: all to the first rung, and a share of the rest."""
        first = min(self.levels, default=max_epochs)
        return trials * (first + self.share * (max_epochs - first))

    def holds(self, epoch: int) -> bool:
        """Say whether there is a rung at an epoch; where every trial is trained in full there is none."""
        return epoch in self.levels and self.rule != "fifo"

    @property
    def rests(self) -> bool:
        """Say whether trials rest at rungs instead of being stopped there."""
        return self.rule in RESTING

    def next(self, epoch: int, max_epochs: int) -> int:
        """Return the next epoch after one at which a trial is looked at: a rung, or full fidelity."""
        return next((level for level in self.levels if level > epoch and self.holds(level)), max_epochs)

    def make(self) -> Rung:
        """Return a rung to which nobody has come yet."""
        return SCHEDULERS[self.rule]()

    def decide(self, epoch: int, rung: Rung, number: int) -> Decision:
        """Decide on a trial that has come to an epoch, among all that have come there by now."""
        if not self.holds(epoch):
            return GO_ON
        accuracy = rung.entries[number].accuracy
        if accuracy <= self.floor_accuracy:
            reached = f"accuracy {accuracy:.3f} is not above {self.floor_accuracy:.3f}"
            return Decision(stop=True, reason=f"epoch {epoch}: {reached}, the floor over chance (scheduler.floor)")
        decision = rung.decide(number, self.keep)
        return Decision(stop=True, reason=f"epoch {epoch}: {decision.reason}") if decision.stop else GO_ON


def share_kept(rule: str, reduction_factor: float, keep: float | None) -> float:
    """Return the share that goes on where the file names none.

    One in eta, except by non-domination: replayed on tables of trained networks with rungs at 1, 3 and 9 of 27 epochs,
    keeping a half reached .96 of the true hypervolume and keeping a third .87, for a third more cost.
    """
    if keep is not None:
        return keep
    return 0.5 if rule == "pareto-asha" else 1 / reduction_factor


def rung_levels(grace_epochs: int, max_epochs: int, reduction_factor: float) -> tuple[int, ...]:
    """Return the epochs grace, grace eta, grace eta^2 and so on, rounded, below full fidelity."""
    levels: list[int] = []
    level = float(grace_epochs)
    while round(level) < max_epochs:
        levels.append(round(level))
        level = max(level * reduction_factor, level + 0.01)  # a factor close to 1 must come to an end too
    return tuple(dict.fromkeys(levels))
