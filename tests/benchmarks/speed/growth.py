"""Say what a search had found by which second: its hypervolume, as a share that means the same for whoever searched."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.models.pareto import as_points, hypervolume
from workers.objectives import OBJECTIVES


@dataclass(frozen=True, slots=True)
class Trained:
    """A network that was trained in full, as the search itself saw it."""

    seconds: float  # from the command
    accuracy: float
    macs: float


@dataclass(frozen=True, slots=True)
class Scale:
    """The ends of both axes, as a study of Widefront has them: chance, and the least and most macs in the space."""

    classes: int
    macs: tuple[float, float]

    def shares(self, found: Trained) -> tuple[float, float]:
        """Return both values brought to [0, 1], 0 at the best."""
        return (
            OBJECTIVES["accuracy"].share(found.accuracy, classes=self.classes, bounds=None),
            OBJECTIVES["macs"].share(found.macs, classes=self.classes, bounds=self.macs),
        )


def growth(found: Sequence[Trained], scale: Scale) -> list[tuple[float, float]]:
    """Return the share of the hypervolume after each network, with the second at which it was known."""
    ordered = sorted(found, key=lambda each: each.seconds)
    points = as_points([scale.shares(each) for each in ordered])
    return [(each.seconds, hypervolume(points[:count], (1.0, 1.0))) for count, each in enumerate(ordered, start=1)]


def final(found: Sequence[Trained], scale: Scale) -> float:
    """Return the share of the hypervolume at the end."""
    return max((share for _, share in growth(found, scale)), default=0.0)


def reached(found: Sequence[Trained], scale: Scale, target: float) -> float:
    """Return the seconds to a share of the hypervolume; infinite where it was not reached."""
    return next((seconds for seconds, share in growth(found, scale) if share >= target), np.inf)
