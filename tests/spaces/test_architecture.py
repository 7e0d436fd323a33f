"""Test `spaces.architecture`."""

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from spaces.architecture import STEMS, Architecture, ImageSpec, _digest, plan
from spaces.errors import InfeasibleArchitecture, InputError
from spaces.fields import FIELDS, OPTIONS
from spaces.graph import graph_of
from spaces.kinds import KINDS
from spaces.plan import StemSpec
from tests.spaces.grammar import (
    ORDERS,
    STEMMED,
    UNSHORTENED,
    architectures,
    making,
    ready,
    relaxed,
    small_specs,
    values,
)

patient = settings(relaxed, suppress_health_check=[HealthCheck.filter_too_much])


def forget() -> None:
    """Forget what is remembered of equal architectures."""
    plan.cache_clear()
    _digest.cache_clear()


def test_every_field_is_drawn() -> None:
    assert values(3).keys() == set(FIELDS)


@relaxed
@given(drawn=architectures())
def test_the_canonical_form_is_the_same_network(drawn: Architecture) -> None:
    canonical = drawn.canonical()
    assert plan(canonical) == plan(drawn)
    assert canonical.digest == drawn.digest
    assert canonical.canonical() == canonical


@patient
@given(data=st.data(), stages=st.integers(1, 3))
def test_no_field_that_the_canonical_form_resets_changes_the_digest(data: st.DataObject, stages: int) -> None:
    drawn = data.draw(architectures(stages))
    canonical = drawn.canonical()
    reset = [name for name in FIELDS if getattr(drawn, name) != getattr(canonical, name) and name != "strides"]
    assume(reset)
    for name in reset:
        other = replace(drawn, **{name: data.draw(values(stages)[name], label=name)})
        assert other.digest == drawn.digest, name
        assert other.canonical() == canonical, name


@relaxed
@given(data=st.data(), stages=st.integers(1, 3))
def test_equal_plans_have_one_digest_and_graphs_decide_it(data: st.DataObject, stages: int) -> None:
    one, other = data.draw(architectures(stages)), data.draw(architectures(stages))
    seconds = [other]
    for name in FIELDS:
        try:
            seconds.append(replace(one, **{name: getattr(other, name)}))
        except InfeasibleArchitecture:
            continue
    for second in seconds:
        assert (graph_of(plan(one)) == graph_of(plan(second))) == (one.digest == second.digest)
        assert plan(one) != plan(second) or one.digest == second.digest


@relaxed
@given(data=st.data(), stages=st.integers(1, 3))
def test_architectures_of_one_digest_are_one_network(data: st.DataObject, stages: int) -> None:
    """Change whatever field can be changed within the digest, one after another, and compare logits at the end."""
    first = second = data.draw(architectures(stages))
    other = data.draw(st.fixed_dictionaries(values(stages)))
    for name in FIELDS:
        try:
            near = replace(second, **{name: other[name]})
        except InfeasibleArchitecture:
            continue
        second = near if near.digest == first.digest else second
    side = plan(first).least + 1
    image = ImageSpec(height=side, width=side, classes=3)
    (network, images), (twin, _) = ready(first, image, seed=5, count=2), ready(second, image, seed=5, count=2)
    # In order, whatever they are called: where one stage ends and the next begins is no part of what is computed.
    shapes = [[held.shape for held in each.state_dict().values()] for each in (network, twin)]
    assert shapes[0] == shapes[1]
    with torch.no_grad():
        for mode in (True, False):
            torch.manual_seed(0)
            expected = network.train(mode)(images)
            torch.manual_seed(0)
            # A sum of two streams may be added up in another order.
            torch.testing.assert_close(twin.train(mode)(images), expected, rtol=1e-9, atol=1e-9)


@relaxed
@given(drawn=architectures())
def test_json_is_enough_to_have_the_architecture_back(drawn: Architecture) -> None:
    forget()
    digest = drawn.digest
    again = Architecture.from_json(json.loads(json.dumps(drawn.to_json())))
    forget()
    assert again == drawn
    assert hash(again) == hash(drawn)
    assert again.digest == digest


