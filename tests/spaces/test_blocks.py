"""Hold every block to one contract: whatever is added to `BLOCKS` is tested here without a test of its own."""

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from spaces.architecture import DROPOUTS, KINDS, SHORTCUTS, STRIDES_IN, Architecture, BlockSpec, ImageSpec, plan
from spaces.blocks import BLOCKS, conv
from spaces.network import Network, build


def small(block: str, **fields: Any) -> Architecture:
    """An identity, a change of width and stride, and a stride alone: every shortcut there is."""
    usual: dict[str, Any] = {"depths": (2, 1, 1), "widths": (8, 12, 12), "stem_width": 8, "cardinality": 2}
    return Architecture(block=block, **{**usual, "dropout_rate": 0.3, **fields})


def specs(architecture: Architecture) -> list[BlockSpec]:
    return [spec for stage in plan(architecture).stages for spec in stage]


def made(spec: BlockSpec) -> nn.Module:
    """Return a block with weights and statistics of its own, so that none can stand for another."""
    generator = torch.Generator().manual_seed(7)
    block = BLOCKS[spec.kind](spec).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        for module in block.modules():
            if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
                module.running_mean.copy_(torch.randn(module.num_features, generator=generator))
                module.weight.abs_().add_(0.1)
    return block


def maps(spec: BlockSpec, height: int = 9, width: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, spec.in_width, height, width, generator=generator, dtype=torch.float64)


def last(block: nn.Module, kind: type[nn.Module]) -> Any:
    return [layer for layer in block.branch if isinstance(layer, kind)][-1]  # type: ignore[union-attr]


each_block = pytest.mark.parametrize("block", BLOCKS)
each_network = [
    each_block,
    pytest.mark.parametrize("dropout", DROPOUTS),
    pytest.mark.parametrize("shortcut", SHORTCUTS),
]


def contract(test: Any) -> Any:
    """Run the test for every block, dropout and shortcut."""
    for mark in each_network:
        test = mark(test)
    return test


def trained(architecture: Architecture, image: ImageSpec, seed: int = 0) -> tuple[Network, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    network = build(architecture, image, generator=generator).double()
    images = torch.rand(4, image.channels, image.height, image.width, generator=generator, dtype=torch.float64)
    return network, images


@contract
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 9, 7), (3, 5, 11)])
def test_a_network_gives_a_logit_for_each_image_and_class(
    block: str, dropout: str, shortcut: str, channels: int, height: int, width: int
) -> None:
    image = ImageSpec(channels=channels, height=height, width=width, classes=3)
    network, images = trained(small(block, dropout=dropout, shortcut=shortcut), image)
    logits = network.eval()(images)
    assert logits.shape == (4, 3)
    assert logits.isfinite().all()


@contract
def test_every_parameter_learns(block: str, dropout: str, shortcut: str) -> None:
    torch.manual_seed(1)
    image = ImageSpec(height=9, width=7, classes=3)
    network, images = trained(small(block, dropout=dropout, shortcut=shortcut), image)
    F.cross_entropy(network(images), torch.tensor([0, 1, 2, 0])).backward()  # type: ignore[no-untyped-call]
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@contract
def test_dropout_is_drawn_in_training_and_never_in_evaluation(block: str, dropout: str, shortcut: str) -> None:
    torch.manual_seed(2)
    image = ImageSpec(height=9, width=7, classes=3)
    network, images = trained(small(block, dropout=dropout, shortcut=shortcut), image)
    with torch.no_grad():
        assert torch.equal(network(images), network(images)) == (dropout == "none")
        network.eval()
        assert torch.equal(network(images), network(images))


