"""Judge a network before any training, by one batch of images: the zero-cost proxies of the literature.

Each is a number of which more is said to be better. What they are worth is measured by `tests/benchmarks/proxies.py`:
on residual networks less than the number of macs, so no sampler reads them.

Sources: Abdelfattah et al. 2021 (gradient norm, and synflow for whole networks), Tanaka et al. 2020 (synflow), Mellor
et al. 2021 (NASWOT).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own documentation names it so
from torch import Tensor, nn

from spaces.layers import CReLU

TINY = 1e-300


def gradient_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the sum over parameters of the norm of the loss's gradient.

    Args:
        network: freshly initialised.
        images: `n c h w`, as the network reads them.
        labels: `n`.
    """
    network.train()
    network.zero_grad()
    F.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    found = sum(float(weight.grad.norm()) for weight in network.parameters() if weight.grad is not None)
    network.zero_grad()
    return found


def synflow(network: nn.Module, images: Tensor) -> float:
    """Return the logarithm of the sum over parameters of |weight x gradient|, all weights made positive, without BN.

    Args:
        network: freshly initialised.
        images: `n c h w`; their size alone counts.
    """
    network.double().eval()
    with _positive(network), _without_norms(network):
        network.zero_grad()
        total = network(torch.ones_like(images[:1], dtype=torch.float64)).sum()
        total.backward()
        gradients = [(weight, weight.grad) for weight in network.parameters() if weight.grad is not None]
        found = sum(float((weight * gradient).detach().abs().sum()) for weight, gradient in gradients)
    network.float().zero_grad()
    return math.log(max(found, TINY))


def naswot(network: nn.Module, images: Tensor) -> float:
    """Return log|det K|: how differently ReLUs switch for different images (K counts the ones that agree)."""
    agree = torch.zeros(len(images), len(images), dtype=torch.float64)

    def count(_layer: nn.Module, given: tuple[Tensor, ...], _result: Tensor) -> None:
        switched = (given[0].flatten(1) > 0).double()
        agree.add_((switched @ switched.T + (1 - switched) @ (1 - switched).T).cpu())

    layers = [layer for layer in network.modules() if isinstance(layer, (nn.ReLU, CReLU))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    network.train()
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return float(torch.linalg.slogdet(agree).logabsdet)


@contextmanager
def _positive(network: nn.Module) -> Iterator[None]:
    """Make all weights their absolute values."""
    before = [weight.detach().clone() for weight in network.parameters()]
    with torch.no_grad():
        for weight in network.parameters():
            weight.abs_()
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, kept in zip(network.parameters(), before, strict=True):
                weight.copy_(kept)


@contextmanager
def _without_norms(network: nn.Module) -> Iterator[None]:
    """Let batch normalisation pass on what it reads."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    hooks = [layer.register_forward_hook(lambda _layer, given, _result: given[0]) for layer in norms]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


PROXIES: dict[str, Callable[[nn.Module, Tensor, Tensor], float]] = {
    "gradient_norm": gradient_norm,
    "synflow": lambda network, images, _labels: synflow(network, images),
    "naswot": lambda network, images, _labels: naswot(network, images),
}
