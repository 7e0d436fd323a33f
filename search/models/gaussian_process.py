"""Regress by a Gaussian process whose kernel is linear, quadratic and smooth at once.

Its parameters `theta` are natural logarithms: of the amplitudes of the three, of the length of each feature, and of the
variance of the noise. Rasmussen and Williams 2006, algorithm 2.1 and equation 5.9; nothing here is fitted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular

Array = NDArray[np.float64]


def noise(theta: Array) -> float:
    """Return the variance that values have of their own."""
    return float(np.exp(theta[-1]))


def likelihood(theta: Array, features: Array, values: Array, extra: Array) -> tuple[float, Array]:
    """Return the logarithm of the likelihood of values `n`, and its slope along `theta`; minus infinity where none is.

    Args:
        theta: of the kernel.
        features: `n d`.
        values: `n`, of mean 0.
        extra: `n`; variance of each beside the noise.
    """
    linear, quadratic, smooth = _parts(theta, features, features)
    try:
        factor = cholesky(linear + quadratic + smooth + np.diag(extra + noise(theta)), lower=True)
    except LinAlgError:
        return -np.inf, np.zeros_like(theta)
    weights = cho_solve((factor, True), values)
    spare = np.outer(weights, weights) - cho_solve((factor, True), np.eye(len(values)))
    near = spare * smooth
    apart = 2 * (near.sum(axis=1) @ features**2 - np.einsum("nd,nd->d", features, near @ features))
    slopes = [*((spare * part).sum() for part in (linear, quadratic, smooth)), *apart / np.exp(2 * theta[3:-1])]
    slope = 0.5 * np.array([*slopes, noise(theta) * np.trace(spare)])
    told = -0.5 * values @ weights - np.log(np.diag(factor)).sum() - 0.5 * len(values) * np.log(2 * np.pi)
    return float(told), slope


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is expected after values `n` of features `n d`."""

    theta: Array
    features: Array
    factor: Array  # n n; Cholesky's, of the covariance of the values
    weights: Array  # n

    @classmethod
    def of(cls, theta: Array, features: Array, values: Array, extra: Array) -> "Posterior":
        """Learn values of mean 0; the arguments are those of `likelihood`."""
        covariance = sum(_parts(theta, features, features))
        factor = cholesky(covariance + np.diag(extra + noise(theta)), lower=True)
        return cls(theta, features, factor, cho_solve((factor, True), values))

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Return mean and variance `k` at other features `k d`, without noise; rounding can make a variance < 0."""
        across = np.asarray(sum(_parts(self.theta, features, self.features)))
        known = solve_triangular(self.factor, across.T, lower=True)
        linear, quadratic, smooth = np.exp(self.theta[:3])
        square = (features**2).sum(axis=1)
        before = linear * square + quadratic * square**2 + smooth
        return across @ self.weights, before - (known**2).sum(axis=0)


def _parts(theta: Array, first: Array, second: Array) -> tuple[Array, Array, Array]:
    """Return the linear, the quadratic and the smooth covariance `n k` of features `n d` and `k d`."""
    amplitudes, lengths = np.exp(theta[:3]), np.exp(theta[3:-1])
    dots = first @ second.T
    one, other = first / lengths, second / lengths
    apart = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    smooth = np.exp(-0.5 * np.maximum(apart, 0.0))
    return amplitudes[0] * dots, amplitudes[1] * dots**2, amplitudes[2] * smooth
