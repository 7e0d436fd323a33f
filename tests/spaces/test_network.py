"""Test `spaces.network`. A block that is added to `KINDS` is held to the contract here without a test of its own."""

import math
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from torch import nn

from spaces.architecture import Architecture, ImageSpec, plan
from spaces.errors import InfeasibleArchitecture
from spaces.fields import OPTIONS
from spaces.kinds import KINDS
from spaces.layers import Cosine, CReLU, DropBranch
from spaces.network import Head, Stem, build, check_fits, monte_carlo
from spaces.plan import HeadSpec
from tests.spaces.grammar import SHORTENED, STEMMED, architectures, contract_by_tier, ready, relaxed, seeded, small

ODD = ImageSpec(height=9, width=7, classes=3)
each_row = pytest.mark.parametrize("fields", contract_by_tier())
each_block = pytest.mark.parametrize("block", KINDS)
each_stem = pytest.mark.parametrize("stem", STEMMED)


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


@each_row
def test_a_network_gives_a_logit_for_each_image_and_class(fields: dict[str, Any]) -> None:
    torch.manual_seed(0)
    image = replace(ODD, channels=1)
    network, images = ready(small(**fields, dropout_rate=0.3), image)
    for mode in (True, False):
        logits = network.train(mode)(images)
        assert logits.shape == (4, 3)
        assert logits.isfinite().all()
        assert logits.std() > 1e-4


def gradients(fields: dict[str, Any]) -> dict[str, float]:
    """Return the largest gradient of each parameter; units are dropped and all branches kept."""
    torch.manual_seed(1)
    rate = 1e-9 if fields["dropout"] in ("branch", "path") else 0.3
    network, images = ready(small(**fields, dropout_rate=rate, drop_global=0), ODD, count=6)
    F.cross_entropy(network(images), torch.tensor([0, 1, 2, 0, 1, 1])).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in network.parameters())
    return {name: parameter.grad.abs().max().item() for name, parameter in network.named_parameters()}  # type: ignore[union-attr]


def lost(name: str, fields: dict[str, Any]) -> bool:
    """Say whether a parameter is a projection's shift that every later path takes off again by normalising.

    Where the sum stays raw, 1x1 convolutions carry it to the next normalisations: that lies in the order itself.
    """
    if fields["block"] == "biased_norm_conv":  # as its authors' successors have it: a bias that is normalised away
        pooled = ("stages.1.0.2.bias", "stages.2.0.2.bias") if "downsampling" in fields else ()
        return name == "stem.0.bias" or name in pooled or re.fullmatch(r"stages\.\d\.\d\.1\.bias", name) is not None
    if fields["block"] == "shuffle":  # each channel is normalised anew behind its own 3x3, and behind the 1x1 of it
        return re.fullmatch(r"stages\.\d\.\d\.branch\.(1\.weight|5\.bias)", name) is not None
    shift = ".shortcut." in name and name.endswith(".bias")
    raw = fields["order"] == "relu_before_addition" and fields["block"] != "basic" and not name.startswith("stages.2")
    return shift and raw


@each_row
def test_every_parameter_learns(fields: dict[str, Any]) -> None:
    for name, gradient in gradients(fields).items():
        assert math.isfinite(gradient), name
        assert gradient > 1e-8 or lost(name, fields), name


def test_a_shift_that_is_normalised_away_moves_nothing() -> None:
    fields = {"block": "bottleneck", "order": "relu_before_addition", "dropout": "none", "shortcut": "B"}
    found = {name: gradient for name, gradient in gradients(fields).items() if lost(name, fields)}
    assert len(found) == 2
    assert all(gradient < 1e-12 for gradient in found.values())


@each_row
def test_dropout_is_drawn_in_training_and_never_in_evaluation(fields: dict[str, Any]) -> None:
    torch.manual_seed(2)
    network, images = ready(small(**fields, dropout_rate=0.5, drop_decay="uniform", drop_unit="sample"), ODD)
    with torch.no_grad():
        drops = fields["dropout"] != "none" or "unit_rate" in fields
        assert torch.equal(network(images), network(images)) != drops
        network.eval()
        assert torch.equal(network(images), network(images))


@relaxed
@given(drawn=architectures())
def test_whatever_can_be_named_can_be_built_and_reads_an_odd_image(drawn: Architecture) -> None:
    side = plan(drawn).least
    image = ImageSpec(channels=2, height=side + 1, width=side + 3, classes=3)
    network, images = ready(drawn, image, count=2)
    logits = network.eval()(images)
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()