DEAD: list[tuple[dict[str, Any], str, list[Any]]] = [
    *(({"block": block}, "cardinality", [2, 32]) for block, kind in KINDS.items() if not kind.grouped),
    *(({"block": block}, "branches", [2, 5]) for block, kind in KINDS.items() if kind.makes != "residual"),
    *(({"block": block}, "gate_bias", [0, -6]) for block in KINDS if block != "highway"),
    ({"shortcut": "scaled"}, "gate_bias", [0, -6]),
    ({"block": "dense", "shortcut": "gated"}, "gate_bias", [0, -6]),
    ({}, "head_width", [1, 99]),
    ({"head": "pointwise"}, "head_map", [7]),
    *(({"block": block}, "levels", [2, 3]) for block, kind in KINDS.items() if kind.makes != "residual"),
    *(({"block": block}, "attention", ["squeeze_excite"]) for block, kind in KINDS.items() if kind.makes != "residual"),
    ({}, "reduction", [2]),
    *(({"block": block}, "columns", [1, 2]) for block in KINDS if block != "fractal"),
    *(({"block": block}, "doubling", ["pointwise"]) for block in KINDS if block != "fractal"),
    ({"block": "fractal", "stem": "none"}, "stem_width", [1, 99]),
    *(({"block": block}, "unit_rate", [0.4]) for block in KINDS if block != "fractal"),
    ({"block": "fractal"}, "unit_rate", [0, -0.0]),
    ({"block": "fractal", "dropout": "after", "dropout_rate": 0.1}, "drop_global", [0, 1]),
    ({"block": "dense", "attention": "squeeze_excite"}, "reduction", [2]),
    *(({"block": block}, "downsampling", ["max"]) for block in KINDS if block not in making("chain")),
    ({"block": "conv", "strides": (1, 1, 1)}, "downsampling", ["max", "overlap"]),
    ({"block": "conv"}, "stage_kernels", [(3, 3, 3)]),
    *(({"block": block}, "stage_kernels", [(1, 5, 3)]) for block in KINDS if block not in making("chain")),
    *(({"block": block}, "base_width", [4, 64, "preserved"]) for block in ("basic", "preact", "dense_bottleneck")),
    *(({"block": block}, "stride_in", ["first"]) for block in ("basic", "preact", "separable")),
    ({"block": "bottleneck", "strides": (1, 1, 1)}, "stride_in", ["first"]),
    *(({"block": block}, "kernels", [(1, 3, 1), (5,)]) for block, kind in KINDS.items() if not kind.sequence),
    *(({"block": block}, "growth", [1, 24]) for block in KINDS if block not in making("dense")),
    *(({"block": block}, "compression", [0.5]) for block in KINDS if block not in making("dense")),
    ({"block": "dense", "depths": (3,), "widths": (16,)}, "compression", [0.5]),
    *(({"block": block}, "widths", [(1, 1, 1), (99, 7, 5)]) for block in making("dense")),
    *(({"block": block}, "order", list(ORDERS)) for block, kind in KINDS.items() if kind.order),
    *(({"block": block}, "shortcut", list("ABC")) for block in UNSHORTENED),
    *(({"block": block}, "fusion", ["concatenate"]) for block in KINDS if block not in making("merge_run")),
    ({"head": "linear"}, "head_scale", [1.0, 64]),
    ({"dropout": "none"}, "dropout_rate", [0.1, 0.5]),
    ({"dropout": "none", "dropout_rate": 0.3}, "drop_decay", ["uniform"]),
    ({"dropout": "after", "dropout_rate": 0.3}, "drop_decay", ["uniform"]),
    ({"dropout": "after", "dropout_rate": 0.3}, "drop_unit", ["sample"]),
    ({"dropout": "swapout", "dropout_rate": 0.3}, "drop_unit", ["sample"]),
    ({"dropout": "branch", "dropout_rate": 0.0}, "drop_unit", ["sample"]),
    *(({"dropout_rate": rate}, "dropout", list(OPTIONS["dropout"])) for rate in (0.0, 0, -0.0)),
]


@pytest.mark.parametrize(("where", "name", "others"), DEAD)
def test_a_field_that_does_not_matter_changes_nothing(where: dict[str, Any], name: str, others: list[Any]) -> None:
    usual = Architecture(**where)
    for value in others:
        other = replace(usual, **{name: value})
        assert other.digest == usual.digest
        assert other.canonical() == usual.canonical()


def test_the_usual_strides_need_not_be_given() -> None:
    assert Architecture(strides=(1, 2, 2)).canonical() == Architecture()
    assert Architecture(strides=(1, 2, 2)).digest == Architecture().digest != Architecture(strides=(1, 2, 1)).digest


