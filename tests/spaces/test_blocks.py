"""Test `spaces.blocks`: each block against the formula of its paper, written out with the block's own layers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from spaces.architecture import Architecture, ImageSpec, plan
from spaces.blocks import BLOCKS
from spaces.errors import InfeasibleArchitecture
from spaces.fields import MIXED, OPTIONS
from spaces.kinds import KINDS
from spaces.layers import CReLU, DropBranch, DropPath, Gate, Swapout, draw_column
from spaces.network import DROPPING, build, monte_carlo
from spaces.plan import BlockSpec
from tests.spaces.grammar import (
    BLOCKS_IN_ORDERS,
    ORDERED,
    ORDERS,
    SHORTENED,
    UNMIXED,
    conflict,
    layers,
    made,
    making,
    maps,
    small_specs,
)

each_shortcut = pytest.mark.parametrize("shortcut", UNMIXED)
each_ordered = pytest.mark.parametrize("block", ORDERED)
each_order = pytest.mark.parametrize(("block", "order"), BLOCKS_IN_ORDERS)
each_training = pytest.mark.parametrize("training", [True, False])


def same(given: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(given, expected, rtol=1e-10, atol=1e-10)


def alternating(
    convs: list[nn.Module], norms: list[nn.Module], activate: Callable[[Tensor], Tensor], x: Tensor
) -> Tensor:
    """conv, BN, ReLU, conv, ... with no normalisation after the last convolution."""
    for conv, norm in zip(convs[:-1], norms, strict=True):
        x = activate(norm(conv(x)))
    return convs[-1](x)  # type: ignore[no-any-return]


def branch_by_hand(branch: nn.Module, x: Tensor) -> Tensor:
    """conv, BN, ReLU, conv, BN."""
    convs, norms = layers(branch, nn.Conv2d), layers(branch, nn.BatchNorm2d)
    return norms[-1](alternating(convs, norms[:-1], F.relu, x))  # type: ignore[no-any-return]


def residual_by_hand(block: Any, spec: BlockSpec, x: Tensor) -> Tensor:
    """What the docstring of `Residual` says of each order."""
    convs, norms = layers(block.branch, nn.Conv2d), layers(block.branch, nn.BatchNorm2d)

    def shortcut(read: Tensor) -> Any:
        return 0.0 if block.shortcut is None else block.shortcut(read)

    if spec.order == "original":
        return F.relu(shortcut(x) + norms[-1](alternating(convs, norms[:-1], F.relu, x)))
    if spec.order == "bn_after_addition":
        (after,) = layers(block.leave, nn.BatchNorm2d)
        return F.relu(after(shortcut(x) + alternating(convs, norms, F.relu, x)))
    if spec.order == "relu_before_addition":
        return shortcut(x) + F.relu(norms[-1](alternating(convs, norms[:-1], F.relu, x)))  # type: ignore[no-any-return]
    if spec.order == "relu_only":
        return shortcut(x) + norms[-1](alternating(convs, norms[:-1], F.relu, F.relu(x)))  # type: ignore[no-any-return]
    (before,) = layers(block.enter, nn.BatchNorm2d)
    read = F.relu(before(x))
    return shortcut(read if spec.projects else x) + alternating(convs, norms, F.relu, read)  # type: ignore[no-any-return]


@each_training
@pytest.mark.parametrize("shortcut", [each for each in UNMIXED if each != "none"])
@pytest.mark.parametrize("order", ORDERS)
@each_ordered
def test_a_residual_block_is_in_the_order_that_it_is_told(
    block: str, order: str, shortcut: str, training: bool
) -> None:
    for spec in small_specs(block, order=order, shortcut=shortcut):
        network = made(spec).train(training)
        x = maps(spec)
        same(network(x), residual_by_hand(network, spec, x))


@pytest.mark.parametrize("order", ["original", "relu_only", "full"])
@each_ordered
def test_a_plain_block_is_the_branch_alone(block: str, order: str) -> None:
    for spec in small_specs(block, order=order, shortcut="none"):
        network = made(spec).eval()
        assert network.shortcut is None
        same(network(maps(spec)), residual_by_hand(network, spec, maps(spec)))


def test_no_two_orders_are_the_same_function_of_the_same_weights() -> None:
    outs = []
    for order in ORDERS:
        spec = small_specs("basic", order=order)[0]
        outs.append(made(spec).eval()(maps(spec)))
    assert all(not torch.allclose(one, other) for index, one in enumerate(outs) for other in outs[:index])


@pytest.mark.parametrize("block", ["preact", "preact_bottleneck"])
def test_a_projection_of_a_full_preactivation_reads_the_shared_relu(block: str) -> None:
    for spec in small_specs(block, shortcut="C"):
        network = made(spec).eval()
        nn.init.zeros_(layers(network.branch, nn.Conv2d)[-1].weight)
        (projection,) = layers(network.shortcut, nn.Conv2d)
        x = maps(spec)
        same(network(x), projection(F.relu(network.enter[0](x))))
        assert not layers(network.shortcut, nn.BatchNorm2d)


@pytest.mark.parametrize(
    ("shortcut", "kinds"),
    [("A", {"identity", "pad"}), ("pool", {"identity", "pool"}), ("identity", {"identity", "none"})],
)
@pytest.mark.parametrize(("block", "width"), [("preact", 8), ("preact_bottleneck", 2)])
def test_any_other_shortcut_of_a_full_preactivation_reads_the_raw_sum(
    block: str, width: int, shortcut: str, kinds: set[str]
) -> None:
    specs = small_specs(block, shortcut=shortcut, widths=(width, 12, 12))
    assert {spec.shortcut for spec in specs} == kinds
    for spec in specs:
        network = made(spec).eval()
        nn.init.zeros_(layers(network.branch, nn.Conv2d)[-1].weight)
        x = maps(spec, 8, 6)
        if spec.shortcut == "pool":
            raw = (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4
        else:
            raw = x[:, :, :: spec.stride, :: spec.stride]
        out = network(x)
        if spec.shortcut != "none":
            same(out[:, : spec.in_width], raw)
        assert not out[:, 0 if spec.shortcut == "none" else spec.in_width :].any()


@each_training
@pytest.mark.parametrize("shortcut", [each for each in UNMIXED if each != "none"])
@pytest.mark.parametrize("order", ["original", "relu_before_addition", "relu_only"])
@each_ordered
def test_without_its_last_gain_a_residual_block_is_its_shortcut(
    block: str, order: str, shortcut: str, training: bool
) -> None:
    for spec in small_specs(block, order=order, shortcut=shortcut):
        network = made(spec).train(training)
        norm = layers(network.branch, nn.BatchNorm2d)[-1]
        nn.init.zeros_(norm.weight)
        nn.init.zeros_(norm.bias)
        x = maps(spec)
        through = network.shortcut(x) if network.shortcut is not None else torch.zeros_like(network(x))
        same(network(x), F.relu(through) if order == "original" else through)


@each_training
@each_shortcut
@pytest.mark.parametrize("block", making("inception"))
def test_without_the_last_gains_both_branches_are_nothing_beside_the_shortcut(
    block: str, shortcut: str, training: bool
) -> None:
    for spec in small_specs(block, shortcut=shortcut):
        network = made(spec).train(training)
        for branch in network.branches:
            norm = layers(branch, nn.BatchNorm2d)[-1]
            nn.init.zeros_(norm.weight)
            nn.init.zeros_(norm.bias)
        x = maps(spec)
        through = network.shortcut(x) if network.shortcut is not None else torch.zeros_like(network(x))
        same(network(x), F.relu(through))


@each_shortcut
@pytest.mark.parametrize("block", [block for block in making("residual") if KINDS[block].order in (None, "full")])
def test_without_its_last_convolution_a_full_preactivation_is_its_shortcut(block: str, shortcut: str) -> None:
    for spec in small_specs(block, order="full", shortcut=shortcut):
        network = made(spec).eval()
        nn.init.zeros_(layers(network.branch, nn.Conv2d)[-1].weight)
        x = maps(spec)
        read = F.relu(network.enter[0](x)) if spec.projects else x
        same(network(x), network.shortcut(read) if network.shortcut is not None else torch.zeros_like(network(x)))


@each_ordered
def test_without_its_last_convolution_a_block_normalised_after_addition_is_its_normalised_shortcut(block: str) -> None:
    for spec in small_specs(block, order="bn_after_addition"):
        network = made(spec).eval()
        nn.init.zeros_(layers(network.branch, nn.Conv2d)[-1].weight)
        (after,) = layers(network.leave, nn.BatchNorm2d)
        x = maps(spec)
        same(network(x), F.relu(after(network.shortcut(x))))


@each_training
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shortcut", MIXED)
@pytest.mark.parametrize("block", [*ORDERED, *making("inception")])
def test_a_weighed_shortcut_is_weighed_as_he_et_al_have_it(
    block: str, shortcut: str, order: str, training: bool
) -> None:
    for spec in small_specs(block, order=order, shortcut=shortcut, gate_bias=-1):
        assert spec.shortcut == ("identity" if spec.in_width == spec.out_width and spec.stride == 1 else "pad")
        network = made(spec).train(training)
        x = maps(spec)
        added = network.branch(network.enter(x)) if block in ORDERED else sum(each(x) for each in network.branches)
        through = network.shortcut(x)
        if shortcut == "scaled":
            assert not list(network.join.parameters())
            same(network(x), network.leave(0.5 * through + 0.5 * added))
            continue
        weight, bias = network.join.gate.weight, network.join.gate.bias
        share = F.conv2d(x, weight, bias, stride=spec.stride).sigmoid()
        kept = share * added if shortcut == "exclusive" else added
        same(network(x), network.leave((1 - share) * through + kept))


@pytest.mark.parametrize("bias", [-6.0, 0.0])
def test_a_gate_begins_as_far_open_as_it_is_told(bias: float) -> None:
    for given in (Architecture(shortcut="gated", gate_bias=bias), Architecture(block="highway", gate_bias=bias)):
        gates = layers(build(given, ImageSpec()), Gate)
        assert len(gates) == 3
        assert all(bool((gate.bias == bias).all()) for gate in gates)


@each_training
@pytest.mark.parametrize("branches", [1, 2])
@each_ordered
def test_a_squeezed_branch_is_weighed_by_what_its_means_say(block: str, branches: int, training: bool) -> None:
    for spec in small_specs(block, attention="squeeze_excite", reduction=4, branches=branches):
        network = made(spec).train(training)
        x = maps(spec)
        added = 0.0
        for branch in network.branches if branches == 2 else [network.branch]:
            *steps, weighs, _ = branch
            out = x
            for step in steps:
                out = step(out)
            assert weighs.squeeze.weight.shape == (spec.out_width // 4, spec.out_width)
            means = out.mean(dim=(2, 3))
            shares = weighs.excite(F.relu(weighs.squeeze(means))).sigmoid()
            added = added + torch.einsum("nchw,nc->nchw", out, shares)
        same(network(x), F.relu(network.shortcut(x) + added))


def test_at_least_one_channel_is_left_of_what_is_squeezed() -> None:
    assert {spec.squeeze for spec in small_specs("basic", attention="squeeze_excite", reduction=16)} == {1}


@pytest.mark.parametrize("block", making("chain"))
def test_the_windows_of_a_max_pool_overlap_where_it_is_told(block: str) -> None:
    for spec in small_specs(block, downsampling="overlap"):
        network, bare = made(spec).eval(), made(replace(spec, pool=1, stride=1)).eval()
        x = maps(spec)  # of odd sides, so that every window is whole
        same(network(x), bare(F.max_pool2d(x, 3, 2) if spec.stride > 1 else x))
        if spec.stride > 1:  # and one pixel is left of two
            assert network(maps(spec, 2, 4)).shape[2:] == (1, 2)


@pytest.mark.parametrize("block", making("chain"))
def test_a_chains_convolutions_are_as_large_as_its_stages_are(block: str) -> None:
    specs = small_specs(block, stage_kernels=(1, 5, 7))
    assert [spec.branch[0].kernel for spec in specs] == [1, 1, 5, 7]
    assert {each.kernel for spec in specs for each in spec.branch[1:]} <= {1}
    for spec in specs:
        assert made(spec)(maps(spec)).shape[1:] == (spec.out_width, -(-9 // spec.stride), -(-7 // spec.stride))


@pytest.mark.parametrize("block", making("chain"))
def test_a_chain_strides_by_a_max_pool_where_it_is_told(block: str) -> None:
    for spec, strided in zip(small_specs(block, downsampling="max"), small_specs(block), strict=True):
        assert (spec.pool, spec.stride) == (strided.stride, strided.stride)
        assert {each.stride for each in spec.branch} == {1}
        network, bare = made(spec).eval(), made(replace(spec, pool=1, stride=1)).eval()
        x = maps(spec)
        same(network(x), bare(F.max_pool2d(x, spec.stride, ceil_mode=True) if spec.stride > 1 else x))


@each_training
@pytest.mark.parametrize("activation", ["relu", "crelu"])
def test_a_highway_layer_hands_on_what_its_gate_does_not_transform(activation: str, training: bool) -> None:
    found = [spec for spec in small_specs("highway", activation=activation) if spec.kind == "highway"]
    assert len(found) == 4
    for spec in found:
        network = made(spec).train(training)
        x = maps(spec)
        (only,) = layers(network.branch, nn.Conv2d)
        share = F.conv2d(x, network.join.gate.weight, network.join.gate.bias, padding=1).sigmoid()
        made_of_it = F.relu(only(x)) if activation == "relu" else CReLU()(only(x))
        same(network(x), share * made_of_it + (1 - share) * x)
        nn.init.constant_(network.join.gate.bias, -1e9)
        assert torch.equal(network(x), x)


def test_a_plain_layer_stands_before_highway_layers_where_the_shape_changes() -> None:
    specs = small_specs("highway")
    assert [spec.kind for spec in specs] == ["highway", "highway", "chain", "highway", "chain", "highway"]
    assert [(spec.in_width, spec.out_width, spec.pool) for spec in specs if spec.kind == "chain"] == [
        (8, 12, 2),
        (12, 12, 2),
    ]


@each_training
@pytest.mark.parametrize("widths", [(8, 12, 12), (8, 16, 24)])
def test_a_shuffled_block_deals_channels_out_to_groups(widths: tuple[int, ...], training: bool) -> None:
    for spec in small_specs("shuffle", widths=widths, cardinality=2):
        network = made(spec).train(training)
        x = maps(spec)
        (one, two, three), (a, b, c) = layers(network, nn.Conv2d), layers(network, nn.BatchNorm2d)
        assert [each.groups for each in (one, two, three)] == [one.groups, two.in_channels, 2]
        y = F.relu(a(one(x)))
        half = y.shape[1] // 2
        dealt = [index for pair in zip(range(half), range(half, 2 * half), strict=True) for index in pair]
        y = c(three(b(two(y[:, dealt]))))
        through = F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2) if spec.stride == 2 else x
        beside = spec.in_width != spec.out_width
        assert y.shape[1] == (spec.out_width - spec.in_width if beside else spec.out_width)
        same(network(x), F.relu(torch.cat([through, y], 1) if beside else through + y))


def test_the_first_1x1_of_a_shuffled_network_is_in_one_group() -> None:
    assert [spec.branch[0].groups for spec in small_specs("shuffle", cardinality=2)] == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"widths": (16, 8, 8)}, "block shuffle keeps the channels that reach it: 16 are more than width 8 (stage 2)"),
        ({"cardinality": 3}, "cardinality 3 does not divide 16 channels (block shuffle, stage 1)"),
    ],
)
def test_a_shuffled_network_that_cannot_be_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InfeasibleArchitecture) as caught:
        Architecture(block="shuffle", **fields)
    assert str(caught.value) == said


def column_by_hand(column: Any, x: Tensor) -> Tensor:
    for conv, _, norm, _ in column:
        x = F.relu(norm(conv(x)))
    return x


@each_training
def test_columns_join_in_the_mean_of_all_that_end_at_one_place(training: bool) -> None:
    for spec in small_specs("fractal"):
        network = made(spec).train(training)
        x = maps(spec)
        one, two, four = network.columns
        middle = (column_by_hand(two[:1], x) + column_by_hand(four[1:2], column_by_hand(four[:1], x))) / 2
        ends = [one, two[1:], four[3:]]
        reads = [x, middle, column_by_hand(four[2:3], middle)]
        met = [column_by_hand(column, read) for column, read in zip(ends, reads, strict=True)]
        same(network(x), sum(F.max_pool2d(each, spec.stride, ceil_mode=True) for each in met) / 3)


def test_channels_are_doubled_by_the_columns_or_by_a_1x1_before_them() -> None:
    def convs(spec: BlockSpec) -> list[tuple[int, int, int]]:
        return [(each.in_width, each.out_width, each.kernel) for each in spec.branch]

    by_columns, by_pointwise = (
        [convs(spec) for spec in small_specs("fractal", columns=2, doubling=how, stem="none")]
        for how in OPTIONS["doubling"]
    )
    same_width = [[(width, width, 3)] * 3 for width in (8, 12)]
    assert by_columns == [
        [(0, 8, 3), (0, 8, 3), (8, 8, 3)], same_width[0], [(8, 12, 3), (8, 12, 3), (12, 12, 3)], same_width[1],
    ]  # fmt: skip
    assert by_pointwise == [[(0, 8, 1)], same_width[0], same_width[0], [(8, 12, 1)], same_width[1], same_width[1]]


def test_a_join_keeps_one_of_its_columns_at_least_and_each_as_often_as_it_is_told() -> None:
    torch.manual_seed(0)
    drop = DropPath(3, 0.4, 0.0)
    drawn = [tuple(drop.left(range(3))) for _ in range(4000)]
    assert all(drawn)
    nothing = 0.4**3
    for column in range(3):
        share = sum(column in each for each in drawn) / len(drawn)
        assert share == pytest.approx(0.6 + nothing / 3, abs=0.03)
    assert drop.left([2]) == [2]
    assert drop.eval().left(range(3)) == range(3)


def test_for_a_share_of_the_batches_one_column_is_left_in_all_blocks() -> None:
    torch.manual_seed(0)
    for share in (0.0, 0.3, 1.0):
        drops = [DropPath(3, 0.5, share) for _ in range(4)]
        drawn = []
        for _ in range(2000):
            draw_column(drops)
            assert len({drop.only for drop in drops}) == 1
            drawn.append(drops[0].only)
        assert sum(only is not None for only in drawn) / len(drawn) == pytest.approx(share, abs=0.04)
        for column in range(3):
            assert drawn.count(column) / len(drawn) == pytest.approx(share / 3, abs=0.04)


@pytest.mark.parametrize("dropout", ["none", "path"])
@pytest.mark.parametrize("doubling", ["columns", "pointwise"])
def test_units_of_columns_are_dropped_the_more_the_deeper_beside_paths(doubling: str, dropout: str) -> None:
    fields: dict[str, Any] = {"doubling": doubling, "dropout": dropout, "dropout_rate": 0.15, "unit_rate": 0.4}
    specs = small_specs("fractal", depths=(1, 2, 1, 1), widths=(8, 8, 16, 32), **fields)
    whole = [spec for spec in specs if spec.columns > 1]
    assert [spec.unit_rate for spec in whole] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert {spec.dropout for spec in whole} == {dropout}
    for spec in specs:
        rates = {layer.p for layer in layers(made(spec), nn.Dropout)}
        assert rates == ({spec.unit_rate} - {0})
    (only,) = small_specs("fractal", depths=(1,), widths=(8,), unit_rate=0.4)
    assert only.unit_rate == 0.4


@pytest.mark.parametrize("only", [0, 1, 2])
def test_a_column_that_is_left_alone_is_all_that_is_computed(only: int) -> None:
    for spec, network in dropping("fractal", "path"):
        network.train()
        network.drop.only = only
        x = maps(spec)
        ran = list[nn.Module]()
        hooks = [
            conv.register_forward_hook(lambda conv, *_, ran=ran: ran.append(conv))
            for conv in layers(network, nn.Conv2d)
        ]
        given = network(x)
        for hook in hooks:
            hook.remove()
        assert ran == layers(network.columns[only], nn.Conv2d)
        same(given, F.max_pool2d(column_by_hand(network.columns[only], x), spec.stride, ceil_mode=True))


@each_training
@each_shortcut
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("block", [block for block in making("residual") if KINDS[block].order in (None, "full")])
def test_a_multi_residual_block_is_the_sum_of_what_each_branch_would_be_alone(
    block: str, order: str, shortcut: str, training: bool
) -> None:
    if KINDS[block].order not in (None, order):
        return
    for spec in small_specs(block, order=order, shortcut=shortcut, branches=3):
        network = made(spec).train(training)
        x = maps(spec)
        entered = network.enter(x)
        added = sum(branch(entered) for branch in network.branches)
        assert len({branch[-2 if order == "full" else 0] for branch in network.branches}) == 3
        through = network.shortcut(entered) if network.shortcut is not None else 0.0
        normalised = [len(layers(branch, nn.BatchNorm2d)) for branch in network.branches]
        own = {"original": 0, "relu_before_addition": 0, "relu_only": 0, "bn_after_addition": -1, "full": -1}[order]
        shared = order == "full" and spec.projects
        assert set(normalised) == {len(spec.branch) + own + (order == "full" and not shared)}
        same(network(x), network.leave(through + added))


@each_training
@each_shortcut
@pytest.mark.parametrize("block", making("inception"))
def test_an_inception_block_is_two_branches_and_a_shortcut(block: str, shortcut: str, training: bool) -> None:
    for spec in small_specs(block, shortcut=shortcut):
        network = made(spec).train(training)
        x = maps(spec)
        first, second = (branch_by_hand(branch, x) for branch in network.branches)
        assert not torch.allclose(first, second)
        through = network.shortcut(x) if network.shortcut is not None else 0.0
        same(network(x), F.relu(through + first + second))


@each_training
@pytest.mark.parametrize("fusion", ["add", "concatenate"])
@pytest.mark.parametrize("shortcut", [each for each in UNMIXED if each != "none"])
@pytest.mark.parametrize("block", making("merge_run"))
def test_a_merge_and_run_block_adds_the_mean_of_both_shortcuts_to_either_branch(
    block: str, shortcut: str, fusion: str, training: bool
) -> None:
    for spec in small_specs(block, shortcut=shortcut, fusion=fusion):
        network = made(spec).train(training)
        x = maps(spec)
        streams = x.chunk(2, dim=1) if spec.streams_in == 2 else (x, x)
        first, second = (branch_by_hand(*pair) for pair in zip(network.branches, streams, strict=True))
        shortcuts = list(network.shortcuts)
        assert len(shortcuts) == (0 if spec.shortcut == "none" else 2)
        mean = sum(each(stream) / 2 for each, stream in zip(shortcuts, streams, strict=False))
        if spec.streams_out == 2:
            expected = torch.cat([F.relu(mean + first), F.relu(mean + second)], dim=1)
        else:
            expected = F.relu(mean + first + second)
        same(network(x), expected)


def running(width: int = 5) -> BlockSpec:
    """A merge-and-run block of two streams of one width throughout."""
    fields: dict[str, Any] = {"depths": (3,), "widths": (width,), "stem_width": width}
    return plan(Architecture(block="merge_run", **fields)).blocks[1]


def test_the_shortcut_of_merge_and_run_is_an_idempotent_matrix() -> None:
    spec = running(width=5)
    network = made(spec).eval()
    for branch in network.branches:
        norm = layers(branch, nn.BatchNorm2d)[-1]
        nn.init.zeros_(norm.weight)
        nn.init.zeros_(norm.bias)
    matrix = network(torch.eye(10, dtype=torch.float64)[:, :, None, None])[:, :, 0, 0].T.detach()
    eye = torch.eye(5, dtype=torch.float64)
    assert torch.equal(matrix, torch.cat([torch.cat([eye, eye], 1), torch.cat([eye, eye], 1)], 0) / 2)
    assert torch.equal(matrix @ matrix, matrix)
    x = maps(spec).abs()
    assert torch.equal(network(network(x)), network(x))
    same(network(x), torch.einsum("ij,njhw->nihw", matrix, x))


def test_merge_and_run_is_a_block_of_two_groups_beside_that_matrix() -> None:
    spec = running(width=5)
    network = made(spec).eval()
    convs = [layers(branch, nn.Conv2d) for branch in network.branches]
    norms = [layers(branch, nn.BatchNorm2d) for branch in network.branches]

    def grouped(index: int, x: Tensor) -> Tensor:
        x = F.conv2d(x, torch.cat([each[index].weight for each in convs]), padding=1, groups=2)
        held = [
            [getattr(each[index], name) for each in norms] for name in ("running_mean", "running_var", "weight", "bias")
        ]
        mean, var, weight, bias = (torch.cat(each) for each in held)
        return F.batch_norm(x, mean, var, weight, bias)

    eye = torch.eye(5, dtype=torch.float64)
    matrix = torch.kron(torch.ones(2, 2, dtype=torch.float64), eye) / 2
    x = maps(spec)
    branch = grouped(1, F.relu(grouped(0, x)))
    same(network(x), F.relu(torch.einsum("ij,njhw->nihw", matrix, x) + branch))


def test_the_three_forms_of_a_resnext_block_agree() -> None:
    spec = plan(Architecture(block="resnext", depths=(1,), widths=(12,), cardinality=4, stem_width=8)).blocks[0]
    network = made(spec).eval()
    reduce, grouped, expand = layers(network.branch, nn.Conv2d)
    first, second, third = layers(network.branch, nn.BatchNorm2d)
    assert (grouped.groups, grouped.weight.shape) == (4, (12, 3, 3, 3))
    x = maps(spec)

    def normalised(norm: nn.BatchNorm2d, own: slice, y: Tensor) -> Tensor:
        held = (getattr(norm, name)[own] for name in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(y, *held)

    def group(own: slice) -> Tensor:
        y = F.relu(normalised(first, own, F.conv2d(x, reduce.weight[own])))
        return F.relu(normalised(second, own, F.conv2d(y, grouped.weight[own], padding=1)))

    owns = [slice(3 * index, 3 * index + 3) for index in range(4)]
    summed = sum(F.conv2d(group(own), expand.weight[:, own]) for own in owns)
    concatenated = expand(torch.cat([group(own) for own in owns], dim=1))
    for branch in (summed, concatenated):
        same(network(x), F.relu(network.shortcut(x) + third(branch)))


def test_a_grouped_convolution_is_a_dense_one_with_blocks_on_its_diagonal() -> None:
    spec = plan(Architecture(block="resnext", depths=(1,), widths=(12,), cardinality=4, stem_width=8)).blocks[0]
    grouped = made(spec).eval()
    middle = replace(spec.branch[1], groups=1)
    dense = made(replace(spec, branch=(spec.branch[0], middle, spec.branch[2]))).eval()
    state = grouped.state_dict()
    (name,) = [name for name, tensor in state.items() if tensor.shape == (12, 3, 3, 3)]
    narrow, state[name] = state[name], torch.zeros(12, 12, 3, 3, dtype=torch.float64)
    for index in range(4):
        own = slice(3 * index, 3 * index + 3)
        state[name][own, own] = narrow[own]
    dense.load_state_dict(state)
    same(grouped(maps(spec)), dense(maps(spec)))


def test_a_resnext_of_one_group_is_a_bottleneck() -> None:
    for one, other in zip(small_specs("resnext", cardinality=1), small_specs("bottleneck"), strict=True):
        assert one == other
        assert torch.equal(made(one)(maps(one)), made(other)(maps(other)))


@each_training
@pytest.mark.parametrize("block", making("dense"))
def test_a_dense_layer_puts_what_it_read_before_what_it_adds(block: str, training: bool) -> None:
    for spec in small_specs(block):
        if spec.kind == "transition":
            continue
        network = made(spec).train(training)
        x = maps(spec)
        out = network(x)
        assert torch.equal(out[:, : spec.in_width], x)
        y = x
        for norm, conv in zip(layers(network, nn.BatchNorm2d), layers(network, nn.Conv2d), strict=True):
            y = conv(F.relu(norm(y)))
        same(out[:, spec.in_width :], y)
        assert y.shape[1] == 4


@pytest.mark.parametrize("compression", [0.5, 0.7, 1.0])
def test_a_transition_compresses_and_averages_over_its_stride(compression: float) -> None:
    specs = [spec for spec in small_specs("dense", compression=compression) if spec.kind == "transition"]
    assert [spec.stride for spec in specs] == [2, 2]
    for spec in specs:
        assert spec.out_width == int(compression * spec.in_width + 1e-9)
        network = made(spec).eval()
        (norm,), (conv,) = layers(network, nn.BatchNorm2d), layers(network, nn.Conv2d)
        x = maps(spec, 8, 6)
        y = conv(F.relu(norm(x)))
        same(network(x), (y[:, :, ::2, ::2] + y[:, :, 1::2, ::2] + y[:, :, ::2, 1::2] + y[:, :, 1::2, 1::2]) / 4)


def test_a_transition_without_a_stride_keeps_the_map() -> None:
    spec = small_specs("dense", strides=(1, 1, 1))[2]
    assert spec.kind == "transition"
    assert made(spec)(maps(spec)).shape == (2, spec.out_width, 9, 7)


@each_training
@pytest.mark.parametrize("block", making("chain"))
def test_a_chain_activates_every_convolution_and_adds_nothing(block: str, training: bool) -> None:
    for spec in small_specs(block):
        network = made(spec).train(training)
        convs, norms = layers(network, nn.Conv2d), layers(network, nn.BatchNorm2d)
        y = x = maps(spec)
        for index, conv in enumerate(convs):
            y = F.relu(norms[index](conv(y)) if spec.norm else conv(y))
        same(network(x), y)


@pytest.mark.parametrize("block", KINDS)
def test_only_what_is_biased_by_name_or_not_normalised_has_biases(block: str) -> None:
    for spec in small_specs(block):
        convs, norms = layers(BLOCKS[spec.kind](spec), nn.Conv2d), layers(BLOCKS[spec.kind](spec), nn.BatchNorm2d)
        assert {conv.bias is not None for conv in convs} == {KINDS[block].bias or not KINDS[block].norm}
        assert bool(norms) == KINDS[block].norm


@each_order
def test_a_crelu_doubles_what_was_normalised(block: str, order: str) -> None:
    found = 0
    for spec in small_specs(block, order=order, activation="crelu", cardinality=1):
        network = made(spec)
        before: list[nn.Module] = []

        def doubled(_layer: nn.Module, inputs: tuple[Tensor], out: Tensor, before: list[nn.Module] = before) -> None:
            nonlocal found
            found += 1
            assert out.shape[1] == 2 * inputs[0].shape[1]
            assert isinstance(before[-1], nn.BatchNorm2d if KINDS[block].norm else nn.Conv2d)

        for layer in network.modules():
            if isinstance(layer, CReLU):
                layer.register_forward_hook(doubled)
            elif isinstance(layer, (nn.Conv2d, nn.BatchNorm2d, nn.ReLU)):
                layer.register_forward_hook(lambda layer, _inputs, _out, before=before: before.append(layer))
        assert network(maps(spec)).shape[1] == spec.out_width
    kind = KINDS[block]
    between = 2 if kind.expansion > 1 else 1  # of a bottleneck's three convolutions, or of two
    a_block = {
        "chain": 1,
        "dense": between - 1,
        "residual": between + (order == "relu_before_addition"),
        "inception": 2 * between,
        "merge_run": 2 * between,
        "highway": 1,
        "fractal": 7,
        "shuffle": 1,
    }
    plain = 2 if kind.makes == "highway" else 0  # layers where the shape changes
    assert found == 4 * a_block[kind.makes] + plain


@pytest.mark.slow
@each_shortcut
@pytest.mark.parametrize("activation", ["relu", "crelu"])
@each_order
def test_a_block_puts_out_what_its_specification_says(block: str, order: str, shortcut: str, activation: str) -> None:
    if conflict(block, "none", shortcut):
        return
    for spec in small_specs(block, order=order, shortcut=shortcut, activation=activation):
        network = made(spec).eval()
        for height, width in ((9, 7), (8, 8), (3, 2)):
            across = [
                side // spec.stride if spec.kind == "transition" else -(-side // spec.stride)
                for side in (height, width)
            ]
            assert network(maps(spec, height, width)).shape == (2, spec.out_width, *across)


@each_order
def test_only_a_block_that_ends_with_relu_puts_out_no_negative(block: str, order: str) -> None:
    ends = (KINDS[block].order or order) in ("original", "bn_after_addition")
    for spec in small_specs(block, order=order):
        if spec.kind == "highway":
            continue  # what it hands on has whatever signs it came with
        assert bool((made(spec).eval()(maps(spec)) < 0).any()) != ends


def dropping(block: str, placement: str, **fields: Any) -> list[tuple[BlockSpec, Any]]:
    usual: dict[str, Any] = {"dropout": placement, "dropout_rate": 0.5, "drop_decay": "uniform"}
    specs = small_specs(block, **{**usual, **fields})
    return [(spec, made(spec).eval()) for spec in specs if spec.dropout == placement]


@pytest.mark.parametrize("placement", [each for each in OPTIONS["dropout"] if each != "head"])
@each_order
def test_dropout_stands_where_it_is_placed_and_nowhere_else(block: str, order: str, placement: str) -> None:
    if conflict(block, placement, "B"):
        return
    for spec in small_specs(block, order=order, dropout=placement, dropout_rate=0.25):
        network = BLOCKS[spec.kind](spec)
        names = [name for name, layer in network.named_modules() if isinstance(layer, DROPPING)]
        two = spec.kind in ("inception", "merge_run")
        if spec.dropout == "none":
            expected = 0
        elif spec.kind in ("dense", "fractal"):
            expected = len(spec.branch) if placement == "after" else 1
        else:
            expected = 2 if two and placement in ("between", "branch", "swapout") else 1
            expected += placement == "swapout"  # on the shortcut as well
        assert len(names) == expected
        kinds = {type(layer) for layer in network.modules() if isinstance(layer, DROPPING)}
        own = {"branch": DropBranch, "swapout": Swapout, "path": DropPath}.get(placement, nn.Dropout)
        assert kinds == ({own} if expected else set())


@pytest.mark.parametrize("block", [block for block in KINDS if not conflict(block, "between", "B")])
def test_dropout_between_stands_right_before_the_last_convolution(block: str) -> None:
    for _, network in dropping(block, "between"):
        for branch in getattr(network, "branches", [getattr(network, "branch", network)]):
            steps = [layer for layer in branch.modules() if not list(layer.children())]
            places = [index for index, layer in enumerate(steps) if isinstance(layer, nn.Dropout)]
            assert len(places) == 1
            assert isinstance(steps[places[0] - 1], nn.BatchNorm2d if block == "shuffle" else nn.ReLU)
            assert steps[places[0] + 1] is layers(branch, nn.Conv2d)[-1]


@pytest.mark.parametrize("block", [block for block in KINDS if block not in making("dense", "fractal")])
def test_dropout_after_falls_on_all_that_a_block_puts_out(block: str) -> None:
    torch.manual_seed(0)
    for spec, network in dropping(block, "after"):
        x = maps(spec, 40, 40)
        whole = network(x)
        with monte_carlo(network):
            dropped = network(x)
        kept = dropped != 0
        same(dropped[kept], 2 * whole[kept])
        assert 0.45 < (dropped[whole != 0] == 0).double().mean() < 0.55


@pytest.mark.parametrize("block", making("dense"))
def test_dropout_after_in_a_dense_layer_falls_on_what_it_adds_and_not_on_what_it_read(block: str) -> None:
    torch.manual_seed(0)
    for spec, network in dropping(block, "after"):
        x = maps(spec, 40, 40)
        with monte_carlo(network):
            dropped = network(x)
        assert not torch.equal(dropped, network(x))
        if spec.kind == "dense":
            assert torch.equal(dropped[:, : spec.in_width], x)
            assert 0.4 < (dropped[:, spec.in_width :] == 0).double().mean() < 0.6


@pytest.mark.parametrize("block", ["basic", "bottleneck", "resnext", "preact"])
def test_dropout_on_the_shortcut_falls_on_nothing_else(block: str) -> None:
    torch.manual_seed(0)
    for spec, network in dropping(block, "shortcut", order="full"):
        x = maps(spec)
        read = network.enter(x)
        branch, through = network.branch(read), network.shortcut(read if spec.projects else x)
        with monte_carlo(network):
            out = network(x)
        gone = torch.isclose(out, branch, rtol=1e-9)
        same(out[~gone], (branch + 2 * through)[~gone])
        assert 0.3 < gone.double().mean() < 0.7


@pytest.mark.parametrize("block", ["basic", "bottleneck", "resnext", "preact"])
def test_swapout_drops_units_of_both_terms_each_by_itself(block: str) -> None:
    torch.manual_seed(0)
    for spec, network in dropping(block, "swapout", order="full"):
        x = maps(spec, 40, 40)
        read = network.enter(x)
        branch = layers(network.branch, Swapout)[0]
        kept = list[Tensor]()
        hook = branch.register_forward_hook(lambda _layer, inputs, _out, kept=kept: kept.append(inputs[0]))
        network(x)
        hook.remove()
        through, added = network.shortcut[0](read if spec.projects else x), kept[0]
        same(network(x), 0.5 * through + 0.5 * added)  # the expectation
        with monte_carlo(network):
            out = network(x)
        told_apart = (through != 0) & (added != 0)  # not where a shortcut pads
        shares = [
            torch.isclose(out, term, rtol=1e-9, atol=1e-12)[told_apart].double().mean().item()
            for term in (torch.zeros_like(out), through, added, through + added)
        ]
        assert shares == pytest.approx([0.25] * 4, abs=0.03)
        assert sum(shares) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("block", SHORTENED)
def test_a_dropped_branch_leaves_the_shortcut_and_a_kept_one_is_whole(block: str) -> None:
    torch.manual_seed(0)
    for spec, network in dropping(block, "branch"):
        x = maps(spec)
        branches = list(getattr(network, "branches", [getattr(network, "branch", None)]))
        drops = layers(network, DropBranch)
        assert len(drops) == len(branches)
        possible = []
        for kept in ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)):
            hooks = [
                drop.register_forward_hook(lambda _layer, inputs, _out, share=share: inputs[0] * share)
                for drop, share in zip(drops, kept, strict=False)
            ]
            possible.append(network(x))
            for hook in hooks:
                hook.remove()
        seen = set()
        for _ in range(30):
            with monte_carlo(network):
                out = network(x)
            seen.add(next(index for index, each in enumerate(possible) if torch.equal(out, each)))
        assert seen == ({0, 2} if len(drops) == 1 else {0, 1, 2, 3})


@pytest.mark.parametrize("block", SHORTENED)
def test_at_evaluation_a_branch_dropped_for_a_batch_is_scaled_and_one_for_samples_whole(block: str) -> None:
    for unit, share in (("batch", 0.5), ("sample", 1.0)):
        for (spec, network), (_, plain) in zip(
            dropping(block, "branch", drop_unit=unit), dropping(block, "none"), strict=True
        ):
            x = maps(spec)
            for branch in getattr(plain, "branches", [getattr(plain, "branch", None)]):
                branch.register_forward_hook(lambda _layer, _inputs, out, share=share: out * share)
            same(network(x), plain(x))