@pytest.mark.parametrize("order", OPTIONS["order"])
@pytest.mark.parametrize("levels", [2, 3])
def test_outer_shortcuts_are_added_before_what_follows_an_addition(levels: int, order: str) -> None:
    given = small("basic", order=order, levels=levels)
    network: Any
    network, images = ready(given, ODD)
    ended = {"original": F.relu, "bn_after_addition": None}.get(order, lambda x: x)
    for training in (True, False):
        network.train(training)
        begun = x = network.stem(images)
        for index, stage in enumerate(network.stages):
            before, x = x, stage(x)
            if levels == 3:
                x = x + network.levels[index].shortcut(before)
                x = (ended or network.levels[index].leave)(x) if index < 2 else x
        x = (ended or network.root.leave)(x + network.root.shortcut(begun))
        torch.testing.assert_close(network(images), network.head(x))
    assert len(network.levels) == (3 if levels == 3 else 0)


def test_without_levels_a_network_has_the_state_that_checkpoints_hold() -> None:
    assert not [name for name in build(Architecture(), ImageSpec()).state_dict() if "level" in name or "root" in name]


@each_block
def test_a_seeded_generator_remakes_every_weight(block: str) -> None:
    for head in ("linear", "cosine"):
        architecture = Architecture(block=block, depths=(1, 2, 1), head=head)
        one, other = (build(architecture, ImageSpec(), generator=seeded(3)) for _ in range(2))
        assert same(one, other)


def test_another_seed_gives_other_weights() -> None:
    one, other = (build(Architecture(head="cosine"), ImageSpec(), generator=seeded(seed)) for seed in (3, 4))
    for (name, first), second in zip(one.named_parameters(), other.parameters(), strict=True):
        drawn = first.ndim > 1
        assert torch.equal(first, second) != drawn, name
    assert not torch.equal(one.head.classifier.weight, other.head.classifier.weight)


