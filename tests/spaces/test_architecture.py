"""Test `spaces.architecture`."""

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spaces.architecture import (
    DROPOUTS,
    KINDS,
    SHORTCUTS,
    STEMS,
    STRIDES_IN,
    Architecture,
    BlockSpec,
    Plan,
    plan,
)
from spaces.errors import InfeasibleArchitecture, InputError

relaxed = settings(deadline=None, max_examples=50)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    stages = draw(st.integers(1, 4))

    def one_for_each_stage(values: st.SearchStrategy[int]) -> tuple[int, ...]:
        return tuple(draw(st.lists(values, min_size=stages, max_size=stages)))

    fields: dict[str, Any] = {
        "block": draw(st.sampled_from(sorted(KINDS))),
        "depths": one_for_each_stage(st.integers(1, 3)),
        "widths": one_for_each_stage(st.sampled_from([8, 16, 32, 64])),
        "widening_factor": draw(st.sampled_from([0.5, 1, 1.0, 1.5, 2])),
        "cardinality": draw(st.sampled_from([1, 2, 4])),
        "base_width": draw(st.sampled_from([None, 16, 32, 64])),
        "shortcut": draw(st.sampled_from(SHORTCUTS)),
        "stride_in": draw(st.sampled_from(STRIDES_IN)),
        "dropout": draw(st.sampled_from(DROPOUTS)),
        "dropout_rate": draw(st.sampled_from([0, 0.0, 0.1, 0.5])),
        "stem": draw(st.sampled_from(STEMS)),
        "stem_width": draw(st.sampled_from([8, 16])),
    }
    try:
        return Architecture(**fields)
    except InfeasibleArchitecture:
        assume(False)
        raise


def blocks(described: Plan) -> list[BlockSpec]:
    return [spec for stage in described.stages for spec in stage]


@relaxed
@given(given_one=architectures())
def test_the_canonical_form_is_the_same_network(given_one: Architecture) -> None:
    canonical = given_one.canonical()
    assert canonical.digest == given_one.digest
    assert plan(canonical) == plan(given_one)
    assert canonical.canonical() == canonical


@relaxed
@given(one=architectures(), data=st.data())
def test_plans_are_equal_exactly_where_digests_are(one: Architecture, data: st.DataObject) -> None:
    changed = data.draw(
        st.sampled_from(["block", "cardinality", "base_width", "shortcut", "stride_in", "dropout_rate"])
    )
    other = data.draw(architectures())
    try:
        near = replace(one, **{changed: getattr(other, changed)})
    except InfeasibleArchitecture:
        assume(False)
    for second in (near, other):
        assert (plan(one) == plan(second)) == (one.digest == second.digest)


@relaxed
@given(given_one=architectures())
def test_json_is_enough_to_have_the_architecture_back(given_one: Architecture) -> None:
    again = Architecture.from_json(json.loads(json.dumps(given_one.to_json())))
    assert again == given_one
    assert hash(again) == hash(given_one)
    assert again.digest == given_one.digest


DEAD: list[tuple[dict[str, Any], str, list[Any]]] = [
    ({"block": "basic"}, "cardinality", [2, 32]),
    ({"block": "bottleneck"}, "cardinality", [2, 32]),
    ({"block": "preact_bottleneck"}, "cardinality", [2, 32]),
    ({"block": "basic"}, "base_width", [4, 64]),
    ({"block": "preact"}, "base_width", [4, 64]),
    ({"block": "basic"}, "stride_in", ["first"]),
    ({"block": "preact"}, "stride_in", ["first"]),
    ({"dropout": "none"}, "dropout_rate", [0.1, 0.5]),
    ({"dropout_rate": 0.0}, "dropout", list(DROPOUTS)),
    ({"dropout_rate": 0}, "dropout", list(DROPOUTS)),
]


@pytest.mark.parametrize(("where", "name", "values"), DEAD)
def test_a_field_that_does_not_matter_changes_nothing(where: dict[str, Any], name: str, values: list[Any]) -> None:
    usual = Architecture(**where)
    for value in values:
        other = replace(usual, **{name: value})
        assert other.digest == usual.digest
        assert other.canonical() == usual.canonical()


