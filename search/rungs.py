"""Decide at a rung whether a trial goes on: pure functions of what is known there. Less is better everywhere.

A rung is an epoch at which trials are compared with all that came as far before them. The last epoch is none: who
reaches it is at full fidelity.

Source: Li et al. 2020 (asynchronous successive halving, here with stopping in place of pausing). Ranking by
non-domination keeps cheap networks that one objective alone would stop.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from search.pareto import as_points, crowding, order, ranks
from spaces.errors import InputError, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Hold what one trial showed at a rung."""

    number: int
    learned: float  # the first objective that says how good a network is, minimised
    values: tuple[float, ...]  # all objectives, minimised
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Say whether a trial stops, and why."""

    stop: bool
    reason: str = ""


GO_ON = Decision(stop=False)

Rule = Callable[[Sequence[Entry], float], Decision]


def fifo(entries: Sequence[Entry], keep: float) -> Decision:  # noqa: ARG001  # it never looks
    """Let every trial go on."""
    return GO_ON


def asha(entries: Sequence[Entry], keep: float) -> Decision:
    """Let the last entry go on if it is among the best share by what training revealed; ties go on."""
    place = sum(entry.learned < entries[-1].learned for entry in entries)
    return _among_best(place, len(entries), keep, "by what training revealed")


def pareto_asha(entries: Sequence[Entry], keep: float) -> Decision:
    """Let the last entry go on if it is among the best share by non-domination rank, then crowding distance.

    An end of the front goes on in any case: among few trials the share alone would stop the cheapest or the best.
    """
    points = as_points([entry.values for entry in entries])
    rank = int(ranks(points)[-1])
    if rank == 0 and np.isinf(crowding(points)[-1]):
        return GO_ON
    place = int(np.flatnonzero(order(points) == len(entries) - 1)[0])
    return _among_best(place, len(entries), keep, f"by non-domination (rank {rank})")


def _among_best(place: int, count: int, keep: float, how: str) -> Decision:
    kept = max(1, math.ceil(count * keep - 1e-9))
    if place < kept:
        return GO_ON
    return Decision(stop=True, reason=f"place {place + 1} of {count} {how}; {kept} go on")


SCHEDULERS: dict[str, Rule] = {"pareto-asha": pareto_asha, "asha": asha, "fifo": fifo}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rungs:
    """Hold a study's rungs and the rule that is asked there."""

    rule: str
    levels: tuple[int, ...]
    keep: float  # share of the trials at a rung that goes on
    floor_accuracy: float  # at or below it a trial stops, however cheap its network

    def __post_init__(self) -> None:
        if self.rule not in SCHEDULERS:
            raise InputError(unknown("scheduler", self.rule, SCHEDULERS), place="scheduler.name")

    def holds(self, epoch: int) -> bool:
        """Say whether there is a rung at an epoch; where every trial is trained in full there is none."""
        return epoch in self.levels and self.rule != "fifo"

    def decide(self, epoch: int, entries: Sequence[Entry]) -> Decision:
        """Decide on the last entry, the others having come to this epoch before it."""
        if not self.holds(epoch):
            return GO_ON
        if entries[-1].accuracy <= self.floor_accuracy:
            reached = f"accuracy {entries[-1].accuracy:.3f} is not above {self.floor_accuracy:.3f}"
            return Decision(stop=True, reason=f"epoch {epoch}: {reached}, hardly better than chance")
        decision = SCHEDULERS[self.rule](entries, self.keep)
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
