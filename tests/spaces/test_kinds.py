"""Test `spaces.kinds`: the names of blocks, and where dropout stands in them."""

from typing import Any

import pytest

from spaces.architecture import Architecture, plan
from spaces.blocks import BLOCKS
from spaces.errors import InfeasibleArchitecture, InputError
from spaces.fields import OPTIONS
from spaces.kinds import AROUND, KINDS, SINGLE
from tests.spaces.grammar import (
    BLOCKS_IN_ORDERS,
    DROPOUTS,
    SHORTCUTS,
    SHORTENED,
    conflict,
    is_single,
    small,
    small_specs,
)


def test_every_block_that_can_be_named_can_be_built_and_none_besides_but_the_transition() -> None:
    assert {kind.makes for kind in KINDS.values()} | {"transition", "multi_residual"} == BLOCKS.keys()
    made = {spec.kind for block in KINDS for branches in (1, 2) for spec in small_specs(block, branches=branches)}
    assert made == BLOCKS.keys()


@pytest.mark.parametrize("block", KINDS)
def test_a_block_changes_with_the_fields_that_its_kind_says_it_reads_and_with_no_other(block: str) -> None:
    kind, usual = KINDS[block], {"shortcut": "C", "base_width": 64, "cardinality": 1}
    values: dict[str, tuple[bool, list[Any]]] = {
        "order": (kind.order is None, list(OPTIONS["order"])),
        "shortcut": (
            kind.shortcuts,
            [
                each
                for each in SHORTCUTS
                if conflict(block, "none", each) is None and (each != "conv" or kind.order != "full")
            ],
        ),
        "cardinality": (kind.grouped, [1, 2, 4]),
        "branches": (kind.makes == "residual", [1, 2, 5]),
        "columns": (kind.makes == "fractal", [1, 2, 3]),
        "kernels": (kind.sequence, [(3, 3), (3,), (3, 1, 3)]),
    }
    for name, (reads, options) in values.items():
        plans = {small_specs(block, **{**usual, name: value}) for value in options}
        assert len(plans) == (len(options) if reads else 1), name
    stems = {plan(small(block, widening_factor=factor)).stem for factor in (1, 2)}
    assert len(stems) == (2 if kind.widens_stem else 1)


def test_the_blocks_of_one_convolution_are_those_that_are_refused_dropout_between() -> None:
    assert {block for block in KINDS if is_single(block)} == set(SINGLE)


def test_an_unknown_block_is_refused_with_the_nearest_and_all_known() -> None:
    with pytest.raises(InputError) as caught:
        Architecture(block="botleneck")
    known = ", ".join(KINDS)
    assert str(caught.value) == f"unknown block 'botleneck' (did you mean 'bottleneck'?); known are {known}"


