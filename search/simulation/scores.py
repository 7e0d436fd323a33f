"""Score simulated studies by the hypervolume of what they trained in full, as a share of the table's true front's.

Networks count with their means over all recorded seeds, whatever a trial saw. Errors lie on a linear axis up to the
worst quarter of the table, costs on a logarithmic one up to the dearest.
"""

from collections.abc import Sequence

import numpy as np

from search.core.records import State
from search.core.trajectory import Trajectory
from search.models.pareto import front, hypervolume
from search.simulation.recordings import Array, Recordings
from search.simulation.simulator import Course
from workers.objectives import Objective

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

    def trajectory(self, policy: str, seed: int, courses: Sequence[Course]) -> Trajectory:
        """Return how a study under a policy grew, from its trials in the order in which they ended."""
        return Trajectory(
            policy=policy,
            seed=seed,
            epochs=np.array([course.spent_epochs for course in courses], dtype=np.int64),
            hours=np.array([course.ended_s for course in courses]) / 3600,
            shares=self.along(courses),
        )


def _axis(recordings: Recordings, objective: Objective) -> tuple[Array, float]:
    """Return an objective's minimised values, infinite where there is none, and the end of its axis."""
    values = recordings.final(objective.name)
    cost = objective.static or not objective.quality
    if cost and np.nanmin(values) > 0:
        values = np.log10(values)
    minimised = values * objective.minimised(1.0)
    end = np.nanmax(minimised) if cost else np.nanpercentile(minimised, WORST)
    return np.where(np.isnan(minimised), np.inf, minimised), float(end)
