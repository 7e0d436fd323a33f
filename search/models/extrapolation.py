"""Expect what a training will come to from what it showed at a rung: a Bayesian line, learned from those that went on.

Both ends are errors below which there is a best one, and what counts is how far above it they are, in proportion more
than in steps. So the line runs between logarithms of errors less the best, softened by the spread of the better half.
Each end has a best and a spread of its own: early errors may lie anywhere, and as close together as they like.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.models.distributions import student_quantile

Array = NDArray[np.float64]

SLOPE, SLOPE_SPREAD = 1.0, 1.0  # before anything is known: differences stay as they are
LEVEL_SPREAD = 3.0
FREEDOM, VARIANCE = 2.0, 0.25  # of what the line leaves unexplained, likewise
QUANTILES = (np.arange(32) + 0.5) / 32  # by which a distribution is averaged
LARGEST = 3.0  # logarithm beyond which an error is not told from worse


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of trainings: the middle of each one's error `n`, and how far it may be from there."""

    middle: Array
    deviation: Array


class Axis:
    """Measure errors above the best that was seen."""

    def __init__(self, errors: Array) -> None:
        """Take every error that was seen there."""
        best = float(errors.min())
        spread = float(np.median(errors)) - best
        self._spread = spread if spread > 0 else 1.0
        self._origin = best - self._spread

    def place(self, errors: Array) -> Array:
        """Return places on the axis; whatever is better than the best is as good."""
        return np.asarray(np.log(np.maximum((errors - self._origin) / self._spread, 0.1)))

    def error(self, places: Array) -> Array:
        """Return the errors at places."""
        return np.asarray(np.exp(np.minimum(places, LARGEST)) * self._spread + self._origin)


class Extrapolation:
    """Expect final errors from errors at one rung."""

    def __init__(self, rung: Axis, full: Axis, shown: Array, final: Array) -> None:
        """Learn.

        Args:
            rung: of errors at the rung.
            full: of errors at full fidelity.
            shown: `n`, by trainings at the rung.
            final: `n`, what they came to.
        """
        self._rung, self._full = rung, full
        before, after = rung.place(shown), full.place(final)
        self._middle = float(np.median(before)) if len(before) else 0.0
        level = float(np.median(after)) if len(after) else 0.0
        rows, targets = _rows(before - self._middle), after - level
        precision = np.diag([LEVEL_SPREAD**-2, SLOPE_SPREAD**-2])
        believed = np.array([0.0, SLOPE])
        self._covariance = np.linalg.inv(rows.T @ rows + precision)
        self._line = self._covariance @ (rows.T @ targets + precision @ believed)
        left, moved = targets - rows @ self._line, self._line - believed
        self._level = level
        self._freedom = 2 * FREEDOM + len(targets)
        self._variance = (2 * FREEDOM * VARIANCE + left @ left + moved @ precision @ moved) / self._freedom

    def draws(self, shown: Array) -> Array:
        """Return errors `n q`, the least first, that trainings are as likely to come to that showed `n` at the rung."""
        rows = _rows(self._rung.place(shown) - self._middle)
        mean = rows @ self._line + self._level
        scale = np.sqrt(self._variance * (1 + ((rows @ self._covariance) * rows).sum(axis=1)))
        return self._full.error(mean[:, None] + scale[:, None] * student_quantile(self._freedom, QUANTILES)[None])


def expected(draws: Array) -> Expected:
    """Return what errors `n q` that are as likely come to."""
    low, middle, high = np.quantile(draws, [0.16, 0.5, 0.84], axis=1)
    return Expected(middle, np.maximum((high - low) / 2, 1e-12))


def draws_at(
    full: Axis,
    everyone: Callable[[int], Array],
    examples: Callable[[int], tuple[Array, Array]],
    epochs: Sequence[int],
    shown: Array,
) -> Array:
    """Return errors `n q` that trainings are as likely to come to, each by what it showed at a rung of its own.

    Args:
        full: of errors at full fidelity.
        everyone: for the epoch of a rung, all errors that were shown there.
        examples: for the epoch of a rung, what finished trainings showed there and what they came to.
        epochs: of each training's rung.
        shown: `n`, the errors there.
    """
    draws = np.empty((len(epochs), len(QUANTILES)))
    for epoch in set(epochs):
        here = [place for place, each in enumerate(epochs) if each == epoch]
        draws[here] = Extrapolation(Axis(everyone(epoch)), full, *examples(epoch)).draws(shown[here])
    return draws


def _rows(places: Array) -> Array:
    return np.column_stack([np.ones(len(places)), places])
