"""Test `spaces.layouts`: every width, stride and group of what is laid out."""

from typing import Any

import pytest
from hypothesis import given

from spaces.architecture import Architecture, plan
from spaces.errors import InfeasibleArchitecture
from spaces.fields import MIXED
from spaces.kinds import KINDS
from spaces.layouts import preserved_base_width
from spaces.plan import BlockSpec
from tests.spaces.grammar import ORDERS, SHORTENED, architectures, relaxed, small_specs

TWO_3X3 = ("inception", "merge_run")
BOTTLENECKS = ("bottleneck", "resnext", "preact_bottleneck", "inception_bottleneck", "merge_run_bottleneck")


def convs(spec: BlockSpec) -> list[tuple[int, int, int, int, int]]:
    return [(each.in_width, each.out_width, each.kernel, each.stride, each.groups) for each in spec.branch]


def one(block: str, **fields: Any) -> BlockSpec:
    usual: dict[str, Any] = {"depths": (1,), "widths": (64,), "stem_width": 16}
    return plan(Architecture(block=block, **{**usual, **fields})).blocks[0]


@relaxed
@given(drawn=architectures())
def test_each_block_reads_what_the_one_before_it_puts_out(drawn: Architecture) -> None:
    described = plan(drawn)
    specs = described.blocks
    assert [spec.in_width for spec in specs] == [described.stem.width, *(spec.out_width for spec in specs[:-1])]
    assert [spec.streams_in for spec in specs] == [1, *(spec.streams_out for spec in specs[:-1])]
    assert described.head.width == specs[-1].out_width


@relaxed
@given(drawn=architectures())
def test_the_strides_in_a_branch_are_the_blocks_and_groups_divide_every_width(drawn: Architecture) -> None:
    for spec in plan(drawn).blocks:
        strides = [each.stride for each in spec.branch if each.stride > 1]
        assert strides == [spec.stride] * (
            spec.stride > 1 and spec.kind not in ("transition", "fractal") and spec.pool == 1
        )
        for each in spec.branch:
            assert each.in_width % each.groups == each.out_width % each.groups == 0


@relaxed
@given(drawn=architectures())
def test_a_stage_strides_once_and_at_its_head_or_where_columns_end(drawn: Architecture) -> None:
    strides = drawn.strides or (1,) + (2,) * (len(drawn.depths) - 1)
    found = [[spec.stride for spec in stage] for stage in plan(drawn).stages]
    found = [stage[::-1] for stage in found] if drawn.block == "fractal" else found
    assert [stage[0] for stage in found] == list(strides)
    assert all(stride == 1 for stage in found for stride in stage[1:])


@relaxed
@given(drawn=architectures())
def test_a_shortcut_is_the_option_where_the_shape_changes_and_else_the_identity(drawn: Architecture) -> None:
    for spec in plan(drawn).blocks:
        changes = spec.stride > 1 or spec.in_width // spec.streams_in != spec.out_width // spec.streams_out
        same = "none" if drawn.shortcut == "none" or not KINDS[drawn.block].shortcuts else "identity"
        changed = {
            **dict.fromkeys(("A", *MIXED), "pad"),
            "B": "project",
            "3x3": "project3x3",
            "pool": "pool" if spec.stride > 1 else "pad",
        }.get(drawn.shortcut, "none")
        if spec.kind == "highway":
            assert (spec.shortcut, changes) == ("identity", False)
        elif drawn.shortcut == "3x3" and same == "identity" and spec == plan(drawn).blocks[0]:
            assert spec.shortcut == "project3x3"
        elif drawn.shortcut in ("C", "conv") and KINDS[drawn.block].shortcuts:
            bare = drawn.shortcut == "conv" and spec.order not in ("full", "bn_after_addition")
            assert spec.shortcut == ("conv" if bare else "project")
        else:
            assert spec.shortcut == (changed if changes and same == "identity" else same)
        assert spec.mix == (
            drawn.shortcut if drawn.shortcut in MIXED and KINDS[drawn.block].shortcuts
            else "exclusive" if spec.kind == "highway" else "sum"
        )  # fmt: skip


def test_a_basic_block_is_two_convolutions_of_which_the_first_widens_and_strides() -> None:
    assert convs(one("basic", strides=(2,))) == [(16, 64, 3, 2, 1), (64, 64, 3, 1, 1)]


@pytest.mark.parametrize("block", ["basic", "preact"])
def test_the_kernels_are_a_wide_blocks_convolutions_in_order(block: str) -> None:
    assert convs(one(block, kernels=(1, 3, 5), strides=(2,))) == [
        (16, 64, 1, 2, 1),
        (64, 64, 3, 1, 1),
        (64, 64, 5, 1, 1),
    ]
    assert convs(one(block, kernels="B(5)")) == [(16, 64, 5, 1, 1)]


@pytest.mark.parametrize("block", TWO_3X3)
def test_no_other_block_asks_for_kernels(block: str) -> None:
    assert convs(one(block, kernels=(1,))) == convs(one(block)) == [(16, 64, 3, 1, 1), (64, 64, 3, 1, 1)]