LIVE: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "block", "preact"),
    ({}, "block", "bottleneck"),
    ({"block": "inception"}, "block", "merge_run"),
    ({}, "depths", (1, 1, 2)),
    ({}, "widths", (16, 32, 48)),
    ({}, "strides", (1, 2, 1)),
    ({}, "kernels", (3, 1)),
    ({"kernels": (3, 1)}, "kernels", (1, 3)),
    ({"block": "preact"}, "kernels", (3, 1, 3)),
    ({}, "widening_factor", 2),
    ({"block": "dense"}, "widening_factor", 2),
    ({"block": "dense"}, "growth", 24),
    ({"block": "dense_bottleneck"}, "compression", 0.5),
    ({"shortcut": "gated"}, "gate_bias", -6.0),
    ({"shortcut": "gated"}, "shortcut", "exclusive"),
    ({"block": "highway"}, "gate_bias", 0.0),
    ({"head": "pointwise"}, "head_width", 32),
    ({"head": "layers"}, "head_map", 7),
    ({"head": "pointwise"}, "head", "layers"),
    ({}, "attention", "squeeze_excite"),
    ({"attention": "squeeze_excite"}, "reduction", 4),
    ({"block": "conv"}, "downsampling", "max"),
    ({"block": "conv", "downsampling": "max"}, "downsampling", "overlap"),
    ({"block": "conv"}, "stage_kernels", (3, 3, 5)),
    ({"block": "separable"}, "stage_kernels", (1, 3, 3)),
    ({"head": "layers"}, "head", "dropped_layers"),
    ({"head": "dropped_layers"}, "head_map", 6),
    ({"block": "separable"}, "downsampling", "max"),
    ({}, "head", "pointwise"),
    *(({}, "shortcut", shortcut) for shortcut in OPTIONS["shortcut"] if shortcut != "B"),
    *(({}, "order", order) for order in ORDERS[1:]),
    ({}, "activation", "crelu"),
    *(({}, "stem", stem) for stem in STEMMED[1:]),
    ({"block": "fractal"}, "stem", "none"),
    ({"block": "fractal"}, "columns", 2),
    ({"block": "fractal"}, "doubling", "pointwise"),
    ({"block": "fractal", "dropout": "path", "dropout_rate": 0.1}, "drop_global", 1.0),
    ({"block": "fractal", "dropout": "path", "dropout_rate": 0.1}, "dropout", "after"),
    ({"block": "fractal"}, "unit_rate", 0.4),
    ({"block": "fractal", "dropout": "path", "dropout_rate": 0.1}, "unit_rate", 0.4),
    ({"stem": "large"}, "stem", "large_bare"),
    ({}, "stem_width", 32),
    ({}, "head", "cosine"),
    ({"head": "cosine"}, "head_scale", 8.0),
    ({"block": "merge_run"}, "fusion", "concatenate"),
    ({"block": "resnext"}, "cardinality", 2),
    ({"block": "shuffle"}, "cardinality", 2),
    ({"block": "resnext", "cardinality": 4}, "cardinality", 8),
    ({}, "branches", 2),
    ({}, "levels", 2),
    ({"levels": 2}, "levels", 3),
    ({"block": "preact", "branches": 2}, "branches", 3),
    ({"block": "bottleneck"}, "base_width", 32),
    ({"block": "resnext", "cardinality": 2}, "base_width", "preserved"),
    ({"block": "bottleneck"}, "stride_in", "first"),
    ({"block": "preact_bottleneck"}, "stride_in", "first"),
    ({"block": "inception_bottleneck"}, "stride_in", "first"),
    ({"block": "merge_run_bottleneck"}, "stride_in", "first"),
    ({"dropout": "between", "dropout_rate": 0.1}, "dropout", "after"),
    ({"dropout": "between", "dropout_rate": 0.1}, "dropout", "branch"),
    ({"dropout": "between", "dropout_rate": 0.1}, "dropout", "head"),
    ({"dropout": "between", "dropout_rate": 0.1}, "dropout", "none"),
    ({"dropout": "head", "dropout_rate": 0.1}, "dropout_rate", 0.2),
    ({"dropout": "shortcut", "dropout_rate": 0.1}, "dropout_rate", 0.0),
    ({"dropout": "branch", "dropout_rate": 0.1}, "drop_decay", "uniform"),
    ({"dropout": "branch", "dropout_rate": 0.1}, "dropout", "swapout"),
    ({"dropout": "shortcut", "dropout_rate": 0.1}, "dropout", "swapout"),
    ({"dropout": "swapout", "dropout_rate": 0.1}, "drop_decay", "uniform"),
    ({"dropout": "branch", "dropout_rate": 0.1}, "drop_unit", "sample"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "name", "value"), LIVE)
def test_a_field_that_matters_changes_the_digest(where: dict[str, Any], name: str, value: Any) -> None:
    usual = Architecture(**where)
    other = replace(usual, **{name: value})
    assert other.digest != usual.digest
    assert other.canonical() != usual.canonical()


