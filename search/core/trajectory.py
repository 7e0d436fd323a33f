"""How a simulated study grew: what it had reached by so many trials, epochs or hours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

AXES = ("trials", "epochs", "hours")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """One entry for each trial of a study that ended, in that order."""

    policy: str
    seed: int
    epochs: NDArray[np.int64]  # trained by then, by all trials
    hours: Array  # simulated
    shares: Array  # of the hypervolume under the true front

    def at(self, axis: str, marks: ArrayLike) -> Array:
        """Return the share reached by each of some numbers of trials, epochs or hours."""
        count = np.searchsorted(self._spent(axis), np.asarray(marks) * (1 + 1e-9), side="right")
        return np.asarray(np.concatenate([[0.0], self.shares])[count])

    def total(self, axis: str) -> float:
        """Return how many trials, epochs or hours it took in all."""
        return float(self._spent(axis)[-1]) if len(self.shares) else 0.0

    def _spent(self, axis: str) -> NDArray[Any]:
        return np.arange(1, len(self.shares) + 1) if axis == "trials" else np.asarray(getattr(self, axis))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "policy": self.policy,
            "seed": self.seed,
            "epochs": self.epochs.tolist(),
            "hours": self.hours.round(6).tolist(),
            "hypervolume": self.shares.round(6).tolist(),
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Trajectory":
        """Return the trajectory that `to_json` described."""
        return cls(
            policy=given["policy"],
            seed=given["seed"],
            epochs=np.array(given["epochs"], dtype=np.int64),
            hours=np.array(given["hours"], dtype=np.float64),
            shares=np.array(given["hypervolume"], dtype=np.float64),
        )


def marks(trajectories: Sequence[Trajectory], axis: str) -> list[float]:
    """Return where studies are compared: at 25, 50, 100 trials and so on, or at an eighth of the most to all of it."""
    most = max((trajectory.total(axis) for trajectory in trajectories), default=0.0)
    if axis == "trials":
        doubled = [25 * 2**power for power in range(12) if 25 * 2**power < most]
        return [*map(float, doubled), most]
    exact = [most / 8, most / 4, most / 2, most]
    return [float(round(mark)) for mark in exact] if axis == "epochs" else exact
