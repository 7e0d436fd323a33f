"""Test `spaces.network`."""

import math

import pytest
import torch
from torch import nn

from spaces.architecture import STEMS, Architecture, ImageSpec, plan
from spaces.blocks import BLOCKS
from spaces.errors import InfeasibleArchitecture
from spaces.network import Head, Network, Stem, build, check_fits


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_seeded_generator_remakes_every_weight(block: str) -> None:
    architecture = Architecture(block=block, depths=(1, 2, 1))
    assert same(
        build(architecture, ImageSpec(), generator=seeded(3)), build(architecture, ImageSpec(), generator=seeded(3))
    )


def test_another_seed_gives_other_weights() -> None:
    one, other = (build(Architecture(), ImageSpec(), generator=seeded(seed)) for seed in (3, 4))
    for (name, first), second in zip(one.named_parameters(), other.parameters(), strict=True):
        drawn = first.ndim > 1
        assert torch.equal(first, second) != drawn, name


def test_a_generator_of_ones_own_leaves_torchs_as_it_was() -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    build(Architecture(dropout="after", dropout_rate=0.5), ImageSpec(), generator=seeded(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_hang_on_the_generator_alone() -> None:
    torch.manual_seed(1)
    one = build(Architecture(), ImageSpec(), generator=seeded(0))
    torch.manual_seed(2)
    assert same(one, build(Architecture(), ImageSpec(), generator=seeded(0)))


def test_without_a_generator_torchs_own_seed_decides() -> None:
    networks = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        networks.append(build(Architecture(), ImageSpec()))
    assert same(networks[0], networks[1])
    assert not same(networks[0], networks[2])


def test_convolutions_begin_he_normal_by_fan_out() -> None:
    network = build(
        Architecture(widths=(64, 128, 256), block="resnext", cardinality=4), ImageSpec(), generator=seeded(0)
    )
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    for layer in convolutions:
        fan_out = layer.out_channels * math.prod(layer.kernel_size)
        spread = layer.weight.std().item() * math.sqrt(fan_out / 2)
        assert spread == pytest.approx(1, abs=4 / math.sqrt(2 * layer.weight.numel()))
        assert abs(layer.weight.mean().item()) < 5 * math.sqrt(2 / fan_out / layer.weight.numel())


def test_normalisations_begin_as_the_identity_and_the_classifier_without_bias() -> None:
    network = build(Architecture(block="preact"), ImageSpec(), generator=seeded(0))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()
    assert not network.head.linear.bias.any()
    bound = 1 / math.sqrt(network.head.linear.in_features)
    assert 0.9 * bound < network.head.linear.weight.abs().max() <= bound


def test_a_fresh_network_trains_on_the_cpu_in_float32_everywhere() -> None:
    network = build(Architecture(), ImageSpec(), generator=seeded(0))
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert {(p.device.type, p.dtype) for p in network.parameters()} == {("cpu", torch.float32)}


@pytest.mark.parametrize("block", BLOCKS)
def test_stages_and_blocks_are_those_of_the_plan(block: str) -> None:
    architecture = Architecture(block=block, depths=(1, 3, 2))
    network = build(architecture, ImageSpec())
    assert [len(stage) for stage in network.stages] == [1, 3, 2]  # type: ignore[arg-type]
    assert network.head.linear.in_features == plan(architecture).out_width


def test_a_small_stem_keeps_the_image_and_a_large_one_quarters_it() -> None:
    images = torch.zeros(1, 3, 21, 17)
    assert Stem("small", 3, 8, preactivated=False)(images).shape == (1, 8, 21, 17)
    assert Stem("large", 3, 8, preactivated=False)(images).shape == (1, 8, 6, 5)


@pytest.mark.parametrize(
    ("kind", "preactivated", "layers"),
    [
        ("small", False, [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]),
        ("small", True, [nn.Conv2d]),
        ("large", False, [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d]),
        ("large", True, [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d]),
    ],
)
def test_a_small_stem_before_a_pre_activated_block_is_the_bare_convolution(
    kind: str, preactivated: bool, layers: list[type[nn.Module]]
) -> None:
    assert [type(layer) for layer in Stem(kind, 3, 8, preactivated=preactivated)] == layers


@pytest.mark.parametrize("preactivated", [True, False])
def test_a_head_is_the_mean_of_the_map_through_a_linear_layer(preactivated: bool) -> None:
    head = Head(4, 3, preactivated=preactivated).eval()
    x = torch.randn(2, 4, 5, 6)
    read = torch.relu(x) / math.sqrt(1 + 1e-5) if preactivated else x
    expected = read.mean(dim=(2, 3)) @ head.linear.weight.T + head.linear.bias
    torch.testing.assert_close(head(x), expected)


def test_a_head_drops_features_in_training_only() -> None:
    torch.manual_seed(0)
    head = Head(400, 400, preactivated=False, dropout_rate=0.25)
    nn.init.eye_(head.linear.weight)
    nn.init.zeros_(head.linear.bias)
    out = head(torch.ones(1, 400, 2, 2))
    assert out.unique().tolist() == pytest.approx([0, 4 / 3])
    assert 0.15 < (out == 0).float().mean() < 0.35
    assert torch.equal(head.eval()(torch.ones(1, 400, 2, 2)), torch.ones(1, 400))


@pytest.mark.parametrize("block", BLOCKS)
def test_images_are_judged_one_by_one_in_evaluation(block: str) -> None:
    network = build(Architecture(block=block), ImageSpec(height=8, width=8), generator=seeded(0)).double().eval()
    images = torch.rand(5, 3, 8, 8, dtype=torch.float64, generator=seeded(1))
    together, alone = network(images), torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("stages", [1, 2, 4])
def test_the_smallest_image_that_fits_can_be_trained_on_and_none_smaller(stem: str, stages: int) -> None:
    architecture = Architecture(depths=(1,) * stages, widths=(16,) * stages, stem=stem)
    side = 2 ** (stages - 1 + (2 if stem == "large" else 0))
    network = build(architecture, ImageSpec(height=side, width=side))
    assert network(torch.rand(2, 3, side, side)).shape == (2, 10)
    if side > 1:
        with pytest.raises(InfeasibleArchitecture):
            build(architecture, ImageSpec(height=side - 1, width=side))


def test_too_small_an_image_is_refused_in_one_line_that_says_what_is_needed() -> None:
    with pytest.raises(InfeasibleArchitecture) as caught:
        check_fits(Architecture(depths=(1,) * 4, widths=(16,) * 4, stem="large"), ImageSpec(height=64, width=28))
    assert str(caught.value) == (
        "an image of 64x28 is too small for stem large and 4 stages: at least 32 pixels are needed"
    )


def test_a_network_is_its_plan_however_it_was_named() -> None:
    wide, widened = Architecture(widths=(32, 64, 128)), Architecture(widening_factor=2)
    networks = [build(architecture, ImageSpec(), generator=seeded(9)) for architecture in (wide, widened)]
    assert same(*networks)
    assert isinstance(Network(plan(wide), ImageSpec()), nn.Module)
