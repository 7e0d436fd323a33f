"""The space of a file becomes a search space, and a constraint a bound; what cannot be is refused at its place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from search.config.sections import BudgetForm, ConstraintForm, SamplerForm
from search.config.space import MOST_VALUES, ParameterForm, parse_space
from spaces.domains import Choice, Float, Int, Parameter, When
from spaces.errors import InputError
from spaces.space import PARAMETERS, SearchSpace

FORMS: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, ParameterForm])
BLOCKS = {"block": {"choice": ["basic", "resnext"]}}


def space_of(**section: Any) -> SearchSpace:
    return parse_space(FORMS.validate_python(section))


def refusal_of(**section: Any) -> str:
    with pytest.raises(InputError) as refused:
        space_of(**section)
    return str(refused.value)


def test_a_section_becomes_a_space_in_its_order() -> None:
    found = space_of(
        block={"choice": ["basic", "resnext"]},
        depth={"int": [1, 4]},
        stem_width={"int": [8, 32], "step": 8},
        widening_factor={"float": [0.5, 4], "log": True},
        cardinality={"choice": [2, 4], "when": {"block": "resnext"}},
        dropout="between",
        dropout_rate={"float": [0, 0.5], "step": 0.1, "when": {"block": ["basic", "resnext"], "depth": [2, 3]}},
        widths=[16, 32],
        base_width=None,
    )
    resnext = When(parameter="block", values=("resnext",))
    both = When(parameter="block", values=("basic", "resnext"))
    assert found == SearchSpace(
        parameters=(
            Parameter(name="block", domain=Choice(options=("basic", "resnext"))),
            Parameter(name="depth", domain=Int(low=1, high=4)),
            Parameter(name="stem_width", domain=Int(low=8, high=32, step=8)),
            Parameter(name="widening_factor", domain=Float(low=0.5, high=4, log=True)),
            Parameter(name="cardinality", domain=Choice(options=(2, 4)), when=(resnext,)),
            Parameter(
                name="dropout_rate",
                domain=Float(low=0, high=0.5, step=0.1),
                when=(both, When(parameter="depth", values=(2, 3))),
            ),
        ),
        fixed=(("dropout", "between"), ("widths", (16, 32)), ("base_width", None)),
    )


def test_every_parameter_can_be_fixed_or_searched() -> None:
    values: dict[str, Any] = {
        "depth": 2, "block": "preact", "depths": [1, 2], "widths": [8, 16], "widening_factor": 2, "cardinality": 4,
        "stage_kernels": [3, 5], "branches": 3, "levels": 3, "columns": 2, "doubling": "pointwise", "drop_global": 1,
        "unit_rate": 0.25,
        "base_width": 64, "shortcut": "C", "stride_in": "first", "dropout": "head", "dropout_rate": 0.2,
        "stem": "large", "stem_width": 32, "strides": [2, 2], "kernels": [3, 1], "growth": 24, "compression": 0.5,
        "order": "full", "activation": "crelu", "drop_decay": "uniform", "drop_unit": "sample",
        "fusion": "concatenate", "head": "cosine", "head_scale": 8, "gate_bias": -6, "head_width": 32, "head_map": 2,
        "attention": "squeeze_excite", "reduction": 4, "downsampling": "max",
    }  # fmt: skip
    assert values.keys() == set(PARAMETERS)
    for name, value in values.items():
        beside = BLOCKS if name != "block" else {"depth": {"int": [1, 2]}}
        assert (name, tuple(value) if isinstance(value, list) else value) in space_of(**beside, **{name: value}).fixed
        assert space_of(**{name: {"choice": [value]}}).parameters[0].name == name


def test_words_and_numbers_of_a_choice_keep_their_kind() -> None:
    options = space_of(widening_factor={"choice": [1, 0.5, 2.0]}).parameters[0].domain.values()
    assert [(value, type(value)) for value in options] == [(1, int), (0.5, float), (2.0, float)]


def test_a_list_is_one_of_the_options_written_as_a_list_or_as_text() -> None:
    as_lists = space_of(kernels={"choice": [[3, 3], [1, 3, 1]]}, block="preact")
    assert as_lists == space_of(kernels={"choice": ["3,3", "1,3,1"]}, block="preact")
    assert as_lists.architecture({"kernels": "1,3,1"}).kernels == (1, 3, 1)


def test_a_condition_may_name_a_list_as_an_option_does() -> None:
    options = {"choice": [[3, 3], [3, 1]]}
    found = space_of(kernels=options, dropout={"choice": ["none", "between"], "when": {"kernels": [[3, 3]]}})
    assert found.parameters[1].when == (When(parameter="kernels", values=("3,3",)),)


def test_depth_stands_for_as_many_stages_as_the_widths_name() -> None:
    found = space_of(depth={"int": [1, 2]}, widths={"choice": [[16, 32], [16, 32, 64]]})
    assert found.architecture({"depth": 2, "widths": "16,32"}).depths == (2, 2)
    assert found.architecture({"depth": 2, "widths": "16,32,64"}).depths == (2, 2, 2)


def test_a_base_width_may_be_the_one_that_preserves_the_cost() -> None:
    found = space_of(block="resnext", base_width="preserved", cardinality={"choice": [1, 32]}, widths=[64, 128, 256])
    assert (
        found.architecture({"cardinality": 32}).digest
        == space_of(block="resnext", base_width=4, cardinality={"choice": [1, 32]}, widths=[64, 128, 256])
        .architecture({"cardinality": 32})
        .digest
    )


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({}, "there is no parameter to search"),
        ({"block": "basic"}, "there is no parameter to search"),
        ({"dept": {"int": [1, 4]}}, "dept: unknown parameter 'dept' (did you mean 'depth'?); known are depth, block, "),
        ({"stages": 3}, "stages: unknown parameter 'stages'"),
        ({"depth": {"int": [4, 1]}}, "depth.int: low 4 is above high 1"),
        ({"depth": {"int": [0, 1]}}, "depth.int: depth 0 is not a whole number of at least 1"),
        ({"depth": {"int": [1, 4], "step": 0}}, "depth.int: step 0 is not a number above 0"),
        ({"depth": {"int": [1, 1001]}}, "depth.int: depth 1001 is above 1,000"),
        ({"depth": {"int": [1, 10**9]}}, "depth.int: 1,000,000,000 values are more than 10,000; give a larger step"),
        ({"depth": [1, 2]}, "depth: depth [1, 2] is not a whole number of at least 1"),
        ({"depth": "two"}, "depth: depth 'two' is not a whole number of at least 1"),
        ({"depth": {"choice": [True]}}, "depth.choice: depth true is not a whole number of at least 1"),
        ({"depths": [1, 0], **BLOCKS}, "depths: depths [1, 0] is not a list of whole numbers of at least 1"),
        ({"depths": [], **BLOCKS}, "depths: depths [] is not a list of whole numbers of at least 1"),
        ({"depths": {"choice": ["2,x"]}}, "depths.choice: depths '2,x' is not a list of whole numbers of at least 1"),
        ({"kernels": {"int": [1, 3]}, **BLOCKS}, "kernels.int: kernels is a list: give a choice of some"),
        ({"kernels": {"choice": ["3,2"]}}, "kernels.choice: kernels 3,2 are not odd sizes such as 3,3"),
        ({"base_width": "kept", **BLOCKS}, "base_width: base_width 'kept' is not a whole number of at least 1"),
        ({"widths": [16, 2**20], **BLOCKS}, "widths: widths 1048576 is above 65,536"),
        (
            {"depths": [1, 1, 1], "depth": {"int": [1, 2]}},
            "depth: depth (of every stage) and depths (of each) cannot both be given",
        ),
        ({"block": {"choice": []}}, "block.choice: there is nothing to choose from"),
        ({"block": {"choice": ["basic", "basic"]}}, "block.choice: ['basic', 'basic'] names a value twice"),
        ({"block": {"choice": ["basik"]}}, "block.choice: unknown block 'basik' (did you mean 'basic'?); known are "),
        ({"block": {"int": [1, 2]}}, "block.int: unknown block 1; known are basic, "),
        ({"dropout_rate": {"float": [0.1, 1]}}, "dropout_rate.float: dropout_rate 1.0 is not in [0, 1)"),
        ({"dropout_rate": {"float": [0.5, 0.1]}}, "dropout_rate.float: low 0.5 is above high 0.1"),
        (
            {"dropout_rate": {"float": [0, 0.5], "log": True}},
            "dropout_rate.float: a log scale needs low above 0",
        ),
        ({"dropout_rate": {"float": [0, 0.5], "step": 1e-9}}, "dropout_rate.float: 500,000,00"),
        ({"widening_factor": {"float": [0, 1]}}, "widening_factor.float: widening_factor 0.0 is not a number above 0"),
        ({"widening_factor": {"choice": ["wide"]}}, "widening_factor.choice: widening_factor 'wide' is not a number"),
        ({"widening_factor": {"choice": [1e300]}}, "widening_factor.choice: widening_factor 1e+300 is above 1,000"),
        ({"shortcut": "D", **BLOCKS}, "shortcut: unknown shortcut 'D'; known are A, B, C"),
        ({"stride_in": 3, **BLOCKS}, "stride_in: unknown stride_in 3 (did you mean '3x3'?); known are first"),
    ],
)
def test_what_no_network_can_have_is_refused_at_its_place(section: dict[str, Any], message: str) -> None:
    assert refusal_of(**section).startswith(message)


ABOVE = "cardinality can depend only on parameters above it"


@pytest.mark.parametrize(
    ("when", "beside", "message"),
    [
        ({"blok": "basic"}, BLOCKS, "blok: unknown earlier parameter 'blok' (did you mean 'block'?); known are block"),
        ({"dropout": "none"}, {}, f"dropout: {ABOVE}, and dropout is not one"),
        ({"cardinality": 2}, {}, f"cardinality: {ABOVE}, and cardinality is not one"),
        ({"block": "resnext"}, {"block": "resnext"}, f"block: {ABOVE}, and block is fixed"),
        ({"block": "preact"}, BLOCKS, "block: block cannot take 'preact'; it takes basic, resnext"),
        ({"block": ["resnext", 3]}, BLOCKS, "block: block cannot take 3; it takes basic, resnext"),
        ({"block": []}, BLOCKS, "block: block cannot take nothing; it takes basic, resnext"),
        ({"depth": 5}, {"depth": {"int": [1, 4]}}, "depth: depth cannot take 5; it takes 1 to 4"),
        ({"depth": True}, {"depth": {"int": [1, 4]}}, "depth: depth cannot take true; it takes 1 to 4"),
    ],
)
def test_a_condition_that_can_never_be_met_is_refused(
    when: dict[str, Any], beside: dict[str, Any], message: str
) -> None:
    section = {**beside, "cardinality": {"choice": [1, 2], "when": when}, "dropout": {"choice": ["none"]}}
    assert refusal_of(**section).startswith(f"cardinality.when.{message}")


def test_a_space_may_be_as_large_as_its_bound() -> None:
    found = space_of(dropout_rate={"float": [0, 0.9999], "step": 0.0001})
    assert found.parameters[0].domain.count == MOST_VALUES


# Constraints


@pytest.mark.parametrize(
    ("text", "below", "limit"),
    [
        ("<= 1e6", True, 1e6),
        ("<=1000000", True, 1e6),
        ("< 1.5M", True, 1.5e6),
        (" >= 20 k ", False, 2e4),
        (">20K", False, 2e4),
        ("<= 2G", True, 2e9),
        ("<= 1E+3", True, 1e3),
        ("<= 2.5e-1", True, 0.25),
        ("<= .5M", True, 5e5),
    ],
)
def test_a_text_becomes_a_bound(text: str, below: bool, limit: float) -> None:
    found = ConstraintForm.parse(text)
    assert (found.below, found.limit) == (below, pytest.approx(limit))


@pytest.mark.parametrize(
    "text", ["", "1e6", "= 5", "== 5", "<= ", "<= many", "<= -5", "<= 0", "<= 1.2.3", "<= .", "<= 1e", "<= 5 T",
             "<= 5\n6", "<= 1e999", 5, None, ["<= 5"], "=< 5", "< = 5", "<= nan", "<= inf", "<= 1_000"]
)  # fmt: skip
def test_a_text_that_names_no_bound_is_refused(text: object) -> None:
    with pytest.raises(InputError) as refused:
        ConstraintForm.parse(text)
    assert str(refused.value) == f'{text!r} is not a bound above 0 such as "<= 1e6" or "<= 1.5M"'


@given(limit=st.floats(1e-3, 1e12), value=st.floats(0, 1e15))
def test_a_violation_is_above_zero_exactly_where_the_bound_is_overstepped(limit: float, value: float) -> None:
    upper, lower = ConstraintForm.parse(f"<= {limit:.12e}"), ConstraintForm.parse(f">= {limit:.12e}")
    limit = upper.limit
    if abs(value / limit - 1) > 1e-12:
        assert (upper.violation(value) > 0) is (value > limit)
        assert (lower.violation(value) > 0) is (value < limit)


def test_a_violation_is_a_share_of_the_limit() -> None:
    assert ConstraintForm.parse("<= 1k").violation(1250) == 0.25
    assert ConstraintForm.parse("<= 1k").violation(1000) == 0
    assert ConstraintForm.parse("<= 1k").violation(500) == -0.5
    assert ConstraintForm.parse(">= 1k").violation(750) == 0.25


# The other sections


def test_true_is_no_number() -> None:
    for form, fields in ((BudgetForm, {"trials": True}), (BudgetForm, {"hours": True}), (SamplerForm, {"seed": False})):
        with pytest.raises(ValueError, match="is not a number"):
            form(**fields)


def test_a_number_may_come_as_text_from_the_environment() -> None:
    assert BudgetForm(trials="40", hours="1.5") == BudgetForm(trials=40, hours=1.5)  # type: ignore[arg-type]