LIVE: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "block", "preact"),
    ({}, "block", "bottleneck"),
    ({}, "depths", (1, 1, 2)),
    ({}, "widths", (16, 32, 48)),
    ({}, "widening_factor", 2),
    ({}, "shortcut", "A"),
    ({}, "shortcut", "C"),
    ({}, "stem", "large"),
    ({}, "stem_width", 32),
    ({"block": "resnext"}, "cardinality", 2),
    ({"block": "resnext", "cardinality": 4}, "cardinality", 8),
    ({"block": "bottleneck"}, "base_width", 32),
    ({"block": "bottleneck"}, "stride_in", "first"),
    ({"block": "preact_bottleneck"}, "stride_in", "first"),
    ({"dropout": "between", "dropout_rate": 0.1}, "dropout", "after"),
    ({"dropout": "between", "dropout_rate": 0.1}, "dropout", "head"),
    ({"dropout": "between", "dropout_rate": 0.1}, "dropout", "none"),
    ({"dropout": "head", "dropout_rate": 0.1}, "dropout_rate", 0.2),
    ({"dropout": "shortcut", "dropout_rate": 0.1}, "dropout_rate", 0.0),
]


@pytest.mark.parametrize(("where", "name", "value"), LIVE)
def test_a_field_that_matters_changes_the_digest(where: dict[str, Any], name: str, value: Any) -> None:
    usual = Architecture(**where)
    other = replace(usual, **{name: value})
    assert other.digest != usual.digest
    assert other.canonical() != usual.canonical()


@pytest.mark.parametrize("placement", DROPOUTS)
@pytest.mark.parametrize("rate", [0, 0.0, -0.0])
def test_a_rate_of_nought_drops_nothing_wherever_it_stands(placement: str, rate: float) -> None:
    plain = Architecture()
    dropping = Architecture(dropout=placement, dropout_rate=rate)
    plan.cache_clear()  # equal architectures share what is remembered of the first
    assert dropping.digest == plain.digest
    assert dropping.canonical() == plain


def test_twice_the_factor_is_twice_the_widths_beside_one_stem() -> None:
    assert Architecture(widening_factor=2).digest == Architecture(widths=(32, 64, 128)).digest
    assert Architecture(widening_factor=2).digest != Architecture(widths=(32, 64, 128), stem_width=32).digest


def test_a_resnext_of_one_group_is_a_bottleneck() -> None:
    grouped = Architecture(block="resnext", cardinality=1, base_width=32)
    assert plan(grouped) == plan(Architecture(block="bottleneck", base_width=32))
    assert grouped.digest == Architecture(block="bottleneck", base_width=32).digest


def test_a_base_width_of_64_is_the_plain_bottleneck() -> None:
    assert Architecture(block="bottleneck", base_width=64).digest == Architecture(block="bottleneck").digest


def test_where_no_shape_changes_padding_and_projecting_are_the_identity() -> None:
    one_stage: dict[str, Any] = {"depths": (3,), "widths": (16,)}
    assert Architecture(**one_stage, shortcut="A").digest == Architecture(**one_stage, shortcut="B").digest
    assert Architecture(**one_stage, shortcut="C").digest != Architecture(**one_stage, shortcut="B").digest


def test_digests_are_those_that_databases_hold() -> None:
    resnext = Architecture(
        block="resnext", depths=(3, 3, 3), widths=(64, 128, 256), stem_width=64, cardinality=8, base_width=64,
        dropout="between", dropout_rate=0.3,
    )  # fmt: skip
    assert Architecture().digest == "0e50338408e5072e"
    assert resnext.digest == "d5c18e5defa15aba"


def test_lists_and_tuples_make_the_same_architecture() -> None:
    listed = Architecture(depths=[1, 2], widths=[8, 16])  # type: ignore[arg-type]
    assert listed == Architecture(depths=(1, 2), widths=(8, 16))
    assert listed.stages == 2


def test_an_architecture_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Architecture().depths = (2,)  # type: ignore[misc]


def test_a_plan_strides_once_at_the_head_of_each_later_stage() -> None:
    described = plan(Architecture(depths=(3, 2, 1)))
    assert [[spec.stride for spec in stage] for stage in described.stages] == [[1, 1, 1], [2, 1], [2]]


@relaxed
@given(given_one=architectures())
def test_each_block_reads_what_the_one_before_it_puts_out(given_one: Architecture) -> None:
    described = plan(given_one)
    specs = blocks(described)
    reads = [described.stem_width, *(spec.out_width for spec in specs[:-1])]
    assert [spec.in_width for spec in specs] == reads
    assert described.out_width == specs[-1].out_width
    assert tuple(len(stage) for stage in described.stages) == given_one.depths


@relaxed
@given(given_one=architectures())
def test_groups_divide_the_inner_width_and_shortcuts_fit_the_shapes(given_one: Architecture) -> None:
    for spec in blocks(plan(given_one)):
        assert spec.inner_width % spec.groups == 0
        changes = spec.stride > 1 or spec.in_width != spec.out_width
        allowed = {"A": {"pad"}, "B": {"project"}, "C": {"project"}}[given_one.shortcut]
        assert spec.shortcut in (allowed if changes or given_one.shortcut == "C" else {"identity"})
        assert spec.shortcut != "pad" or spec.in_width <= spec.out_width


