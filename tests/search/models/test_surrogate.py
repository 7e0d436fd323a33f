"""The surrogate learns a smooth function from few noisy values, and knows what it does not know."""

import numpy as np
import pytest

from search.models.surrogate import Array, Surrogate


def wave(features: Array) -> Array:
    return np.asarray(1.0 - 2.0 * features[:, 0] + 0.8 * features[:, 1] ** 2)


def drawn(count: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(count, 4)) / 2


def learned(count: int, noise: float = 0.02, seed: int = 0) -> tuple[Surrogate, Array, Array]:
    features = drawn(count, seed)
    values = wave(features) + np.random.default_rng(seed + 1).normal(scale=noise, size=count)
    surrogate = Surrogate(4)
    surrogate.fit(features, values, adjust=True)
    return surrogate, features, values


def test_it_finds_a_slope_and_a_curve_from_thirty_values() -> None:
    surrogate, _, _ = learned(30)
    others = drawn(200, 9)
    belief = surrogate.predict(others)
    assert np.corrcoef(belief.mean, wave(others))[0, 1] > 0.98


def test_what_is_far_from_all_it_learned_from_is_less_certain() -> None:
    surrogate, features, _ = learned(30)
    belief = surrogate.predict(np.vstack([features[:1], features[:1] + 10]))
    assert belief.deviation[1] > 2 * belief.deviation[0]


def test_its_deviations_are_of_the_size_of_its_errors() -> None:
    surrogate, _, _ = learned(40, noise=0.1)
    others = drawn(300, 5)
    belief = surrogate.predict(others)
    assert 0.1 < np.sqrt(np.mean(((belief.mean - wave(others)) / belief.deviation) ** 2)) < 2


def test_a_trained_networks_true_value_lies_between_the_model_and_what_it_showed() -> None:
    surrogate, features, values = learned(30, noise=0.2)
    mean, between = surrogate.predict(features).mean, surrogate.trained(features, values)
    assert (np.minimum(mean, values) - 1e-9 <= between).all()
    assert (between <= np.maximum(mean, values) + 1e-9).all()


def test_a_value_that_is_known_badly_moves_the_model_less() -> None:
    features = drawn(30, 0)
    values = wave(features)
    values[0] += 5
    moved = []
    for variance in (0.0, 100.0):
        surrogate = Surrogate(4)
        surrogate.fit(features, values, np.where(np.arange(30) == 0, variance, 0.0), adjust=False)
        moved.append(abs(surrogate.predict(features[:1]).mean[0] - wave(features[:1])[0]))
    assert moved[1] < moved[0] / 2


def test_units_do_not_matter() -> None:
    features = drawn(25, 0)
    one, other = Surrogate(4), Surrogate(4)
    one.fit(features, wave(features), adjust=True)
    other.fit(features, 1000 * wave(features) - 7, adjust=True)
    assert other.predict(features).mean == pytest.approx(1000 * one.predict(features).mean - 7, rel=1e-3, abs=0.5)


def test_equal_values_are_no_difficulty() -> None:
    surrogate = Surrogate(4)
    surrogate.fit(drawn(12, 0), np.full(12, 0.25), adjust=True)
    assert surrogate.predict(drawn(3, 1)).mean == pytest.approx(0.25, abs=0.05)