@pytest.mark.parametrize("block", KINDS)
def test_the_expansion_is_the_output_width_over_the_stage_width(block: str) -> None:
    expansion = KINDS[block].expansion
    if KINDS[block].makes == "dense":
        assert {len(spec.branch) for spec in small_specs(block) if spec.kind == "dense"} == {1 if expansion == 1 else 2}
        return
    specs = [spec for spec in small_specs(block) if spec.pool == 1]  # not what leads to highway layers
    outs = [spec.out_width // spec.streams_out for spec in specs]
    assert outs == [width * expansion for width in (8, 8, 12, 12)]
    ends = [(spec.branch[0].kernel, spec.branch[-1].kernel) for spec in specs]
    assert {each == (1, 1) for each in ends} == {expansion > 1 or block == "shuffle"}  # a bottleneck


@pytest.mark.parametrize("dropout", DROPOUTS)
@pytest.mark.parametrize("block", KINDS)
def test_fields_go_together_or_the_two_in_conflict_are_named(block: str, dropout: str) -> None:
    for order in [order for name, order in BLOCKS_IN_ORDERS if name == block]:
        for shortcut in SHORTCUTS:
            fields = {"order": order, "dropout": dropout, "shortcut": shortcut, "dropout_rate": 0.3}
            told = conflict(block, dropout, shortcut)
            if told is None:
                assert len(plan(small(block, **fields)).blocks) >= 4
                continue
            with pytest.raises(InfeasibleArchitecture, match=f"^{told}$"):
                small(block, **fields)


def test_dropout_between_one_convolution_and_nothing_is_refused_by_the_kernels() -> None:
    for block in ("basic", "preact"):
        with pytest.raises(InfeasibleArchitecture) as caught:
            Architecture(block=block, kernels=(5,), dropout="between", dropout_rate=0.3)
        assert str(caught.value) == "dropout between needs two convolutions, and kernels is 5"
    assert Architecture(block="bottleneck", kernels=(5,), dropout="between", dropout_rate=0.3)


def test_one_column_leaves_no_path_to_choose() -> None:
    with pytest.raises(InfeasibleArchitecture) as caught:
        Architecture(block="fractal", columns=1, dropout="path", dropout_rate=0.3)
    assert str(caught.value) == "dropout path needs columns to choose from, and columns is 1"


def test_units_of_columns_are_dropped_once() -> None:
    with pytest.raises(InfeasibleArchitecture) as caught:
        Architecture(block="fractal", unit_rate=0.4, dropout="after", dropout_rate=0.1)
    assert str(caught.value) == "dropout after drops units already, and unit_rate is 0.4"
    assert Architecture(block="fractal", unit_rate=0, dropout="after", dropout_rate=0.1)


@pytest.mark.parametrize("dropout", ["between", "shortcut", "branch", "path"])
def test_a_rate_of_nought_is_refused_nowhere(dropout: str) -> None:
    assert small("conv", dropout=dropout, dropout_rate=0.0).digest == small("conv").digest


@pytest.mark.parametrize("dropout", [each for each in DROPOUTS if each not in ("none", "head")])
@pytest.mark.parametrize("block", KINDS)
def test_dropout_in_the_blocks_stands_in_every_block_and_not_in_the_head(block: str, dropout: str) -> None:
    if conflict(block, dropout, "B"):
        return
    described = plan(small(block, dropout=dropout, dropout_rate=0.25, drop_decay="uniform"))
    for spec in described.blocks:
        placed = ("none", 0.0) if spec.kind == "transition" and dropout == "between" else (dropout, 0.25)
        assert (spec.dropout, spec.dropout_rate) == placed
    assert described.head.dropout_rate == 0


@pytest.mark.parametrize("block", KINDS)
def test_dropout_in_the_head_stands_in_no_block(block: str) -> None:
    described = plan(small(block, dropout="head", dropout_rate=0.25))
    assert {(spec.dropout, spec.dropout_rate) for spec in described.blocks} == {("none", 0.0)}
    assert described.head.dropout_rate == 0.25


@pytest.mark.parametrize("dropout", AROUND)
@pytest.mark.parametrize("block", SHORTENED)
def test_where_a_block_has_no_shortcut_neither_it_nor_the_only_branch_is_dropped(block: str, dropout: str) -> None:
    specs = small_specs(block, shortcut="identity", dropout=dropout, dropout_rate=0.25)
    assert {spec.shortcut for spec in specs} == {"none", "identity"}
    for spec in specs:
        assert (spec.dropout == dropout) == (spec.shortcut == "identity")
        assert (spec.dropout_rate > 0) == (spec.shortcut == "identity")


def test_what_a_branch_is_dropped_for_matters_to_dropped_branches_only() -> None:
    fields: dict[str, Any] = {"dropout_rate": 0.25, "drop_unit": "sample"}
    assert {spec.drop_unit for spec in small_specs("basic", dropout="branch", **fields)} == {"sample"}
    assert {spec.drop_unit for spec in small_specs("basic", dropout="after", **fields)} == {"batch"}