@each_block
@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("stride_in", STRIDES_IN)
def test_a_block_puts_out_what_its_specification_says(block: str, shortcut: str, stride_in: str) -> None:
    for spec in specs(small(block, shortcut=shortcut, stride_in=stride_in)):
        for height, width in ((9, 7), (8, 8), (1, 2)):
            out = made(spec).eval()(maps(spec, height, width))
            assert out.shape == (2, spec.out_width, -(-height // spec.stride), -(-width // spec.stride))


@each_block
def test_a_block_is_as_wide_and_as_grouped_inside_as_its_specification_says(block: str) -> None:
    for spec in specs(small(block, base_width=None if KINDS[block].expansion == 1 else 32)):
        layers = [layer for layer in BLOCKS[block](spec).branch if isinstance(layer, nn.Conv2d)]  # type: ignore[union-attr]
        assert [layers[0].in_channels, layers[-1].out_channels] == [spec.in_width, spec.out_width]
        assert {layer.out_channels for layer in layers[:-1]} == {spec.inner_width}
        assert max(layer.groups for layer in layers) == spec.groups
        assert all(layer.bias is None for layer in layers)


def test_every_block_that_can_be_named_can_be_built() -> None:
    assert BLOCKS.keys() == KINDS.keys()


@each_block
def test_an_expansion_is_the_output_width_over_the_stage_width(block: str) -> None:
    for spec, width in zip(specs(small(block)), (8, 8, 12, 12), strict=True):
        assert spec.out_width == width * KINDS[block].expansion


@each_block
def test_only_a_post_activated_block_puts_out_no_negative(block: str) -> None:
    for spec in specs(small(block)):
        assert bool((made(spec).eval()(maps(spec)) < 0).any()) == KINDS[block].preactivated


POST = [block for block, kind in KINDS.items() if not kind.preactivated]
PRE = [block for block, kind in KINDS.items() if kind.preactivated]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("block", POST)
def test_without_its_last_gain_a_post_activated_block_is_the_activated_shortcut(
    block: str, shortcut: str, training: bool
) -> None:
    for spec in specs(small(block, shortcut=shortcut)):
        network = made(spec).train(training)
        norm = last(network, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)
        nn.init.zeros_(norm.bias)
        x = maps(spec)
        torch.testing.assert_close(network(x), F.relu(network.shortcut(x)), rtol=0, atol=0)  # type: ignore[operator]


@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("block", PRE)
def test_without_its_last_convolution_a_pre_activated_block_is_its_shortcut(block: str, shortcut: str) -> None:
    for spec in specs(small(block, shortcut=shortcut)):
        network = made(spec).eval()
        nn.init.zeros_(last(network, nn.Conv2d).weight)
        x = maps(spec)
        read = F.relu(network.norm(x)) if spec.shortcut == "project" else x  # type: ignore[operator]
        torch.testing.assert_close(network(x), network.shortcut(read), rtol=0, atol=0)  # type: ignore[operator]


@pytest.mark.parametrize("block", PRE)
def test_a_pre_activated_block_hands_its_input_through_untouched(block: str) -> None:
    spec = specs(small(block, shortcut="A", widths=(8 // KINDS[block].expansion, 12, 12)))[0]
    network = made(spec).eval()
    nn.init.zeros_(last(network, nn.Conv2d).weight)
    x = maps(spec)
    assert spec.shortcut == "identity"
    assert torch.equal(network(x), x)


@pytest.mark.parametrize("block", PRE)
def test_only_a_post_activated_block_normalises_its_projection(block: str) -> None:
    spec = specs(small(block, shortcut="C"))[-1]
    assert not [layer for layer in made(spec).shortcut.modules() if isinstance(layer, nn.BatchNorm2d)]  # type: ignore[union-attr]
    usual = replace(spec, kind="basic" if KINDS[block].expansion == 1 else "bottleneck")
    assert [layer for layer in made(usual).shortcut.modules() if isinstance(layer, nn.BatchNorm2d)]  # type: ignore[union-attr]


@each_block
def test_padding_takes_every_other_pixel_and_appends_channels_of_nought(block: str) -> None:
    spec = specs(small(block, shortcut="A"))[2]
    assert (spec.shortcut, spec.stride) == ("pad", 2)
    x = maps(spec)
    padded = made(spec).shortcut(x)  # type: ignore[operator]
    assert torch.equal(padded[:, : spec.in_width], x[:, :, ::2, ::2])
    assert padded.shape[1] == spec.out_width
    assert not padded[:, spec.in_width :].any()
    assert not list(made(spec).shortcut.parameters())  # type: ignore[union-attr]


@each_block
@pytest.mark.parametrize("placement", DROPOUTS)
def test_dropout_stands_where_it_is_placed_and_nowhere_else(block: str, placement: str) -> None:
    network = build(small(block, dropout=placement, dropout_rate=0.25), ImageSpec(height=8, width=8))
    active = [name for name, layer in network.named_modules() if isinstance(layer, nn.Dropout) and layer.p == 0.25]
    parts = {name if name.startswith("head") else name.split(".")[3] for name in active}
    expected = {"none": set(), "between": {"branch"}, "after": {"after"}, "shortcut": {"shortcut"}}
    assert parts == expected.get(placement, {"head.dropout"})
    assert len(active) == {"none": 0, "head": 1}.get(placement, 4)


@each_block
def test_dropout_between_stands_right_before_the_last_convolution(block: str) -> None:
    branch = list(BLOCKS[block](specs(small(block, dropout="between"))[0]).branch)  # type: ignore[arg-type]
    place = next(index for index, layer in enumerate(branch) if isinstance(layer, nn.Dropout))
    assert isinstance(branch[place - 1], nn.ReLU)
    assert isinstance(branch[place + 1], nn.Conv2d)
    assert not any(isinstance(layer, nn.Conv2d) for layer in branch[place + 2 :])


@each_block
def test_dropout_after_falls_on_the_sum(block: str) -> None:
    torch.manual_seed(0)
    spec = specs(small(block, dropout="after", dropout_rate=0.5))[0]
    network = made(spec)
    x = maps(spec, 40, 40)
    network.eval()
    whole = network(x)
    network.after.train()  # type: ignore[union-attr]  # the normalisations go on evaluating
    dropped = network(x)
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])
    assert 0.45 < (dropped[whole != 0] == 0).double().mean() < 0.55


@each_block
@pytest.mark.parametrize(("stride_in", "strides"), [("first", [2, 1, 1]), ("3x3", [1, 2, 1])])
def test_a_bottleneck_strides_where_it_is_told_and_any_other_block_first(
    block: str, stride_in: str, strides: list[int]
) -> None:
    spec = specs(small(block, stride_in=stride_in))[2]
    layers = [layer for layer in BLOCKS[block](spec).branch if isinstance(layer, nn.Conv2d)]  # type: ignore[union-attr]
    expected = strides if KINDS[block].expansion > 1 else [2, 1]
    assert [layer.stride[0] for layer in layers] == expected


def test_a_grouped_block_is_a_dense_one_with_blocks_on_its_diagonal() -> None:
    grouped_spec = specs(Architecture(block="resnext", depths=(1,), widths=(12,), cardinality=4, stem_width=8))[0]
    grouped = made(grouped_spec).eval()
    dense = made(replace(grouped_spec, groups=1)).eval()
    state = grouped.state_dict()
    narrow = state["branch.3.weight"]
    assert narrow.shape == (12, 3, 3, 3)
    state["branch.3.weight"] = torch.zeros(12, 12, 3, 3, dtype=torch.float64)
    for group in range(4):
        own = slice(3 * group, 3 * group + 3)
        state["branch.3.weight"][own, own] = narrow[own]
    dense.load_state_dict(state)
    x = maps(grouped_spec)
    torch.testing.assert_close(grouped(x), dense(x), rtol=1e-12, atol=1e-12)


def test_a_resnext_of_one_group_has_the_weights_of_a_bottleneck() -> None:
    image = ImageSpec(height=8, width=8)
    one, other = (
        build(small(block, cardinality=1), image, generator=torch.Generator().manual_seed(5))
        for block in ("resnext", "bottleneck")
    )
    assert one.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in one.state_dict().items())


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_keeps_the_map_but_for_its_stride(kernel: int, stride: int) -> None:
    out = conv(2, 4, kernel, stride)(torch.zeros(1, 2, 9, 6))
    assert out.shape == (1, 4, -(-9 // stride), -(-6 // stride))