def test_every_field_matters_somewhere() -> None:
    assert {name for _, name, _ in LIVE} == set(FIELDS)


@pytest.mark.parametrize("placement", OPTIONS["dropout"])
@pytest.mark.parametrize("rate", [0, 0.0, -0.0])
def test_a_rate_of_nought_drops_nothing_wherever_it_stands(placement: str, rate: float) -> None:
    digest = Architecture().digest
    forget()
    dropping = Architecture(dropout=placement, dropout_rate=rate)
    assert dropping.digest == digest
    assert dropping.canonical() == Architecture()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"head": "cosine", "head_scale": 16}, {"head": "cosine", "head_scale": 16.0}),
        ({"widening_factor": 2}, {"widening_factor": 2.0}),
        ({"block": "dense", "compression": 1}, {"block": "dense", "compression": 1.0}),
    ],
)
def test_equal_architectures_have_one_digest_whichever_is_asked_first(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert Architecture(**one) == Architecture(**other)
    forget()
    digest = Architecture(**one).digest
    forget()
    assert Architecture(**other).digest == digest


SAME: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("preact is basic in full pre-activation", {"block": "preact"}, {"order": "full"}),
    (
        "preact_bottleneck is bottleneck in full pre-activation",
        {"block": "preact_bottleneck"},
        {"block": "bottleneck", "order": "full"},
    ),
    (
        "a resnext of one group is a bottleneck",
        {"block": "resnext", "cardinality": 1, "base_width": 32},
        {"block": "bottleneck", "base_width": 32},
    ),
    ("a base width of 64 is the width", {"block": "bottleneck", "base_width": 64}, {"block": "bottleneck"}),
    ("one group preserves 64", {"block": "bottleneck", "base_width": "preserved"}, {"block": "bottleneck"}),
    ("k = 2 is twice the widths", {"widening_factor": 2}, {"widths": (32, 64, 128)}),
    (
        "k = 2 is twice the widths and twice the stem",
        {"block": "inception", "widening_factor": 2},
        {"block": "inception", "widths": (32, 64, 128), "stem_width": 32},
    ),
    (
        "k = 2 is twice the growth",
        {"block": "dense", "widening_factor": 2},
        {"block": "dense", "growth": 24},
    ),
    (
        "without a change of shape A is B",
        {"depths": (3,), "widths": (16,), "shortcut": "A"},
        {"depths": (3,), "widths": (16,)},
    ),
    (
        "without a stride pooling is padding",
        {"strides": (1, 1, 1), "shortcut": "pool"},
        {"strides": (1, 1, 1), "shortcut": "A"},
    ),
    ("where no projection is normalised conv is C", {"block": "preact", "shortcut": "conv"},
     {"block": "preact", "shortcut": "C"}),
    ("where all blocks change shape identity is none", {"widths": (24, 32, 64), "shortcut": "identity"},
     {"widths": (24, 32, 64), "shortcut": "none"}),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), [pytest.param(*row[1:], id=row[0]) for row in SAME])
def test_two_names_of_one_network_share_a_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert plan(Architecture(**one)) == plan(Architecture(**other))
    assert Architecture(**one).digest == Architecture(**other).digest


def test_twice_the_widths_are_not_twice_the_stem() -> None:
    assert Architecture(widening_factor=2).digest != Architecture(widths=(32, 64, 128), stem_width=32).digest


def test_digests_are_as_many_as_networks_and_no_longer_than_they_must_be() -> None:
    digests = {Architecture(depths=(n, m, 1), block=block).digest for n in (1, 2) for m in (1, 2) for block in KINDS}
    assert len(digests) == 4 * (len(KINDS) - 1)  # a resnext of one group is a bottleneck
    assert all(len(digest) == 16 and int(digest, 16) >= 0 for digest in digests)


def test_digests_are_those_that_databases_hold() -> None:
    resnext = Architecture(
        block="resnext", depths=(3, 3, 3), widths=(64, 128, 256), stem_width=64, cardinality=8, base_width=64,
        dropout="between", dropout_rate=0.3,
    )  # fmt: skip
    assert Architecture().digest == "73ef140fcc7d46eb"
    assert resnext.digest == "665f6ab42945306f"


def test_lists_texts_and_tuples_make_the_same_architecture() -> None:
    usual = Architecture(depths=(1, 2), widths=(8, 16), kernels=(3, 1))
    assert Architecture(depths=[1, 2], widths=[8, 16], kernels=[3, 1]) == usual  # type: ignore[arg-type]
    assert Architecture(depths="1,2", widths="8,16", kernels="B(3,1)") == usual  # type: ignore[arg-type]