def test_a_resnext_is_as_wide_inside_as_its_authors_have_it() -> None:
    for cardinality, base_width, inner in ((1, 64, 64), (2, 40, 80), (4, 24, 96), (8, 14, 112), (32, 4, 128)):
        fields = {"widths": (64,), "depths": (1,), "cardinality": cardinality, "base_width": base_width}
        assert blocks(plan(Architecture(block="resnext", **fields)))[0].inner_width == inner  # type: ignore[arg-type]


@pytest.mark.parametrize("placement", ["between", "after", "shortcut"])
def test_dropout_in_the_blocks_stands_in_every_block_and_not_in_the_head(placement: str) -> None:
    described = plan(Architecture(depths=(2, 2, 2), dropout=placement, dropout_rate=0.25))
    assert {(spec.dropout, spec.dropout_rate) for spec in blocks(described)} == {(placement, 0.25)}
    assert described.head_dropout_rate == 0


def test_dropout_in_the_head_stands_in_no_block() -> None:
    described = plan(Architecture(dropout="head", dropout_rate=0.25))
    assert {(spec.dropout, spec.dropout_rate) for spec in blocks(described)} == {("none", 0.0)}
    assert described.head_dropout_rate == 0.25


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"depths": (1, 1)}, r"depths \[1, 1\] and widths \[16, 32, 64\] must name the same stages"),
        ({"depths": (), "widths": ()}, "must name the same stages"),
        ({"block": "resnext", "cardinality": 6}, r"cardinality 6 does not divide width 16 \(block resnext, stage 1\)"),
        (
            {"block": "resnext", "cardinality": 32},
            r"cardinality 32 does not divide width 16 \(block resnext, stage 1\)",
        ),
        (
            {"block": "resnext", "widths": (16, 24, 32), "cardinality": 16},
            r"cardinality 16 does not divide width 24 \(block resnext, stage 2\)",
        ),
        ({"widening_factor": 0.01}, r"widening_factor 0.01 leaves no channel of width 16 \(stage 1\)"),
        ({"block": "bottleneck", "base_width": 3}, r"base_width 3 leaves no channel of width 16 \(stage 1\)"),
        ({"shortcut": "A", "stem_width": 32}, "shortcut A cannot pad 32 channels down to 16"),
    ],
)
def test_fields_that_cannot_go_together_are_both_named(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(InfeasibleArchitecture, match=told):
        Architecture(**fields)


@pytest.mark.parametrize(
    ("name", "near"),
    [("block", "botleneck"), ("dropout", "betwen"), ("shortcut", "D"), ("stem", "smal"), ("stride_in", "frist")],
)
def test_an_unknown_name_is_refused_with_the_known_ones(name: str, near: str) -> None:
    known = {"block": KINDS, "dropout": DROPOUTS, "shortcut": SHORTCUTS, "stem": STEMS, "stride_in": STRIDES_IN}[name]
    with pytest.raises(InputError, match=f"unknown {name} '{near}'.*known are {', '.join(known)}"):
        Architecture(**{name: near})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"depths": (1, 0, 1)},
        {"depths": (1, -1, 1)},
        {"depths": (1, 1.0, 1)},
        {"depths": (1, True, 1)},
        {"widths": (16, 0, 64)},
        {"widths": (16, 32.5, 64)},
        {"cardinality": 0},
        {"cardinality": True},
        {"base_width": 0},
        {"base_width": -4},
        {"base_width": False},
        {"base_width": 4.5},
        {"stem_width": 0},
    ],
)
@pytest.mark.parametrize("block", ["basic", "resnext"])
def test_counts_are_whole_numbers_of_at_least_one(block: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="whole numbers of at least 1"):
        Architecture(block=block, **fields)


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")])
def test_a_widening_factor_is_a_number_above_nought(factor: float) -> None:
    with pytest.raises(InputError, match=f"widening_factor {factor} is not a number above 0"):
        Architecture(widening_factor=factor)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_a_dropout_rate_keeps_something(rate: float) -> None:
    with pytest.raises(InputError, match=rf"dropout_rate {rate} is not in \[0, 1\)"):
        Architecture(dropout="after", dropout_rate=rate)


def test_an_unknown_field_of_json_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown field 'depth' \(did you mean 'depths'\?\)"):
        Architecture.from_json({"depth": 3})


def test_json_leaves_unsaid_fields_at_their_default() -> None:
    assert Architecture.from_json({"block": "preact"}) == Architecture(block="preact")
