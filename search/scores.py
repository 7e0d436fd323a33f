"""Score simulated studies by the hypervolume of what they trained in full, as a share of the table's true front's.

Networks count with their means over all recorded seeds, whatever a trial saw. Errors lie on a linear axis up to the
worst quarter of the table, costs on a logarithmic one up to the dearest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.pareto import front, hypervolume
from search.recordings import Array, Recordings
from search.simulator import Course
from search.trial import State
from workers.objectives import OBJECTIVES, Objective

WORST = 75  # percentile of an error beyond which a network counts as none


class Yardstick:
    """Tell what share of the true front's hypervolume networks reach."""

    def __init__(self, recordings: Recordings) -> None:
        axes = [_axis(recordings, objective) for objective in recordings.objectives]
        self._points = np.column_stack([points for points, _ in axes])
        self._reference = [end for _, end in axes]
        finite = self._points[np.isfinite(self._points).all(axis=1)]
        self._whole = hypervolume(finite, self._reference)

    def share(self, networks: Sequence[int]) -> float:
        """Return the share that some networks reach, in [0, 1]."""
        reached = hypervolume(self._points[list(networks)], self._reference) if networks else 0.0
        return reached / self._whole if self._whole else 0.0

    def along(self, courses: Sequence[Course]) -> Array:
        """Return the share after each of a study's trials has ended."""
        shares: list[float] = []
        kept: list[int] = []  # the front of those that were trained in full so far
        for course in courses:
            share = shares[-1] if shares else 0.0
            if course.state is State.COMPLETE:
                kept = [*kept, course.network]
                best = front(self._points[kept])
                share = self.share(kept) if best[-1] else share
                kept = [network for network, stays in zip(kept, best, strict=True) if stays]
            shares.append(share)
        return np.array(shares)


def _axis(recordings: Recordings, objective: Objective) -> tuple[Array, float]:
    """Return an objective's minimised values, infinite where there is none, and the end of its axis."""
    values = recordings.final(objective.name)
    cost = objective.static or (objective.name in OBJECTIVES and not OBJECTIVES[objective.name].quality)
    if cost and np.nanmin(values) > 0:
        values = np.log10(values)
    minimised = values * objective.minimised(1.0)
    end = np.nanmax(minimised) if cost else np.nanpercentile(minimised, WORST)
    return np.where(np.isnan(minimised), np.inf, minimised), float(end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """Hold how one simulated study grew: one entry for each trial that ended, in that order."""

    policy: str
    seed: int
    epochs: NDArray[np.int64]  # trained by then, by all trials
    hours: Array  # simulated
    shares: Array

    @classmethod
    def of(cls, policy: str, seed: int, courses: Sequence[Course], yardstick: Yardstick) -> "Trajectory":
        """Return the trajectory of a study's trials."""
        return cls(
            policy=policy,
            seed=seed,
            epochs=np.array([course.spent_epochs for course in courses], dtype=np.int64),
            hours=np.array([course.ended_s for course in courses]) / 3600,
            shares=yardstick.along(courses),
        )

    def at(self, axis: str, mark: float) -> float:
        """Return the share reached by a number of trials, epochs or hours."""
        spent = np.arange(1, len(self.shares) + 1) if axis == "trials" else getattr(self, axis)
        reached = int(np.searchsorted(spent, mark * (1 + 1e-9), side="right"))
        return float(self.shares[reached - 1]) if reached else 0.0

    def total(self, axis: str) -> float:
        """Return how many trials, epochs or hours it took in all."""
        return float(len(self.shares) if axis == "trials" else getattr(self, axis)[-1]) if len(self.shares) else 0.0


AXES = ("trials", "epochs", "hours")


def marks(trajectories: Sequence[Trajectory], axis: str) -> list[float]:
    """Return where studies are compared: at 25, 50, 100 trials and so on, or at an eighth of the most to all of it."""
    most = max((trajectory.total(axis) for trajectory in trajectories), default=0.0)
    if axis == "trials":
        doubled = [25 * 2**power for power in range(12) if 25 * 2**power < most]
        return [*map(float, doubled), most]
    exact = [most / 8, most / 4, most / 2, most]
    return [float(round(mark)) for mark in exact] if axis == "epochs" else exact
