"""Test `spaces.space`."""

import math
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.architecture import Architecture
from spaces.domains import Choice, Domain, Float, Int, Parameter, Scalar, When
from spaces.errors import InfeasibleArchitecture, InputError
from spaces.space import FIELDS, PARAMETERS, RandomTrial, SearchSpace

relaxed = settings(deadline=None, max_examples=50)

BLOCK = Parameter(name="block", domain=Choice(options=("basic", "resnext")))
DEPTH = Parameter(name="depth", domain=Int(low=1, high=3))
CARDINALITY = Parameter(
    name="cardinality", domain=Choice(options=(2, 4)), when=(When(parameter="block", values=("resnext",)),)
)
DROPOUT = Parameter(name="dropout", domain=Choice(options=("none", "between", "head")))
RATE = Parameter(
    name="dropout_rate",
    domain=Float(low=0.05, high=0.5),
    when=(When(parameter="dropout", values=("between", "head")),),
)
SMALL = SearchSpace(parameters=(BLOCK, DEPTH, CARDINALITY))
ENDLESS = SearchSpace(parameters=(BLOCK, DEPTH, CARDINALITY, DROPOUT, RATE))


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """Draw up to five parameters, each perhaps hanging on values of earlier ones."""
    parameters: list[Parameter] = []
    for index in range(draw(st.integers(1, 5))):
        domain: Domain = draw(
            st.one_of(
                st.integers(1, 3).map(lambda high: Int(low=1, high=high)),
                st.integers(1, 3).map(lambda count: Choice(options=("a", "b", "c")[:count])),
                st.just(Float(low=0.0, high=1.0)),
                st.just(Float(low=0.1, high=0.3, step=0.1)),
            )
        )
        when = []
        for earlier in draw(st.lists(st.sampled_from(parameters), max_size=2)) if parameters else []:
            values = draw(st.lists(st.sampled_from(earlier.domain.values()), min_size=1, max_size=2))
            when.append(When(parameter=earlier.name, values=tuple(values)))
        parameters.append(Parameter(name=f"p{index}", domain=domain, when=tuple(when)))
    return SearchSpace(parameters=tuple(parameters))


def frozen(params: dict[str, Scalar]) -> tuple[tuple[str, Scalar], ...]:
    return tuple(params.items())


@relaxed
@given(space=spaces(), seed=st.integers(0, 2**32))
def test_a_space_contains_what_it_suggests(space: SearchSpace, seed: int) -> None:
    assert space.contains(space.suggest(RandomTrial(random.Random(seed))))


@relaxed
@given(space=spaces(), seed=st.integers(0, 2**32))
def test_exactly_the_parameters_that_exist_are_suggested(space: SearchSpace, seed: int) -> None:
    params = space.suggest(RandomTrial(random.Random(seed)))
    for parameter in space.parameters:
        assert (parameter.name in params) == parameter.exists(params)


@relaxed
@given(space=spaces())
def test_members_are_different_and_contained_and_as_many_as_the_size(space: SearchSpace) -> None:
    members = [frozen(params) for params in space.members()]
    assert len(set(members)) == len(members) <= space.product
    assert all(space.contains(dict(member)) for member in members)
    assert space.size in (None, len(members))


@relaxed
@given(space=spaces(), seed=st.integers(0, 2**32))
def test_members_cover_whatever_is_suggested_where_there_is_an_end(space: SearchSpace, seed: int) -> None:
    members = {frozen(params) for params in space.members()}
    suggested = frozen(space.suggest(RandomTrial(random.Random(seed))))
    assert suggested in members or space.size is None


def test_members_of_a_conditional_space_are_every_choice_there_is() -> None:
    basic = [{"block": "basic", "depth": depth} for depth in (1, 2, 3)]
    grouped = [{"block": "resnext", "depth": depth, "cardinality": c} for depth in (1, 2, 3) for c in (2, 4)]
    assert list(SMALL.members()) == basic + grouped
    assert SMALL.size == 9
    assert SMALL.product == 12


def test_a_float_makes_a_space_endless_and_its_ends_stand_for_it() -> None:
    assert ENDLESS.size is None
    rates = {params["dropout_rate"] for params in ENDLESS.members() if "dropout_rate" in params}
    assert rates == {0.05, 0.5}


