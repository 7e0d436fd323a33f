"""The Gaussian process is scikit-learn's for the same kernel, and its slope is that of its likelihood."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

from search.models.gaussian_process import Array, Posterior, likelihood

FEATURES, OTHERS = (np.random.default_rng(seed).normal(size=(20, 3)) for seed in (0, 1))
VALUES = np.sin(FEATURES.sum(axis=1)) - FEATURES[:, 0]
EXTRA = np.linspace(0.01, 0.2, 20)
THETA = np.log([0.5, 0.1, 0.2, 0.7, 2.0, 5.0, 0.1])


def theirs(theta: Array) -> GaussianProcessRegressor:
    linear, quadratic, smooth, *lengths, noise = np.exp(theta)
    dot = DotProduct(0.0, "fixed")
    kernel = ConstantKernel(linear) * dot + ConstantKernel(quadratic) * dot**2 + ConstantKernel(smooth) * RBF(lengths)
    return GaussianProcessRegressor(kernel + WhiteKernel(noise), alpha=EXTRA, optimizer=None).fit(FEATURES, VALUES)


def test_likelihood_and_slope_are_scikit_learns() -> None:
    value, slope = likelihood(THETA, FEATURES, VALUES, EXTRA)
    expected, gradient = theirs(THETA).log_marginal_likelihood(THETA, eval_gradient=True)
    assert value == pytest.approx(expected, rel=1e-10)
    assert slope == pytest.approx(gradient, rel=1e-8)


def test_what_is_expected_is_what_scikit_learn_expects_without_its_noise() -> None:
    mean, variance = Posterior.of(THETA, FEATURES, VALUES, EXTRA).predict(OTHERS)
    expected, deviation = theirs(THETA).predict(OTHERS, return_std=True)
    assert mean == pytest.approx(expected, rel=1e-8)
    assert variance + np.exp(THETA[-1]) == pytest.approx(deviation**2, rel=1e-8)


def test_values_that_cannot_be_so_have_no_likelihood() -> None:
    value, slope = likelihood(THETA, FEATURES, VALUES, np.full(20, -9.0))
    assert value == -np.inf
    assert not slope.any()