@pytest.mark.parametrize("block", BOTTLENECKS)
@pytest.mark.parametrize(("stride_in", "strides"), [("first", (2, 1, 1)), ("3x3", (1, 2, 1))])
def test_a_bottleneck_strides_where_it_is_told(block: str, stride_in: str, strides: tuple[int, ...]) -> None:
    spec = one(block, stride_in=stride_in, strides=(2,))
    assert [(each.kernel, each.stride) for each in spec.branch] == list(zip((1, 3, 1), strides, strict=True))
    assert [each.out_width for each in spec.branch] == [64, 64, 256]


@pytest.mark.parametrize(
    ("cardinality", "base_width", "inner"), [(1, 64, 64), (2, 40, 80), (4, 24, 96), (8, 14, 112), (32, 4, 128)]
)
def test_a_resnext_is_as_wide_inside_as_its_authors_have_it(cardinality: int, base_width: int, inner: int) -> None:
    spec = one("resnext", cardinality=cardinality, base_width=base_width)
    assert convs(spec) == [(16, inner, 1, 1, 1), (inner, inner, 3, 1, cardinality), (inner, 256, 1, 1, 1)]
    assert preserved_base_width(cardinality) == base_width
    assert one("resnext", cardinality=cardinality, base_width="preserved") == spec


