"""Learn what training reveals from what is known before it: a Gaussian process over features of networks.

The kernel is a sum of a linear part, a quadratic one and a smooth rest. On spaces of residual networks the first two
explain most of what differs between networks, and they need few trials to be learned.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from search.models.gaussian_process import Array, Posterior, likelihood, noise

OWN = 0.6  # share of what the features leave unexplained that is the network's own and not its seed's
MOST_FITTED = 150  # trials that the kernel's parameters are fitted on; the posterior uses all of them
JITTER = 1e-8  # on the diagonal, for the sake of factoring it
STEPS = 12  # of the optimiser, which goes on from the last fit

# Medians and spreads of the priors, in natural logarithms. Targets have a standard deviation of 1.
_AMPLITUDES = ((np.log(0.5), 1.5), (np.log(0.1), 1.5), (np.log(0.2), 1.5))  # linear, quadratic, smooth
_LENGTH = (np.log(3.0), 1.0)  # of each feature, times the root of how many there are
_NOISE = (np.log(0.1), 1.5)
_BOUNDS = ((1e-5, 1e3), (1e-1, 1e3), (1e-6, 1e1))  # of an amplitude, a length, the noise


@dataclass(frozen=True, slots=True)
class Belief:
    """What is expected of networks, each as a mean and a standard deviation of its true value `n`."""

    mean: Array
    deviation: Array


class Surrogate:
    """Predict one learned value, which is minimised, from features `n d` of unit scale."""

    def __init__(self, dimensions: int) -> None:
        pairs = [*_AMPLITUDES, *[_LENGTH] * dimensions, _NOISE]
        self._centers, self._spreads = np.array(pairs, dtype=np.float64).T
        amplitude, length, noise_ = np.log(_BOUNDS)
        self._bounds = np.array([*[amplitude] * len(_AMPLITUDES), *[length] * dimensions, noise_])
        self._theta = self._centers
        self._center, self._scale = 0.0, 1.0
        self._model: Posterior | None = None

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
        extra = (np.zeros(len(values)) if extra is None else extra / self._scale**2) + JITTER
        if adjust:
            chosen = np.linspace(0, len(values) - 1, min(len(values), MOST_FITTED)).astype(int)
            self._theta = self._adjusted(features[chosen], targets[chosen], extra[chosen])
        self._model = Posterior.of(self._theta, features, targets, extra)

    def predict(self, features: Array) -> Belief:
        """Return what is expected of networks that were never trained."""
        assert self._model is not None
        mean, variance = self._model.predict(features)
        variance = np.maximum(variance, 1e-12) + OWN * noise(self._theta)
        return Belief(mean * self._scale + self._center, np.sqrt(variance) * self._scale)

    def trained(self, features: Array, values: Array) -> Array:
        """Return the expected true values `n` of networks that were trained: between the model and what they showed."""
        mean = self.predict(features).mean
        return np.asarray(mean + OWN * (values - mean))

    def _adjusted(self, features: Array, values: Array, extra: Array) -> Array:
        """Return the parameters of most likelihood times prior: few trials alone do not tell them."""

        def posterior(theta: Array) -> tuple[float, Array]:
            value, slope = likelihood(theta, features, values, extra)
            away = (theta - self._centers) / self._spreads
            return 0.5 * float(away @ away) - value, away / self._spreads - slope

        found = minimize(
            posterior, self._theta, jac=True, bounds=self._bounds, method="L-BFGS-B", options={"maxiter": STEPS}
        )
        return np.asarray(found.x)