def test_an_architecture_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Architecture().depths = (2,)  # type: ignore[misc]


def test_the_rate_of_dropped_branches_grows_linearly_over_all_blocks_to_the_last() -> None:
    specs = small_specs("basic", depths=(2, 3, 1), dropout="branch", dropout_rate=0.6)
    assert [spec.dropout_rate for spec in specs] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


def test_without_decay_and_for_units_every_rate_is_the_same() -> None:
    uniform = small_specs("basic", depths=(2, 3, 1), dropout="branch", dropout_rate=0.6, drop_decay="uniform")
    units = small_specs("basic", depths=(2, 3, 1), dropout="after", dropout_rate=0.6, drop_decay="linear")
    assert {spec.dropout_rate for spec in (*uniform, *units)} == {0.6}


def test_expected_depth_is_as_stochastic_depth_has_it() -> None:
    specs = plan(Architecture(depths=(18, 18, 18), dropout="branch", dropout_rate=0.5)).blocks
    assert sum(1 - spec.dropout_rate for spec in specs) == pytest.approx(40.25)  # (3 L - 1) / 4 of L = 54


@pytest.mark.parametrize(
    ("fields", "norm", "activated", "bias", "kernel", "stride", "pool"),
    [
        ({"stem": "small"}, True, True, False, 3, 1, False),
        ({"stem": "small", "block": "preact"}, False, False, False, 3, 1, False),
        ({"stem": "small", "block": "dense"}, False, False, False, 3, 1, False),
        ({"stem": "small", "order": "relu_only"}, True, True, False, 3, 1, False),
        ({"stem": "strided"}, True, True, False, 3, 2, False),
        ({"stem": "strided", "order": "full"}, False, False, False, 3, 2, False),
        ({"stem": "large"}, True, True, False, 7, 2, True),
        ({"stem": "large", "block": "preact"}, True, True, False, 7, 2, True),
        ({"stem": "large_bare"}, False, False, False, 7, 2, True),
        ({"stem": "biased"}, False, True, True, 3, 2, False),
        ({"stem": "small_biased"}, False, True, True, 3, 1, False),
        ({"stem": "strided_pool", "block": "preact"}, True, True, False, 3, 2, True),
        ({"stem": "huge"}, False, True, True, 11, 4, True),
        ({"stem": "biased", "block": "preact"}, False, True, True, 3, 2, False),
    ],
)
def test_a_stem_holds_what_its_name_says_but_what_a_block_begins_with(
    fields: dict[str, Any], norm: bool, activated: bool, bias: bool, kernel: int, stride: int, pool: bool
) -> None:
    assert plan(Architecture(**fields)).stem == StemSpec(
        kernel=kernel,
        stride=stride,
        conv_width=16,
        width=16,
        norm=norm,
        bias=bias,
        activated=activated,
        pool=pool,
        narrow=kernel == 11,
    )
    assert STEMS.keys() == set(OPTIONS["stem"])


@pytest.mark.parametrize("stem", STEMMED)
@pytest.mark.parametrize("block", ["basic", "preact"])
def test_a_crelu_halves_the_stems_convolution_where_the_stem_is_activated(stem: str, block: str) -> None:
    described = plan(Architecture(stem=stem, block=block, activation="crelu")).stem
    assert described.conv_width == (8 if described.activated else 16)
    assert described.width == 16


@pytest.mark.parametrize(
    ("fields", "norm", "activated"),
    [
        ({}, False, False),
        ({"order": "bn_after_addition"}, False, False),
        ({"order": "relu_before_addition"}, False, False),
        ({"order": "relu_only"}, False, True),
        ({"order": "full"}, True, True),
        ({"block": "preact_bottleneck"}, True, True),
        ({"block": "dense"}, True, True),
        ({"block": "merge_run"}, False, False),
        ({"block": "biased_conv"}, False, False),
        ({"block": "preact", "head": "cosine"}, False, False),
    ],
)
def test_a_head_normalises_and_activates_what_the_last_block_left_raw(
    fields: dict[str, Any], norm: bool, activated: bool
) -> None:
    head = plan(Architecture(**fields)).head
    assert (head.norm, head.activated) == (norm, activated)


def test_an_unknown_field_of_json_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown field 'depth' \(did you mean 'depths'\?\); known are block, depths"):
        Architecture.from_json({"depth": 3})


def test_json_leaves_unsaid_fields_at_their_default() -> None:
    assert Architecture.from_json({"block": "preact"}) == Architecture(block="preact")
    assert json.loads(json.dumps(Architecture(strides=(1, 1, 1)).to_json()))["strides"] == [1, 1, 1]
