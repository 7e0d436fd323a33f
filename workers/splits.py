"""Choose images so that every class keeps its share. Pure functions of labels and a seed."""

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InputError

Labels = NDArray[np.int64]  # n; 0 to classes - 1
Indices = NDArray[np.int64]  # in ascending order


def split(labels: Labels, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Return the images that stay and, of each class, the fraction that is set aside.

    A class of two images or more has at least one on either side; a class of one image stays.

    Raises:
        InputError: the fraction is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise InputError(f"{fraction} is not between 0 and 1")
    counts = np.bincount(labels)
    shares = np.clip(np.rint(fraction * counts).astype(np.int64), np.minimum(1, counts - 1), counts - 1)
    aside = _drawn(labels, shares, seed)
    return np.flatnonzero(~aside), np.flatnonzero(aside)


def fold(labels: Labels, part: int, parts: int, seed: int) -> tuple[Indices, Indices]:
    """Return the images of all other parts and those of one, of so many parts that hold every class in its share.

    Raises:
        InputError: there are more parts than images.
    """
    if parts > len(labels):
        raise InputError(f"{len(labels)} images cannot make {parts} parts")
    dealt = np.zeros(len(labels), dtype=np.bool_)
    dealt[_by_class(labels, seed)[part::parts]] = True
    return np.flatnonzero(~dealt), np.flatnonzero(dealt)


def sample(labels: Labels, count: int, seed: int) -> Indices:
    """Return exactly `count` images, or all where there are no more: each class its share, and at least one.

    Raises:
        InputError: there are more classes than that.
    """
    counts = np.bincount(labels)
    present = np.minimum(1, counts)
    if count < present.sum():
        raise InputError(f"{count} images cannot hold the {present.sum()} classes")
    exact = counts * min(count / max(len(labels), 1), 1)
    shares = np.clip(np.floor(exact).astype(np.int64), present, counts)
    for _ in range(abs(min(count, len(labels)) - int(shares.sum()))):  # as many steps as the rounding went wrong by
        step = 1 if shares.sum() < count else -1
        room = shares < counts if step > 0 else shares > present
        shares[np.argmax(np.where(room, (exact - shares) * step, -np.inf))] += step
    return np.flatnonzero(_drawn(labels, shares, seed))


def _by_class(labels: Labels, seed: int) -> Indices:
    """Return all images class by class, within each in an order that the seed draws.

    `RandomState` because numpy keeps its numbers the same for ever (NEP 19), and `default_rng` may change them: a study
    that goes on under another numpy must find the same split.
    """
    shuffled = np.random.RandomState(seed).permutation(len(labels))
    return np.asarray(shuffled[np.argsort(labels[shuffled], kind="stable")], dtype=np.int64)


def _drawn(labels: Labels, shares: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Say of each image whether it is among its class's share."""
    grouped = _by_class(labels, seed)
    counts = np.bincount(labels, minlength=len(shares))
    starts = np.cumsum(counts) - counts
    place = np.arange(len(labels)) - starts[labels[grouped]]
    drawn = np.zeros(len(labels), dtype=np.bool_)
    drawn[grouped] = place < shares[labels[grouped]]
    return drawn
