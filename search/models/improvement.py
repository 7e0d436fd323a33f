"""Expect how much a front's hypervolume would gain by a network whose costs are known and whose quality is not.

What a network adds is, at every cost from its own upwards, how far its error is below the lowest that is reached
there. Its error is the one unknown, so the expectation is exact along costs: a sum over the steps of the front.
"""

import numpy as np
from numpy.typing import NDArray

from search.models.distributions import normal_below

Array = NDArray[np.float64]

BEYOND = 0.05  # of the costs' range
ALONG_ONE, ALONG_MORE = 256, 512  # points of the cost axes at which the front is read


def cost_bounds(costs: Array) -> tuple[Array, Array]:
    """Return the ends of the box of costs `n k`, a little beyond the highest: the dearest gains by being better too."""
    low, high = costs.min(axis=0), costs.max(axis=0)
    return low, high + BEYOND * (high - low)


def integration_points(low: Array, high: Array) -> Array:
    """Return points `p k` spread evenly over the box of `k` costs; without any cost, the one point of nothing."""
    if len(low) == 0:
        return np.empty((1, 0))
    if len(low) == 1:
        return np.linspace(low, high, ALONG_ONE)
    from scipy.stats import qmc  # a second of a processor, which not every command needs

    drawn = qmc.Sobol(len(low), seed=0).random(ALONG_MORE)
    return np.asarray(low + drawn * (high - low))


def attainment(points: Array, costs: Array, errors: Array, worst: float) -> Array:
    """Return at each point `p k` the lowest error of a network that costs no more; `worst` where there is none."""
    within = (costs[None] <= points[:, None]).all(axis=2)
    lowest = np.where(within, errors[None], worst).min(axis=1, initial=worst)
    return np.asarray(lowest)


def expected_gain(points: Array, heights: Array, costs: Array, mean: Array, deviation: Array) -> Array:
    """Return the expected gain `n` of each candidate, as a share of the costs' box times error.

    Args:
        points: `p k`, of the costs.
        heights: `p`, the error reached there.
        costs: `n k`, of the candidates.
        mean: `n`, of their errors.
        deviation: `n`, likewise.
    """
    levels, share = _shares(points, heights, costs)
    below = (levels[None] - mean[:, None]) / deviation[:, None]
    density = np.exp(-0.5 * below**2) / np.sqrt(2 * np.pi)
    improvement = deviation[:, None] * (below * normal_below(below) + density)
    return np.asarray((share * improvement).sum(axis=1))


def gain_of_draws(points: Array, heights: Array, costs: Array, draws: Array) -> Array:
    """Return the expected gain `n` of candidates whose errors are as likely each of `n q` draws."""
    levels, share = _shares(points, heights, costs)
    improvement = np.maximum(levels[None, :, None] - draws[:, None, :], 0.0).mean(axis=2)
    return np.asarray((share * improvement).sum(axis=1))


def _shares(points: Array, heights: Array, costs: Array) -> tuple[Array, Array]:
    """Return the front's steps `l`, and `n l`: the share of the box at each step that a candidate's costs allow."""
    levels, level = np.unique(heights, return_inverse=True)
    within = (points[None] >= costs[:, None]).all(axis=2)
    return levels, within.astype(np.float64) @ np.eye(len(levels))[level] / len(points)
