"""Zero-cost proxies are what their authors define, and leave the network as it was."""

import math

import pytest
import torch
from torch import Tensor, nn

from spaces.architecture import Architecture, ImageSpec
from spaces.names import named
from spaces.network import Network, build
from tests.benchmarks.zero_cost import PROXIES, gradient_norm, naswot, synflow

IMAGE = ImageSpec(channels=1, height=8, width=8, classes=10)


def network(architecture: Architecture | None = None) -> Network:
    wanted = architecture or named("wrn-10-1").architecture
    return build(wanted, IMAGE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(16, 1, 8, 8, generator=generator), torch.randint(0, 10, (16,), generator=generator)


def test_the_gradient_norm_is_that_of_the_loss() -> None:
    linear = nn.Linear(1, 2, bias=False)
    linear.weight.data = torch.zeros(2, 1)
    # Both classes are as likely; with one image of 3 the gradient is (-1/2, 1/2) times 3.
    found = gradient_norm(linear, torch.tensor([[3.0]]), torch.tensor([0]))
    assert found == pytest.approx(3 * math.sqrt(0.5))
    assert linear.weight.grad is None


def test_synflow_of_a_chain_counts_its_paths_once_a_layer() -> None:
    chain = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False))
    for layer in chain:
        assert isinstance(layer, nn.Linear)
        layer.weight.data = torch.full_like(layer.weight, -0.5)
    paths = 3 * 4 * 2 * 0.5**2  # each layer's weights times gradients sum to it
    assert synflow(chain, torch.randn(5, 3)) == pytest.approx(math.log(2 * paths))
    assert (next(chain.parameters()) == -0.5).all()


def test_synflow_looks_at_no_image(batch: tuple[Tensor, Tensor]) -> None:
    images, _ = batch
    assert synflow(network(), images) == synflow(network(), 7 * images[:2])


def test_synflow_of_a_deep_network_does_not_overflow() -> None:
    deep = network(named("wrn-40-1").architecture)
    assert math.isfinite(synflow(deep, torch.zeros(1, 1, 8, 8)))


def test_naswot_is_higher_where_relus_tell_images_apart(batch: tuple[Tensor, Tensor]) -> None:
    images, _ = batch
    alike = images[:1] + 1e-3 * images
    assert naswot(network(), images) > naswot(network(), alike)


def test_naswot_counts_the_relus_that_agree() -> None:
    two = torch.tensor([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])  # one of three agrees
    assert naswot(nn.ReLU(), two) == pytest.approx(math.log(3 * 3 - 1))


@pytest.mark.parametrize("name", sorted(PROXIES))
@pytest.mark.parametrize("kind", ["wrn-10-1", "resnet-8", "densenet-10-12", "mobilenet-0.25-32", "dfn-mr-8"])
def test_every_kind_of_network_can_be_judged(name: str, kind: str, batch: tuple[Tensor, Tensor]) -> None:
    wanted = named(kind).architecture
    image = IMAGE if wanted.stem == "small" else ImageSpec(channels=1, height=32, width=32, classes=10)
    judged = build(wanted, image, generator=torch.Generator().manual_seed(0))
    before = [weight.detach().clone() for weight in judged.parameters()]
    images, labels = batch
    images = images if image.height == 8 else torch.nn.functional.interpolate(images, 32)
    assert math.isfinite(PROXIES[name](judged, images, labels))
    assert all(torch.equal(weight, kept) for weight, kept in zip(judged.parameters(), before, strict=True))
    assert all(weight.grad is None for weight in judged.parameters())