def test_the_size_of_a_huge_space_is_exact_and_needs_no_walk() -> None:
    wide = Parameter(name="stem_width", domain=Int(low=1, high=10**9))
    deep = Parameter(
        name="widening_factor",
        domain=Float(low=0.0, high=1.0, step=1e-6),
        when=(When(parameter="block", values=("resnext",)),),
    )
    space = SearchSpace(parameters=(BLOCK, wide, deep))
    assert space.size == 10**9 * (1 + 1_000_001)
    assert space.product == 10**9 * 2 * 1_000_001


@pytest.mark.parametrize(
    "params",
    [
        {"block": "basic"},  # too few
        {"block": "basic", "depth": 1, "cardinality": 2},  # one that does not exist there
        {"block": "resnext", "depth": 1},
        {"block": "basic", "depth": 1, "colour": 2},  # one that exists nowhere
        {"block": "basic", "depth": 4},  # beyond the domain
        {"block": "preact", "depth": 1},
        {"block": "basic", "depth": True},
        {},
    ],
)
def test_a_space_contains_nothing_it_cannot_choose(params: dict[str, Scalar]) -> None:
    assert not SMALL.contains(params)


def test_no_more_members_than_asked_for_are_all_sampled_once() -> None:
    assert SMALL.sample(9, seed=0) == list(SMALL.members())
    assert SMALL.sample(100, seed=0) == list(SMALL.members())


def test_of_more_members_than_asked_for_a_seed_draws_some() -> None:
    drawn = SMALL.sample(8, seed=0)
    assert len(drawn) == 8
    assert all(SMALL.contains(params) for params in drawn)


def test_a_sample_is_a_function_of_its_seed() -> None:
    assert ENDLESS.sample(50, seed=1) == ENDLESS.sample(50, seed=1)
    assert ENDLESS.sample(50, seed=1) != ENDLESS.sample(50, seed=2)


def test_a_sample_of_an_endless_space_is_drawn_between_its_ends() -> None:
    rates = [params["dropout_rate"] for params in ENDLESS.sample(300, seed=0) if "dropout_rate" in params]
    assert len(set(rates)) == len(rates) > 100


def test_a_sample_is_drawn_evenly() -> None:
    blocks = Counter(params["block"] for params in ENDLESS.sample(2000, seed=0))
    assert blocks["basic"] == pytest.approx(1000, abs=120)


@pytest.mark.parametrize(
    ("params", "architecture"),
    [
        ({"depth": 2}, Architecture(depths=(2, 2, 2))),
        ({"block": "resnext", "cardinality": 4}, Architecture(block="resnext", cardinality=4)),
        ({"widening_factor": 2, "shortcut": "A"}, Architecture(widening_factor=2, shortcut="A")),
    ],
)
def test_values_become_the_fields_they_name(params: dict[str, Scalar], architecture: Architecture) -> None:
    assert SMALL.architecture(params) == architecture


def test_a_depth_stands_for_every_stage_of_fixed_widths() -> None:
    space = SearchSpace(parameters=(DEPTH,), fixed=(("widths", (8, 16, 32, 64)), ("stem", "large")))
    built = space.architecture({"depth": 3})
    assert (built.depths, built.widths, built.stem) == ((3, 3, 3, 3), (8, 16, 32, 64), "large")


@pytest.mark.parametrize("widths", ["8,16", "[8, 16]", (8, 16)])
def test_a_depth_stands_for_every_stage_of_widths_given_as_text(widths: Any) -> None:
    space = SearchSpace(parameters=(DEPTH,), fixed=(("widths", widths),))
    assert space.architecture({"depth": 3}) == Architecture(depths=(3, 3), widths=(8, 16))


def test_lists_are_chosen_as_text() -> None:
    widths = Parameter(name="widths", domain=Choice(options=("8,16", "8,16,32,64")))
    kernels = Parameter(name="kernels", domain=Choice(options=("3,3", "B(3,1,3)")))
    space = SearchSpace(parameters=(DEPTH, widths, kernels))
    built = [space.architecture(params) for params in space.members()]
    assert {(each.depths, each.widths) for each in built} == {
        ((depth,) * len(chosen), chosen) for depth in (1, 2, 3) for chosen in ((8, 16), (8, 16, 32, 64))
    }
    assert {each.kernels for each in built} == {(3, 3), (3, 1, 3)}
    assert len({each.digest for each in built}) == space.size == 12


