"""Learn what training reveals from what is known before it: a Gaussian process over features of networks.

The kernel is a sum of a linear part, a quadratic one and a smooth rest. On spaces of residual networks the first two
explain most of what differs between networks, and they need few trials to be learned.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Kernel, WhiteKernel

Array = NDArray[np.float64]

OWN = 0.6  # share of what the features leave unexplained that is the network's own and not its seed's
MOST_FITTED = 150  # trials that the kernel's parameters are fitted on; the posterior uses all of them
JITTER = 1e-8  # on the diagonal, for the sake of factoring it
STEPS = 12  # of the optimiser, which goes on from the last fit

# Medians and spreads of the priors, in natural logarithms. Targets have a standard deviation of 1.
_AMPLITUDES = ((np.log(0.5), 1.5), (np.log(0.1), 1.5), (np.log(0.2), 1.5))  # linear, quadratic, smooth
_LENGTH = (np.log(3.0), 1.0)  # of each feature, times the root of how many there are
_NOISE = (np.log(0.1), 1.5)


@dataclass(frozen=True, slots=True)
class Belief:
    """What is expected of networks, each as a mean and a standard deviation of its true value `n`."""

    mean: Array
    deviation: Array


class Surrogate:
    """Predict one learned value, which is minimised, from features `n d` of unit scale."""

    def __init__(self, dimensions: int) -> None:
        self._kernel = _kernel(dimensions)
        self._priors = _priors(dimensions)
        self._center, self._scale = 0.0, 1.0
        self._model: GaussianProcessRegressor | None = None

    def fit(self, features: Array, values: Array, extra: Array | None = None, *, adjust: bool) -> None:
        """Learn.

        Args:
            features: `n d`.
            values: `n`.
            extra: `n`; variance of each value beside the noise that all of them have.
            adjust: fit the kernel's parameters too, which takes longer.
        """
        self._center, self._scale = float(values.mean()), float(values.std()) or 1.0
        targets = (values - self._center) / self._scale
        extra = np.zeros(len(values)) if extra is None else extra / self._scale**2
        if adjust:
            chosen = np.linspace(0, len(values) - 1, min(len(values), MOST_FITTED)).astype(int)
            adjusting = GaussianProcessRegressor(self._kernel, alpha=extra[chosen] + JITTER, optimizer=self._ascend)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound: a feature says nothing
                self._kernel = adjusting.fit(features[chosen], targets[chosen]).kernel_
        self._model = GaussianProcessRegressor(self._kernel, alpha=extra + JITTER, optimizer=None)
        self._model.fit(features, targets)

    def predict(self, features: Array) -> Belief:
        """Return what is expected of networks that were never trained."""
        assert self._model is not None
        mean, deviation = self._model.predict(features, return_std=True)
        noise = self._noise
        variance = np.maximum(deviation**2 - noise, 1e-12) + OWN * noise  # the model's counts all noise
        return Belief(mean * self._scale + self._center, np.sqrt(variance) * self._scale)

    def trained(self, features: Array, values: Array) -> Array:
        """Return the expected true values `n` of networks that were trained: between the model and what they showed."""
        mean = self.predict(features).mean
        return np.asarray(mean + OWN * (values - mean))

    @property
    def _noise(self) -> float:
        return float(np.exp(self._kernel.theta[-1]))

    def _ascend(
        self, objective: Callable[..., tuple[float, Array]], start: Array, bounds: Array
    ) -> tuple[Array, float]:
        """Maximise likelihood times prior: scikit-learn's own optimiser knows no prior, and few trials need one."""
        center, spread = self._priors

        def posterior(theta: Array) -> tuple[float, Array]:
            value, slope = objective(theta)
            away = (theta - center) / spread
            return value + 0.5 * float(away @ away), slope + away / spread

        found = minimize(posterior, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": STEPS})
        return found.x, float(found.fun)


def _kernel(dimensions: int) -> Kernel:
    linear, quadratic, smooth = (ConstantKernel(np.exp(median), (1e-5, 1e3)) for median, _ in _AMPLITUDES)
    lengths = np.full(dimensions, np.exp(_LENGTH[0]))
    return (
        linear * DotProduct(0.0, "fixed")
        + quadratic * DotProduct(0.0, "fixed") ** 2
        + smooth * RBF(lengths, (1e-1, 1e3))
        + WhiteKernel(np.exp(_NOISE[0]), (1e-6, 1e1))
    )


def _priors(dimensions: int) -> tuple[Array, Array]:
    pairs = [*_AMPLITUDES, *[_LENGTH] * dimensions, _NOISE]
    center, spread = np.array(pairs, dtype=np.float64).T
    return center, spread