@pytest.mark.parametrize("head", OPTIONS["head"])
def test_a_generator_of_ones_own_leaves_torchs_as_it_was(head: str) -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    build(Architecture(dropout="after", dropout_rate=0.5, head=head), ImageSpec(), generator=seeded(0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("head", OPTIONS["head"])
def test_weights_hang_on_the_generator_alone(head: str) -> None:
    torch.manual_seed(1)
    one = build(Architecture(head=head), ImageSpec(), generator=seeded(0))
    torch.manual_seed(2)
    assert same(one, build(Architecture(head=head), ImageSpec(), generator=seeded(0)))


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
    classifier = network.head.classifier
    assert isinstance(classifier, nn.Linear)
    assert not classifier.bias.any()
    bound = 1 / math.sqrt(classifier.in_features)
    assert 0.9 * bound < classifier.weight.abs().max() <= bound


def test_every_bias_begins_at_nought() -> None:
    network = build(Architecture(block="biased_conv", stem="biased"), ImageSpec(), generator=seeded(0))
    biases = [parameter for name, parameter in network.named_parameters() if name.endswith("bias")]
    assert len(biases) == 5  # stem, three blocks, classifier
    assert not any(bias.any() for bias in biases)


def test_a_fresh_network_trains_on_the_cpu_in_float32_everywhere() -> None:
    network = build(Architecture(), ImageSpec(), generator=seeded(0))
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert {(p.device.type, p.dtype) for p in network.parameters()} == {("cpu", torch.float32)}


@each_block
def test_stages_and_blocks_are_those_of_the_plan(block: str) -> None:
    described = plan(Architecture(block=block, depths=(1, 3, 2)))
    network = build(Architecture(block=block, depths=(1, 3, 2)), ImageSpec())
    transitions = 1 if KINDS[block].makes in ("dense", "highway") else 0
    assert [len(stage) for stage in network.stages] == [1, 3 + transitions, 2 + transitions]  # type: ignore[arg-type]
    assert network.head.classifier.in_features == described.head.width  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("stem", "block", "layers", "shape"),
    [
        ("small", "basic", [nn.Conv2d, nn.BatchNorm2d, nn.ReLU], (21, 17)),
        ("small", "preact", [nn.Conv2d], (21, 17)),
        ("strided", "basic", [nn.Conv2d, nn.BatchNorm2d, nn.ReLU], (11, 9)),
        ("small_biased", "preact", [nn.Conv2d, nn.ReLU], (21, 17)),
        ("biased", "basic", [nn.Conv2d, nn.ReLU], (11, 9)),
        ("large", "basic", [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d], (6, 5)),
        ("large", "preact", [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d], (6, 5)),
        ("large_bare", "basic", [nn.Conv2d, nn.MaxPool2d], (6, 5)),
        ("strided_pool", "basic", [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d], (6, 5)),
        ("huge", "preact", [nn.Conv2d, nn.ReLU, nn.MaxPool2d], (2, 1)),
    ],
)
def test_a_stem_is_what_its_name_says(
    stem: str, block: str, layers: list[type[nn.Module]], shape: tuple[int, int]
) -> None:
    made = Stem(plan(Architecture(stem=stem, block=block)).stem, 3)
    assert [type(layer) for layer in made] == layers
    assert made(torch.zeros(2, 3, 21, 17)).shape == (2, 16, *shape)
    assert (made[0].bias is not None) == (stem in ("biased", "small_biased", "huge"))


def test_a_stem_of_crelu_puts_out_its_width_from_half_the_convolution() -> None:
    made = Stem(plan(Architecture(activation="crelu")).stem, 3)
    assert [type(layer) for layer in made] == [nn.Conv2d, nn.BatchNorm2d, CReLU]
    assert made[0].out_channels == 8
    assert made(torch.zeros(2, 3, 4, 4)).shape == (2, 16, 4, 4)


def head_spec(**fields: Any) -> HeadSpec:
    usual: dict[str, Any] = {"kind": "linear", "width": 4, "norm": False, "activated": False, "dropout_rate": 0.0}
    return HeadSpec(**{"scale": 1.0, **usual, **fields})


@pytest.mark.parametrize(("norm", "activated"), [(True, True), (False, True), (False, False)])
def test_a_head_is_the_mean_of_the_map_through_a_linear_layer(norm: bool, activated: bool) -> None:
    head = Head(head_spec(norm=norm, activated=activated), 3).eval()
    x = torch.randn(2, 4, 5, 6)
    read = x / math.sqrt(1 + 1e-5) if norm else x
    read = torch.relu(read) if activated else read
    expected = read.mean(dim=(2, 3)) @ head.classifier.weight.T + head.classifier.bias  # type: ignore[union-attr,operator]
    torch.testing.assert_close(head(x), expected)


def test_a_head_drops_features_in_training_only() -> None:
    torch.manual_seed(0)
    head = Head(head_spec(width=400, dropout_rate=0.25), 400)
    assert isinstance(head.classifier, nn.Linear)
    nn.init.eye_(head.classifier.weight)
    nn.init.zeros_(head.classifier.bias)
    out = head(torch.ones(1, 400, 2, 2))
    assert out.unique().tolist() == pytest.approx([0, 4 / 3])
    assert 0.15 < (out == 0).float().mean() < 0.35
    assert torch.equal(head.eval()(torch.ones(1, 400, 2, 2)), torch.ones(1, 400))


@each_block
@pytest.mark.parametrize(("height", "width"), [(9, 7), (8, 16)])
def test_a_cosine_head_keeps_every_logit_below_its_scale_for_any_image(block: str, height: int, width: int) -> None:
    image = ImageSpec(height=height, width=width, classes=5)
    network, images = ready(small(block, head="cosine", head_scale=3.0), image)
    logits = network(images)
    assert logits.shape == (4, 5)
    assert logits.min() >= 0
    assert 0 < logits.max() <= 3 + 1e-6
    directions = network.head.classifier.weight
    torch.testing.assert_close(directions @ directions.T, torch.eye(5).double(), atol=1e-5, rtol=0)
    assert not list(network.head.parameters())
    assert "head.classifier.weight" in network.state_dict()


def test_a_cosine_head_stands_in_the_state_and_is_loaded_from_it() -> None:
    one, other = (build(Architecture(head="cosine"), ODD, generator=seeded(seed)).eval() for seed in (0, 1))
    images = torch.rand(2, 3, 9, 7)
    assert not torch.equal(one(images), other(images))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(images), other(images))
    assert isinstance(one.head.classifier, Cosine)


@each_block
def test_images_are_judged_one_by_one_in_evaluation(block: str) -> None:
    network = build(Architecture(block=block), ImageSpec(height=8, width=8), generator=seeded(0)).double().eval()
    images = torch.rand(5, 3, 8, 8, dtype=torch.float64, generator=seeded(1))
    together, alone = network(images), torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(together, alone)


SIDES = {
    "small": 1,
    "small_biased": 1,
    "strided": 2,
    "biased": 2,
    "large": 4,
    "large_bare": 4,
    "huge": 8,
    "strided_pool": 4,
}