@pytest.mark.parametrize("cardinality", [1, 2, 4, 8, 16, 32, 64])
def test_a_preserved_base_width_costs_what_one_group_of_64_costs(cardinality: int) -> None:
    spec = one("resnext", cardinality=cardinality, base_width="preserved", stem_width=256)
    numbers = sum(each.in_width // each.groups * each.out_width * each.kernel**2 for each in spec.branch)
    assert numbers == pytest.approx(69_632, rel=0.08)  # C = 1 and d = 64, equation 4


def test_a_base_width_grows_with_the_stage() -> None:
    specs = plan(Architecture(block="resnext", widths=(64, 128, 256), cardinality=4, base_width=24)).blocks
    assert [spec.branch[1].out_width for spec in specs] == [96, 192, 384]


def test_only_a_resnext_is_grouped() -> None:
    for block in set(BOTTLENECKS) - {"resnext"}:
        assert {each.groups for each in one(block, cardinality=4).branch} == {1}


@pytest.mark.parametrize("block", TWO_3X3 + BOTTLENECKS[3:])
def test_two_branches_widen_with_the_stem(block: str) -> None:
    assert plan(Architecture(block=block, widening_factor=3)).stem.width == 48
    assert plan(Architecture(block="basic", widening_factor=3)).stem.width == 16


@pytest.mark.parametrize("fusion", ["add", "concatenate"])
def test_merge_and_run_begins_with_one_stream_and_ends_as_it_is_told(fusion: str) -> None:
    described = plan(Architecture(block="merge_run", depths=(2, 1, 1), fusion=fusion))
    ends = 1 if fusion == "add" else 2
    assert [spec.streams_in for spec in described.blocks] == [1, 2, 2, 2]
    assert [spec.streams_out for spec in described.blocks] == [2, 2, 2, ends]
    assert [spec.out_width for spec in described.blocks] == [32, 32, 64, 64 * ends]
    assert [spec.branch[0].in_width for spec in described.blocks] == [16, 16, 16, 32]


def test_a_dense_layer_adds_its_growth_and_a_transition_compresses_and_halves() -> None:
    described = plan(
        Architecture(block="dense", depths=(2, 1), widths=(1, 1), stem_width=15, growth=4, compression=0.5)
    )
    assert [[(s.kind, s.in_width, s.out_width, s.stride) for s in stage] for stage in described.stages] == [
        [("dense", 15, 19, 1), ("dense", 19, 23, 1)],
        [("transition", 23, 11, 2), ("dense", 11, 15, 1)],
    ]
    assert convs(described.blocks[2]) == [(23, 11, 1, 1, 1)]
    assert convs(described.blocks[3]) == [(11, 4, 3, 1, 1)]


@pytest.mark.parametrize(("width", "compression", "kept"), [(20, 0.7, 14), (30, 0.1, 3), (21, 0.5, 10), (23, 1.0, 23)])
def test_a_transition_keeps_the_floor_of_theta_c_however_it_is_rounded(
    width: int, compression: float, kept: int
) -> None:
    fields: dict[str, Any] = {"depths": (1, 1), "widths": (1, 1), "growth": 1, "stem_width": width - 1}
    described = plan(Architecture(block="dense", compression=compression, **fields))
    assert described.stages[1][0].out_width == kept


def test_a_dense_bottleneck_is_four_times_its_growth_wide_inside() -> None:
    spec = one("dense_bottleneck", growth=12, widening_factor=2)
    assert convs(spec) == [(16, 96, 1, 1, 1), (96, 24, 3, 1, 1)]


def test_a_separable_block_looks_at_each_channel_alone_and_then_mixes() -> None:
    assert convs(one("separable", strides=(2,))) == [(16, 16, 3, 2, 16), (16, 64, 1, 1, 1)]
    assert one("separable").norm


def test_a_chain_is_one_convolution_and_has_a_bias_where_it_is_not_normalised() -> None:
    assert convs(one("conv", strides=(2,))) == convs(one("biased_conv", strides=(2,))) == [(16, 64, 3, 2, 1)]
    assert one("conv").norm
    assert not one("biased_conv").norm


@pytest.mark.parametrize(
    ("block", "order", "halved"),
    [
        ("basic", "original", (0,)),
        ("basic", "bn_after_addition", (0,)),
        ("basic", "relu_before_addition", (0, 1)),
        ("basic", "relu_only", (0,)),
        ("basic", "full", (0,)),
        ("bottleneck", "original", (0, 1)),
        ("bottleneck", "relu_before_addition", (0, 1, 2)),
        ("resnext", "full", (0, 1)),
        ("inception", "original", (0,)),
        ("merge_run_bottleneck", "original", (0, 1)),
        ("dense", "original", ()),
        ("dense_bottleneck", "original", (0,)),
        ("separable", "original", (1,)),
        ("conv", "original", (0,)),
    ],
)
def test_a_crelu_halves_exactly_the_convolutions_it_follows(block: str, order: str, halved: tuple[int, ...]) -> None:
    relu, crelu = one(block, order=order, cardinality=4), one(block, order=order, cardinality=4, activation="crelu")
    expected = [each.out_width // 2 if index in halved else each.out_width for index, each in enumerate(relu.branch)]
    assert [each.out_width for each in crelu.branch] == expected
    assert [each.in_width for each in crelu.branch] == [each.in_width for each in relu.branch]
    assert (crelu.in_width, crelu.out_width) == (relu.in_width, relu.out_width)


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_a_block_is_as_told_unless_its_name_says_it(order: str) -> None:
    assert {spec.order for spec in small_specs("resnext", order=order)} == {order}
    assert {spec.order for spec in small_specs("preact", order=order)} == {"full"}
    assert {spec.order for spec in small_specs("inception", order=order)} == {"original"}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"block": "resnext", "cardinality": 6},
            "cardinality 6 does not divide width 16 (block resnext, stage 1)",
        ),
        (
            {"block": "resnext", "widths": (16, 24, 32), "cardinality": 16},
            "cardinality 16 does not divide width 24 (block resnext, stage 2)",
        ),
        ({"widening_factor": 0.01}, "widening_factor 0.01 leaves no channel of width 16 (stage 1)"),
        (
            {"widening_factor": 0.02, "widths": (64, 32, 16)},
            "widening_factor 0.02 leaves no channel of width 16 (stage 3)",
        ),
        (
            {"block": "conv", "widening_factor": 0.02, "stem_width": 16, "widths": (64, 64, 64)},
            "widening_factor 0.02 leaves no channel of stem_width 16",
        ),
        ({"block": "dense", "widening_factor": 0.01}, "widening_factor 0.01 leaves no channel of growth 12"),
        ({"block": "bottleneck", "base_width": 3}, "base_width 3 leaves no channel of width 16 (stage 1)"),
        ({"shortcut": "A", "stem_width": 32}, "shortcut A cannot pad 32 channels down to 16"),
        ({"shortcut": "pool", "widths": (16, 32, 8)}, "shortcut pool cannot pad 32 channels down to 8"),
        (
            {"block": "merge_run", "shortcut": "none"},
            "block merge_run merges its streams on shortcuts, and shortcut is none",
        ),
        (
            {"block": "dense", "strides": (2, 2, 2)},
            "strides 2 needs a transition, and the first stage of dense has none",
        ),
        (
            {"block": "dense", "compression": 0.01},
            "compression 0.01 leaves none of 28 channels",
        ),
        (
            {"activation": "crelu", "widths": (16, 32, 33)},
            "activation crelu cannot halve width 33 (block basic, stage 3)",
        ),
        (
            {"activation": "crelu", "block": "resnext", "cardinality": 4, "widths": (12, 24, 48)},
            "activation crelu cannot halve width 12 in 4 groups (block resnext, stage 1)",
        ),
        ({"activation": "crelu", "stem_width": 15}, "activation crelu cannot halve stem_width 15"),
    ],
)
def test_fields_that_cannot_go_together_are_both_named(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(InfeasibleArchitecture) as caught:
        Architecture(**fields)
    assert str(caught.value) == told


def test_a_shortcut_that_only_drops_channels_is_refused_where_it_would_pad_and_projected_where_it_may() -> None:
    for block in SHORTENED:
        fields: dict[str, Any] = {"block": block, "widths": (32, 16, 4), "stem_width": 16}
        assert plan(Architecture(**fields, shortcut="B")).blocks[2].shortcut == "project"
        assert plan(Architecture(**fields, shortcut="identity")).blocks[2].shortcut == "none"
        with pytest.raises(InfeasibleArchitecture, match="shortcut A cannot pad"):
            Architecture(**fields, shortcut="A")
