"""Find fronts and their hypervolume. Everything here is minimised; callers flip signs once, before they come.

A point is one row of `m` objective values. NaN is refused; infinities are allowed. Of equal points each is as good as
the other: neither dominates, so both stay on the front.
"""

from bisect import bisect_left
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


def dominates(points: Points, others: Points | None = None) -> NDArray[np.bool_]:
    """Return a matrix `n k`: whether row i is nowhere worse than row j of the others and somewhere better.

    Without others, the rows are compared with one another.
    """
    them = points if others is None else others
    no_worse = (points[:, None] <= them[None, :]).all(axis=2)
    better = (points[:, None] < them[None, :]).any(axis=2)
    return np.asarray(no_worse & better)


def front(points: Points) -> NDArray[np.bool_]:
    """Say of each point whether none dominates it."""
    best = np.zeros(len(points), dtype=np.bool_)
    left = np.lexsort(points.T[::-1]) if len(points) else np.zeros(0, dtype=np.int64)
    while len(left):  # the first of those left is on the front: whatever dominates a point stands before it
        first, rows = points[left[0]], points[left]
        best[left[(rows == first).all(axis=1)]] = True
        left = left[(rows < first).any(axis=1)]
    return best


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


class Layers:
    """Keep points by non-domination rank as they come, since to rank all of them anew for each takes n^2.

    Source: Li et al. 2017: a point that comes pushes those of its rank that it dominates one rank down, these push
    others in turn, and where a whole rank is pushed, so are all behind it.
    """

    def __init__(self) -> None:
        self._layers: list[tuple[NDArray[np.int64], Points]] = []  # names `k` and points `k m` of each rank

    def __getitem__(self, rank: int) -> tuple[NDArray[np.int64], Points]:
        """Return names and points of a rank, in no order."""
        return self._layers[rank]

    def above(self, rank: int) -> int:
        """Return how many points have a better rank."""
        return sum(len(names) for names, _ in self._layers[:rank])

    def rank(self, point: Sequence[float]) -> int:
        """Return the rank that a point has, or would have."""
        row = as_points([point])
        return bisect_left(self._layers, x=True, key=lambda layer: not dominates(layer[1], row).any())

    def add(self, name: int, point: Sequence[float]) -> None:
        """Put a point among the others."""
        names, points, rank = np.array([name]), as_points([point]), self.rank(point)
        while rank < len(self._layers) and len(names):
            there, theirs = self._layers[rank]
            pushed = dominates(points, theirs).any(axis=0)
            if pushed.all():
                break
            self._layers[rank] = np.append(there[~pushed], names), np.concatenate([theirs[~pushed], points])
            names, points, rank = there[pushed], theirs[pushed], rank + 1
        if len(names):
            self._layers.insert(rank, (names, points))


def crowding(points: Points) -> Points:
    """Return each point's crowding distance within its own rank; the ends of a rank are infinitely far.

    Source: Deb et al. 2002, section III-B. Objectives are scaled by the rank's own spread.
    """
    distance = np.zeros(len(points))
    rank = ranks(points)
    for level in np.unique(rank):
        members = np.flatnonzero(rank == level)
        distance[members] = spread(points[members])
    return distance


def spread(points: Points) -> Points:
    """Return the crowding distance of points that are all of one rank; of equal ones it depends on their order."""
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
