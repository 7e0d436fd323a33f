"""Measure the statistics that normalisations use at evaluation, apart from training.

They are the plain mean, over batches of training images of the size that a step has, of each batch's means and
unbiased variances: what training has normalised by, without the lag of running averages. So a larger batch here would
be other statistics, and none is taken.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from torch import nn

LAST_BATCHES = 8  # of an epoch after which nothing is measured, whose statistics are kept


def norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    """Return the normalisations of a network whose statistics are measured."""
    return [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]


@contextmanager
def untracked(layers: Sequence[nn.BatchNorm2d]) -> Iterator[None]:
    """Normalise by each batch's own statistics and keep none of them: an epoch's are thrown away at its end."""
    before = [layer.track_running_stats for layer in layers]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer, tracks in zip(layers, before, strict=True):
            layer.track_running_stats = tracks


@contextmanager
def averaged(layers: Sequence[nn.BatchNorm2d]) -> Iterator[None]:
    """Forget what is known, and let normalisations in training keep the plain mean over the batches to come.

    Each weighs a batch by how many have reached it: a branch that is dropped is not computed. Torch does so where the
    momentum is None, but reads the number of batches from the device for each layer and batch.
    """
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
    counting = [layer.register_forward_pre_hook(_weigher(layer)) for layer in layers]
    try:
        yield
    finally:
        for layer, momentum, hook in zip(layers, momenta, counting, strict=True):
            hook.remove()
            layer.momentum = momentum


def _weigher(layer: nn.BatchNorm2d) -> Callable[..., None]:
    numbers = count(1)

    def weigh(*_given: object) -> None:
        layer.momentum = 1.0 / next(numbers)

    return weigh