@each_stem
@pytest.mark.parametrize("stages", [1, 2, 4])
@pytest.mark.parametrize("block", ["basic", "dense"])
def test_the_smallest_image_that_fits_can_be_trained_on_and_none_smaller(block: str, stem: str, stages: int) -> None:
    architecture = Architecture(block=block, depths=(1,) * stages, widths=(16,) * stages, stem=stem)
    side = 2 ** (stages - 1) * SIDES[stem] + (3 if stem == "huge" else 0)
    network = build(architecture, ImageSpec(height=side, width=side))
    assert network(torch.rand(2, 3, side, side)).shape == (2, 10)
    if side > 1:
        with pytest.raises(InfeasibleArchitecture):
            build(architecture, ImageSpec(height=side - 1, width=side))
        with pytest.raises(InfeasibleArchitecture):
            build(architecture, ImageSpec(height=side, width=side - 1))


def test_too_small_an_image_is_refused_in_one_line_that_says_what_is_needed() -> None:
    with pytest.raises(InfeasibleArchitecture) as caught:
        check_fits(Architecture(depths=(1,) * 4, widths=(16,) * 4, stem="large"), ImageSpec(height=64, width=28))
    assert str(caught.value) == (
        "an image of 64x28 is too small for stem large and 4 stages: at least 32 pixels are needed"
    )


def test_more_classes_than_channels_are_refused_by_a_cosine_head_alone() -> None:
    check_fits(Architecture(head="cosine"), ImageSpec(classes=64))
    check_fits(Architecture(), ImageSpec(classes=65))
    for refuse in (check_fits, build):
        with pytest.raises(InfeasibleArchitecture) as caught:
            refuse(Architecture(head="cosine"), ImageSpec(classes=65))
        assert str(caught.value) == (
            "head cosine needs a direction for each class: 65 classes are more than the 64 channels that reach it"
        )


def test_a_network_is_its_plan_however_it_was_named() -> None:
    wide, widened = Architecture(widths=(32, 64, 128)), Architecture(widening_factor=2)
    networks = [build(architecture, ImageSpec(), generator=seeded(9)) for architecture in (wide, widened)]
    assert same(*networks)


DROPS = [("basic", dropout) for dropout in ("between", "after", "shortcut", "branch", "head")]
DROPS += [(block, "branch") for block in SHORTENED[1:]] + [
    ("dense", "after"),
    ("separable", "between"),
    ("fractal", "path"),
]


@pytest.mark.parametrize(("block", "dropout"), DROPS)
@pytest.mark.parametrize("unit", OPTIONS["drop_unit"])
def test_a_monte_carlo_pass_is_drawn_and_leaves_evaluation_as_it_was(block: str, dropout: str, unit: str) -> None:
    torch.manual_seed(0)
    architecture = small(block, dropout=dropout, dropout_rate=0.5, drop_decay="uniform", drop_unit=unit)
    network, images = ready(architecture, ODD)
    network.eval()
    statistics = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.no_grad():
        before = network(images)
        with monte_carlo(network):
            passes = [network(images) for _ in range(8)]
        assert torch.equal(network(images), before)
    assert len({tuple(each.flatten().tolist()) for each in passes}) > 1
    assert not any(module.training for module in network.modules())
    assert all(torch.equal(tensor, statistics[name]) for name, tensor in network.state_dict().items())


def test_a_monte_carlo_pass_of_a_network_without_dropout_is_an_evaluation() -> None:
    network, images = ready(small("basic"), ODD)
    network.eval()
    with monte_carlo(network):
        assert torch.equal(network(images), network(images))


def test_each_layer_is_given_back_the_mode_it_had_even_after_an_error() -> None:
    network = build(small("basic", dropout="after", dropout_rate=0.5), ODD).eval()
    drops = [layer for layer in network.modules() if isinstance(layer, (nn.Dropout, DropBranch))]
    drops[0].train()
    with monte_carlo(network):
        assert all(layer.training for layer in drops)
    with pytest.raises(KeyError), monte_carlo(network):
        raise KeyError
    assert [layer.training for layer in drops] == [True] + [False] * (len(drops) - 1)


def test_a_network_to_be_loaded_draws_nothing_and_is_the_one_that_is_loaded() -> None:
    drawn = build(Architecture(head="cosine"), ImageSpec(), generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    empty = build(Architecture(head="cosine"), ImageSpec(), generator=generator, drawn=False)
    assert torch.equal(generator.get_state(), before)
    empty.load_state_dict(drawn.state_dict())
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(empty.eval()(images), drawn.eval()(images))
