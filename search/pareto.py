"""Find fronts and their hypervolume. Everything here is minimised; callers flip signs once, before they come.

A point is one row of `m` objective values. NaN is refused; infinities are allowed. Of equal points each is as good as
the other: neither dominates, so both stay on the front.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # n m


def as_points(rows: Sequence[Sequence[float]]) -> Points:
    """Return rows as an array `n m`.

    Raises:
        ValueError: a value is NaN.
    """
    points = np.asarray(rows, dtype=np.float64)
    if len(rows) == 0:
        return np.empty((0, 0))
    if points.ndim != 2:
        points = points.reshape(len(rows), -1)
    if np.isnan(points).any():
        raise ValueError("a NaN cannot be ranked")
    return points


def dominates(points: Points) -> NDArray[np.bool_]:
    """Return a matrix `n n`: whether row i is nowhere worse than row j and somewhere better."""
    no_worse = (points[:, None] <= points[None, :]).all(axis=2)
    better = (points[:, None] < points[None, :]).any(axis=2)
    return np.asarray(no_worse & better)


def front(points: Points) -> NDArray[np.bool_]:
    """Say of each point whether none dominates it."""
    if len(points) == 0:
        return np.zeros(0, dtype=np.bool_)
    return np.asarray(~dominates(points).any(axis=0))


def ranks(points: Points) -> NDArray[np.int64]:
    """Return each point's non-domination rank: 0 on the front, 1 on the front of the rest, and so on."""
    result = np.zeros(len(points), dtype=np.int64)
    if len(points) == 0:
        return result
    above = dominates(points)
    left = np.ones(len(points), dtype=np.bool_)
    rank = 0
    while left.any():
        here = left & ~above[left].any(axis=0)
        result[here] = rank
        left &= ~here
        rank += 1
    return result


def crowding(points: Points) -> Points:
    """Return each point's crowding distance within its own rank; the ends of a rank are infinitely far.

    Source: Deb et al. 2002, section III-B. Objectives are scaled by the rank's own spread.
    """
    distance = np.zeros(len(points))
    rank = ranks(points)
    for level in np.unique(rank):
        members = np.flatnonzero(rank == level)
        distance[members] = _spread(points[members])
    return distance


def _spread(points: Points) -> Points:
    distance = np.zeros(len(points))
    for column in points.T:
        order = np.argsort(column, kind="stable")
        with np.errstate(invalid="ignore"):  # infinity less infinity: no span
            span = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if span > 0 and np.isfinite(span):
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return distance


def order(points: Points) -> NDArray[np.int64]:
    """Return the indices from best to worst: by rank, then the less crowded first, then the earlier."""
    return np.lexsort((np.arange(len(points)), -crowding(points), ranks(points)))


def hypervolume(points: Points, reference: Sequence[float]) -> float:
    """Return the volume that points dominate and that dominates the reference; points beyond it add nothing.

    Exact, by slicing along the last objective: meant for two or three of them.
    """
    corner = np.asarray(reference, dtype=np.float64)
    inside = points[(points < corner).all(axis=1)] if len(points) else points
    if len(inside) == 0:
        return 0.0
    return _volume(inside[front(inside)], corner)


def _volume(points: Points, corner: Points) -> float:
    if points.shape[1] == 1:
        return float(corner[0] - points[:, 0].min())
    points = points[np.argsort(points[:, -1], kind="stable")]
    tops = np.append(points[1:, -1], corner[-1])
    with np.errstate(invalid="ignore"):  # infinity less infinity: no height
        slices = enumerate(tops - points[:, -1])
    return sum(float(height) * _volume(points[: i + 1, :-1], corner[:-1]) for i, height in slices if height > 0)