def test_a_chosen_value_stands_before_a_fixed_one() -> None:
    space = SearchSpace(parameters=(BLOCK,), fixed=(("block", "preact"), ("stem_width", 8)))
    assert space.architecture({"block": "basic"}) == Architecture(block="basic", stem_width=8)


def test_an_architecture_of_a_space_is_canonical() -> None:
    told = SMALL.architecture({"block": "basic", "depth": 1, "cardinality": 4, "dropout_rate": 0.4})
    assert told == told.canonical() == Architecture()


@relaxed
@given(seed=st.integers(0, 2**32))
def test_whatever_is_suggested_can_be_named(seed: int) -> None:
    params = ENDLESS.suggest(RandomTrial(random.Random(seed)))
    built = ENDLESS.architecture(params)
    assert built == built.canonical()
    assert (built.block, built.depths) == (params["block"], (params["depth"],) * 3)
    assert built.dropout_rate == params.get("dropout_rate", 0.0)


def test_values_that_no_network_has_together_are_both_named() -> None:
    with pytest.raises(InfeasibleArchitecture, match=r"cardinality 6 does not divide width 16 \(block resnext"):
        SMALL.architecture({"block": "resnext", "depth": 1, "cardinality": 6})
    with pytest.raises(InfeasibleArchitecture, match=r"depths \[2\] and widths \[16, 32, 64\]"):
        SearchSpace(parameters=(BLOCK,), fixed=(("depths", (2,)),)).architecture({"block": "basic"})


def test_a_value_that_is_wrong_alone_is_wrong_input() -> None:
    with pytest.raises(InputError, match="unknown block 'basix'"):
        SMALL.architecture({"block": "basix"})


def test_every_field_can_be_searched_and_depth_beside_them() -> None:
    assert set(PARAMETERS) == {"depth", *FIELDS}
    assert set(FIELDS) == Architecture().to_json().keys()


def drawn(count: int, method: str, *bounds: Any, **how: Any) -> list[Any]:
    trial = RandomTrial(random.Random(0))
    return [getattr(trial, method)("x", *bounds, **how) for _ in range(count)]


def test_a_random_int_reaches_both_ends_and_keeps_to_its_step() -> None:
    assert set(drawn(100, "suggest_int", 1, 4)) == {1, 2, 3, 4}
    assert set(drawn(100, "suggest_int", 1, 6, step=2)) == {1, 3, 5}
    assert set(drawn(200, "suggest_int", 1, 4, log=True)) == {1, 2, 3, 4}


def test_a_random_float_reaches_both_ends_of_its_grid() -> None:
    assert set(drawn(200, "suggest_float", 0.0, 1.0, step=0.25)) == {0.0, 0.25, 0.5, 0.75, 1.0}


@pytest.mark.parametrize("method", ["suggest_int", "suggest_float"])
def test_a_log_scale_draws_each_factor_of_ten_as_often(method: str) -> None:
    decades = Counter(int(math.log10(value)) for value in drawn(3000, method, 1, 999, log=True))
    assert all(decades[decade] == pytest.approx(1000, abs=150) for decade in range(3))


def test_a_random_choice_is_as_often_each() -> None:
    chosen = Counter(drawn(3000, "suggest_categorical", ["a", "b", "c"]))
    assert all(chosen[name] == pytest.approx(1000, abs=150) for name in "abc")


def test_what_is_beside_a_network_is_left_out_but_for_what_a_cost_hangs_on() -> None:
    slow = (When(parameter="rate", values=(0.1,)),)
    space = SearchSpace(
        parameters=(
            Parameter(name="depth", domain=Int(low=1, high=2)),
            Parameter(name="rate", domain=Choice(options=(0.1, 0.2))),
            Parameter(name="batch", domain=Choice(options=(32, 64)), when=slow),
            Parameter(name="decay", domain=Float(low=0.0, high=1.0)),
        ),
        beside=("rate", "batch", "decay"),
    )
    assert [item.name for item in space.counting("batch").parameters] == ["depth", "rate", "batch"]
    assert [item.name for item in space.counting().parameters] == ["depth"]
    assert space.counting("decay").architecture({"depth": 2, "decay": 0.5}) == space.architecture({"depth": 2})
    assert replace(space, beside=()).counting().parameters == space.parameters
