"""Compare trials at rungs: epochs at which each is judged among all that have come as far. Less is better everywhere.

Source: Li et al. 2020 (asynchronous successive halving, here with stopping in place of pausing). Ranking by
non-domination keeps cheap networks that one objective alone would stop.
"""

import math
from bisect import bisect_left, insort
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, cast

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from search.core.gains import Entry, entry_of
from search.core.records import TrialRecord
from search.models.pareto import Layers, spread
from search.schedulers.base import GO_ON, Decision, Options, Scheduler, Verdict
from workers.measurement import Measurement


class Rung:
    """What trials showed at one epoch; every one of them goes on."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}  # by the trial's number

    def enter(self, entry: Entry) -> bool:
        """Take in what a trial showed; False, and nothing, where it has been taken in."""
        if entry.number in self.entries:
            return False
        self.entries[entry.number] = entry
        return True

    def decide(self, number: int, keep: float) -> Decision:  # noqa: ARG002  # it never looks
        """Return whether a trial is in the top `keep` of this rung; tie-breaking is the rule's."""
        return GO_ON


class QualityRung(Rung):
    """Those in the best share by validation quality go on; ties too."""

    def __init__(self) -> None:
        super().__init__()
        self._qualities: list[float] = []  # best first

    def enter(self, entry: Entry) -> bool:
        """Take in what a trial showed, once."""
        new = super().enter(entry)
        if new:
            insort(self._qualities, entry.quality)
        return new

    def decide(self, number: int, keep: float) -> Decision:
        """Return whether a trial is in the top `keep`; ties go on."""
        place = bisect_left(self._qualities, self.entries[number].quality)
        return _among_best(place, len(self.entries), keep, "by validation quality")


class ParetoRung(Rung):
    """Those in the best share by non-domination rank, then crowding distance, go on.

    An end of the front goes on in any case: among few trials the share alone would stop the cheapest or the best.
    """

    def __init__(self) -> None:
        super().__init__()
        self._layers = Layers()

    def enter(self, entry: Entry) -> bool:
        """Take in what a trial showed, once."""
        new = super().enter(entry)
        if new:
            self._layers.add(entry.number, entry.values)
        return new

    def decide(self, number: int, keep: float) -> Decision:
        """Return whether a trial is in the top `keep`; where it cannot be told from others, it is last."""
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
        return _among_best(place, len(self.entries), keep, f"by non-domination (layer {rank}{crowded})")


def _among_best(place: int, count: int, keep: float, how: str) -> Decision:
    kept = _kept(count, keep)
    if place < kept:
        return GO_ON
    return Decision(Verdict.STOP, f"rank {place + 1} of {count} {how}; top {kept} promoted")


def _kept(count: int, keep: float) -> int:
    return max(1, math.ceil(count * keep - 1e-9))


@dataclass(frozen=True, slots=True, kw_only=True)
class RungOptions(Options):
    """The keys that successive halving reads."""

    keep: Annotated[float, Gt(0), Le(1)] | None = None  # share that goes on at a rung; else as suits the rule
    floor: Annotated[float, Ge(0), Lt(1)] = 0.02  # share of the way from chance to 1 that a trial has to go


class RungScheduler(Scheduler):
    """Observes at rungs and at full fidelity, and decides at rungs."""

    has_rungs = True
    rung: ClassVar[type[Rung]] = Rung

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.reached: dict[int, Rung] = {}  # by epoch

    @classmethod
    def told(cls, name: str, options: Options) -> str:
        """Return the rungs' epochs for a dry run."""
        levels = ", ".join(map(str, options.levels)) or "none"
        return f"{name}, rungs at epochs {levels}, full at {options.max_epochs}"

    def reads(self, epoch: int) -> bool:
        """Whether there is a rung."""
        return epoch in self.levels

    def observe(self, trial: TrialRecord, measurement: Measurement) -> None:
        """Put a trial on the rung of an epoch."""
        epoch = measurement.epoch
        if self.reads(epoch) or epoch >= self.max_epochs:
            rung = self.reached.setdefault(epoch, self.rung())
            new = trial.number not in rung.entries
            if new and (entry := entry_of(self.study, trial, measurement)) is not None:
                rung.enter(entry)

    def stands_at(self, trial: TrialRecord, epoch: int) -> bool:
        """Whether there is a rung at an epoch, and a trial was measured there."""
        return self.reads(epoch) and epoch in self.reached and trial.number in self.reached[epoch].entries

    def next_read(self, epoch: int) -> int:
        """Return the next rung's epoch, or full fidelity."""
        return next((level for level in self.levels if level > epoch), self.max_epochs)


class Asha(RungScheduler):
    """Asynchronous successive halving by the first objective that training reveals."""

    options_class = RungOptions
    summary = "stops all but the best share at each rung, by accuracy or loss alone"
    rung: ClassVar[type[Rung]] = QualityRung

    @property
    def keep(self) -> float:
        """Return the share that goes on at a rung: one in eta where the file names none."""
        given = cast(RungOptions, self.options).keep
        return self._usual_keep() if given is None else given

    def _usual_keep(self) -> float:
        return 1 / self.options.reduction_factor

    @property
    def floor(self) -> float:
        """Return what the headline metric has to be above, however cheap a network is."""
        return -1.0 if self.chance is None else self.chance + cast(RungOptions, self.options).floor * (1 - self.chance)

    def on_measurement(self, trial: TrialRecord, measurement: Measurement) -> Decision:
        """Decide at a rung, among all that have come there by now."""
        epoch = measurement.epoch
        if not self.stands_at(trial, epoch):
            return GO_ON
        name = self.study.task.headline
        shown = measurement.get(name)
        if shown is not None and shown <= self.floor:
            reached = f"{name} {shown:.3f} is not above {self.floor:.3f}"
            return Decision(Verdict.STOP, f"epoch {epoch}: {reached}, the floor over chance (scheduler.floor)")
        decision = self.reached[epoch].decide(trial.number, self.keep)
        return replace(decision, reason=f"epoch {epoch}: {decision.reason}") if decision.stop else GO_ON

    def planned_epochs(self, trials: int) -> float:
        """Return the epochs of so many trials where each rung keeps its share."""
        going, epochs, last = float(trials), 0.0, 0
        for level in (*self.levels, self.max_epochs):
            epochs += going * (level - last)
            going, last = going * self.keep, level
        return epochs


class ParetoAsha(Asha):
    """Asynchronous successive halving by all objectives at once."""

    summary = "stops all but the best share at each rung, by non-domination in all objectives"
    rung = ParetoRung

    def _usual_keep(self) -> float:
        """Return a half.

        Replayed on tables of trained networks with rungs at 1, 3 and 9 of 27 epochs, keeping a half reached .96 of the
        true hypervolume and keeping a third .87, for a third more cost.
        """
        return 0.5
