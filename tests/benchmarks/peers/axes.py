"""Read objectives on axes where they are minimised and equal steps matter alike, for peers that are helped by it."""

import math
from dataclasses import dataclass

import numpy as np

from search.simulation.recordings import Recordings
from workers.objectives import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Read one objective."""

    sign: float  # by which it is minimised
    log: bool  # of costs above 0
    low: float  # ends of the axis, over the whole table
    high: float

    def read(self, value: float) -> float:
        """Return a value minimised, costs as logarithms."""
        return self.sign * (math.log(value) if self.log else value)

    def unit(self, value: float) -> float:
        """Return a value minimised, in [0, 1] but for the noise of a single training."""
        return (self.read(value) - self.low) / (self.high - self.low)


def axes(recordings: Recordings) -> list[Axis]:
    """Return the axis of every objective."""
    return [_axis(recordings, objective) for objective in recordings.objectives]


def _axis(recordings: Recordings, objective: Objective) -> Axis:
    values, sign = recordings.final(objective.name), objective.minimised(1.0)
    log = objective.static and bool((values > 0).all())
    minimised = sign * (np.log(values) if log else values)
    return Axis(sign=sign, log=log, low=float(np.nanmin(minimised)), high=float(np.nanmax(minimised)))
