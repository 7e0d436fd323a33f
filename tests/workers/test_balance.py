"""Classes of unequal size count alike, by weight or by how often they are drawn."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.balance import drawn, weights

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=80).map(torch.tensor)


def order(labels: torch.Tensor, seed: int = 0, *, alike: bool = True) -> torch.Tensor:
    return drawn(labels, torch.Generator().manual_seed(seed), alike=alike)


def test_a_weight_is_the_inverse_of_a_share_and_their_mean_is_1() -> None:
    found = weights(torch.tensor([0] * 6 + [1] * 3 + [2]), 3)
    assert found.tolist() == pytest.approx([1 / 3, 2 / 3, 2])
    assert found.dtype == torch.float32
    assert weights(torch.tensor([0, 2, 2]), 4).tolist() == pytest.approx([4 / 3, 1, 2 / 3, 1])  # of no image: the mean


@given(labels=LABELS)
def test_weights_are_finite_and_make_every_class_weigh_alike(labels: torch.Tensor) -> None:
    found, counts = weights(labels, 7), labels.bincount(minlength=7)
    each = (found * counts)[counts > 0]
    assert torch.allclose(each, each[:1])
    assert float(found.mean()) == pytest.approx(1)


@given(labels=LABELS, seed=st.integers(0, 99))
def test_classes_are_drawn_equally_often_and_none_again_before_all_of_it(labels: torch.Tensor, seed: int) -> None:
    found = order(labels, seed)
    assert len(found) == len(labels)
    drawn_of = labels[found].bincount(minlength=6)[labels.bincount(minlength=6) > 0]
    assert int(drawn_of.max() - drawn_of.min()) <= 1
    for label in labels.unique():
        times = found.bincount(minlength=len(labels))[labels == label]
        assert int(times.max() - times.min()) <= 1


def test_the_seed_alone_decides_and_another_one_draws_others() -> None:
    labels = torch.arange(60) % 7 % 3
    assert torch.equal(order(labels), order(labels))
    assert not torch.equal(order(labels), order(labels, 1))
    assert {int(each) for seed in range(20) for each in order(labels, seed)} == set(range(60))


def test_without_balance_the_order_is_that_of_before_it_existed() -> None:
    expected = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    assert torch.equal(order(torch.arange(60) % 7, 3, alike=False), expected)


def test_images_that_lie_class_by_class_are_mixed() -> None:
    found = torch.tensor([0] * 900 + [1] * 100)[order(torch.tensor([0] * 900 + [1] * 100))]
    assert 30 < int(found[:100].sum()) < 70
