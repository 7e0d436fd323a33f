"""Test `workers.splits`."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from spaces.errors import InputError
from workers.splits import sample, split

SEEDS = st.integers(0, 2**32 - 1)
LABELS = st.lists(st.integers(0, 6), min_size=1, max_size=80).map(np.array)


def counts_of(labels: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(labels[chosen], minlength=int(labels.max()) + 1)


@given(labels=LABELS, fraction=st.floats(0.01, 0.99), seed=SEEDS)
def test_every_image_is_in_exactly_one_part(labels: NDArray[np.int64], fraction: float, seed: int) -> None:
    train, val = split(labels, fraction, seed)
    assert sorted([*train, *val]) == list(range(len(labels)))
    assert list(train) == sorted(train)
    assert list(val) == sorted(val)


@given(labels=LABELS, fraction=st.floats(0.01, 0.99), seed=SEEDS)
def test_every_class_of_two_images_is_in_both_parts_in_its_share(
    labels: NDArray[np.int64], fraction: float, seed: int
) -> None:
    train, val = split(labels, fraction, seed)
    kept, aside, whole = counts_of(labels, train), counts_of(labels, val), np.bincount(labels)
    assert (kept[whole >= 1] >= 1).all()
    assert (aside[whole >= 2] >= 1).all()
    off = np.abs(aside - fraction * whole)
    assert ((off <= 0.5) | (aside == 1) | (kept == 1)).all()


@given(labels=LABELS, seed=SEEDS)
def test_a_split_is_a_function_of_the_seed(labels: NDArray[np.int64], seed: int) -> None:
    first, again = split(labels, 0.3, seed), split(labels, 0.3, seed)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_another_seed_gives_another_split() -> None:
    labels = np.arange(100) % 5
    assert not np.array_equal(split(labels, 0.2, 0)[1], split(labels, 0.2, 1)[1])


def test_a_class_of_one_image_is_trained_on() -> None:
    train, val = split(np.array([0, 0, 0, 1]), 0.5, 0)
    assert 3 in train
    assert len(val) == 2


def test_a_split_is_the_same_under_every_numpy() -> None:
    val = split(np.arange(1000) % 10, 0.2, 7)[1]
    assert hashlib.sha256(val.astype("<i8").tobytes()).hexdigest()[:16] == "6dc3cd9f235e4447"


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_a_fraction_that_leaves_a_part_empty_is_refused(fraction: float) -> None:
    with pytest.raises(InputError, match=f"{fraction} is not between 0 and 1"):
        split(np.zeros(4, dtype=np.int64), fraction, 0)


@given(labels=LABELS, seed=SEEDS, extra=st.integers(0, 90))
def test_a_sample_has_exactly_the_count_and_every_class(labels: NDArray[np.int64], seed: int, extra: int) -> None:
    count = len(np.unique(labels)) + extra
    chosen = sample(labels, count, seed)
    assert len(chosen) == min(count, len(labels))
    assert len(set(chosen)) == len(chosen)
    assert set(labels[chosen]) == set(labels)


@given(seed=SEEDS, count=st.integers(10, 400))
def test_a_sample_gives_large_classes_their_share(seed: int, count: int) -> None:
    labels = np.repeat([0, 1, 2], [100, 200, 100])
    off = np.abs(counts_of(labels, sample(labels, count, seed)) - np.array([100, 200, 100]) * count / 400)
    assert (off < 1).all()


def test_a_sample_below_one_image_for_each_class_is_refused() -> None:
    with pytest.raises(InputError, match="2 images cannot hold the 3 classes"):
        sample(np.array([0, 1, 2, 2]), 2, 0)


def test_where_rare_classes_take_more_than_their_share_a_large_one_gives_way() -> None:
    labels = np.array([0] * 10 + [1, 2])
    assert list(counts_of(labels, sample(labels, 3, 0))) == [1, 1, 1]
    assert list(counts_of(labels, sample(labels, 4, 0))) == [2, 1, 1]
