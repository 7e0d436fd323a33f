"""Statistics for evaluation are a plain mean over batches, and nothing is waited for while they are measured."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import Tensor, nn

from tests.workers.counted import counted, waits
from workers.calibration import averaged, norms, untracked


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2))


def images() -> list[Tensor]:
    return list(torch.randn(7, 8, 3, 9, 9, generator=torch.Generator().manual_seed(1)))


@pytest.fixture(autouse=True)
def _own_randomness() -> None:
    torch.manual_seed(0)


def test_they_are_torchs_plain_mean_to_the_bit_without_waiting_for_a_device() -> None:
    ours, theirs = network(), network()
    for layer in norms(theirs):
        layer.reset_running_stats()
        layer.momentum = None  # torch's way
    with torch.inference_mode():
        with counted() as waited:
            for batch in images():
                theirs(batch)
        with counted() as seen, averaged(norms(ours)):
            for batch in images():
                ours(batch)
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True))
    assert (waits(seen), waits(waited)) == (0, 14)  # two layers, seven batches
    assert [layer.momentum for layer in norms(ours)] == [0.1, 0.1]


def test_a_layer_that_is_left_out_of_some_batches_knows_the_mean_of_the_others() -> None:
    whole, without = network(), network()
    first, second, third = images()[:3]
    with torch.inference_mode(), averaged(norms(whole)), averaged(norms(without)):
        whole[1](whole[0](second))
        for batch in (first, second, third):
            made = without[0](batch)
            if batch is second:  # as where a branch is dropped in the first batch and the last
                without[1](made)
    for name, held in without[1].state_dict().items():
        assert torch.equal(held, whole[1].state_dict()[name]), name


def test_a_training_that_keeps_none_computes_the_same_by_fewer_operations() -> None:
    with_, without = network(), network()
    before = [layer.running_mean.clone() for layer in norms(without) if layer.running_mean is not None]
    with counted() as many:
        one = with_(images()[0])
    with counted() as few, untracked(norms(without)):
        other = without(images()[0])
    assert torch.equal(one, other)
    assert many["add_"] - few["add_"] == 2
    assert all(torch.equal(a, layer.running_mean) for a, layer in zip(before, norms(without), strict=True)
               if layer.running_mean is not None)  # fmt: skip
    assert all(layer.track_running_stats for layer in norms(without))


@pytest.mark.parametrize("entered", [averaged, untracked])
def test_what_fails_leaves_the_layers_as_they_were(entered: Callable[..., AbstractContextManager[object]]) -> None:
    made = network()

    def fail() -> None:
        with entered(norms(made)):
            made(images()[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert {(layer.momentum, layer.track_running_stats) for layer in norms(made)} == {(0.1, True)}
