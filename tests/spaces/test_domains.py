"""Test `spaces.domains`."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spaces.domains import Choice, Domain, Float, Int, Parameter, Scalar, When, largest, middle
from spaces.errors import InputError
from spaces.space import RandomTrial


@st.composite
def ints(draw: st.DrawFn) -> Int:
    if draw(st.booleans()):
        low = draw(st.integers(1, 50))
        return Int(low=low, high=low + draw(st.integers(0, 5000)), log=True)
    low = draw(st.integers(-50, 50))
    return Int(low=low, high=low + draw(st.integers(0, 100)), step=draw(st.integers(1, 7)))


@st.composite
def floats(draw: st.DrawFn) -> Float:
    kind = draw(st.sampled_from(["even", "log", "step"]))
    low = draw(st.floats(1e-6, 100) if kind == "log" else st.floats(-100, 100))
    high = low + draw(st.floats(0, 100))
    step = draw(st.sampled_from([0.1, 0.05, 0.25, 1 / 3, 1e-2, 1.0, 7.0])) if kind == "step" else None
    return Float(low=low, high=high, step=step, log=kind == "log")


SCALARS = st.one_of(st.booleans(), st.integers(-5, 5), st.floats(-5, 5), st.text(max_size=3))


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    options = draw(st.lists(SCALARS, min_size=1, max_size=6, unique_by=lambda value: (isinstance(value, bool), value)))
    return Choice(options=tuple(options))


DOMAINS = st.one_of(ints(), floats(), choices())


@dataclass
class Asked:
    """Write down what a domain asks of a trial, and answer with the low end or the first choice."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        self.calls.append(("int", name, low, high, step, log))
        return low

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        self.calls.append(("float", name, low, high, step, log))
        return low

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        self.calls.append(("categorical", name, tuple(choices)))
        return choices[0]


@settings(deadline=None)
@given(domain=DOMAINS)
def test_a_domain_contains_every_one_of_its_values(domain: Domain) -> None:
    assert all(domain.contains(value) for value in domain.values())


@settings(deadline=None)
@given(domain=DOMAINS)
def test_a_domain_with_an_end_has_as_many_different_values_as_it_counts(domain: Domain) -> None:
    values = domain.values()
    assert len({(isinstance(value, bool), value) for value in values}) == len(values)
    assert domain.count in (None, len(values))


@settings(deadline=None)
@given(domain=DOMAINS, seed=st.integers(0, 2**32))
def test_a_domain_contains_what_a_trial_is_let_choose(domain: Domain, seed: int) -> None:
    trial = RandomTrial(random.Random(seed))
    assert all(domain.contains(domain.suggest("x", trial)) for _ in range(20))


@settings(deadline=None)
@given(domain=st.one_of(ints(), floats()), value=st.one_of(st.floats(-300, 6000), st.integers(-300, 6000)))
def test_a_domain_contains_nothing_beyond_its_ends(domain: Int | Float, value: float) -> None:
    assume(not domain.low <= value <= domain.high)
    assert not domain.contains(value)


@pytest.mark.parametrize(
    ("domain", "call"),
    [
        (Int(low=1, high=9, step=2), ("int", "x", 1, 9, 2, False)),
        (Int(low=1, high=9, log=True), ("int", "x", 1, 9, 1, True)),
        (Float(low=0.5, high=2.5, step=0.5), ("float", "x", 0.5, 2.5, 0.5, False)),
        (Float(low=0.5, high=2.5, log=True), ("float", "x", 0.5, 2.5, None, True)),
        (Choice(options=("a", 2)), ("categorical", "x", ("a", 2))),
    ],
)
def test_a_domain_tells_the_trial_all_it_is(domain: Domain, call: tuple[Any, ...]) -> None:
    trial = Asked()
    assert domain.contains(domain.suggest("x", trial))
    assert trial.calls == [call]


def test_an_int_with_a_step_skips_what_lies_between() -> None:
    domain = Int(low=1, high=8, step=3)
    assert domain.values() == (1, 4, 7)
    assert not any(domain.contains(value) for value in (0, 2, 8, 10))


@pytest.mark.parametrize("value", [True, 2.0, "2", None, math.nan])
def test_an_int_is_neither_a_bool_nor_a_float_nor_a_text(value: object) -> None:
    assert not Int(low=0, high=3).contains(value)


@pytest.mark.parametrize("value", [True, "1", None, math.nan, math.inf])
def test_a_float_is_neither_a_bool_nor_a_text_nor_nan(value: object) -> None:
    assert not Float(low=0, high=3).contains(value)


def test_a_float_may_be_given_as_a_whole_number() -> None:
    assert Float(low=0, high=3).contains(2)


def test_a_float_without_a_step_has_no_end_of_values_and_shows_its_two_ends() -> None:
    domain = Float(low=0.05, high=0.5)
    assert domain.count is None
    assert domain.values() == (0.05, 0.5)


def test_a_float_of_one_value_counts_one() -> None:
    domain = Float(low=0.5, high=0.5)
    assert (domain.count, domain.values()) == (1, (0.5,))


def test_rounding_carries_no_value_beyond_the_high_end() -> None:
    domain = Float(low=0.1, high=0.3, step=0.1)
    assert domain.values() == (0.1, 0.2, 0.3)
    trial = RandomTrial(random.Random(0))
    assert {domain.suggest("x", trial) for _ in range(50)} == {0.1, 0.2, 0.3}


def test_a_float_with_a_step_contains_the_grid_only() -> None:
    domain = Float(low=0.0, high=1.0, step=0.1)
    assert domain.contains(0.1 + 0.2)  # 0.30000000000000004
    assert not domain.contains(0.35)


def test_a_choice_tells_true_from_one() -> None:
    assert not Choice(options=(1, 2)).contains(True)
    assert not Choice(options=(True, False)).contains(1)
    assert Choice(options=(True, 1)).count == 2


def test_a_choice_takes_one_and_one_point_nought_as_the_same() -> None:
    assert Choice(options=(0.5, 1, 2)).contains(1.0)


@pytest.mark.parametrize("options", [("a", "b", "a"), (1, 1), (1, 2, 1.0), (True, True)])
def test_a_choice_between_the_same_value_twice_is_refused(options: tuple[Scalar, ...]) -> None:
    with pytest.raises(InputError, match="names a value twice"):
        Choice(options=options)


def test_a_choice_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to choose from"):
        Choice(options=())


@pytest.mark.parametrize("domain", [Int, Float])
def test_bounds_the_wrong_way_round_are_refused(domain: type[Int] | type[Float]) -> None:
    with pytest.raises(InputError, match="low 4 is above high 1"):
        domain(low=4, high=1)


@pytest.mark.parametrize(("low", "high"), [(math.nan, 1), (0, math.nan), (0, math.inf), (-math.inf, 0)])
def test_bounds_that_are_no_numbers_are_refused(low: float, high: float) -> None:
    with pytest.raises(InputError, match=f"low {low} and high {high} must be finite"):
        Float(low=low, high=high)


@pytest.mark.parametrize("step", [0, -1])
def test_an_int_refuses_a_step_that_goes_nowhere(step: int) -> None:
    with pytest.raises(InputError, match=f"step {step} is not a number above 0"):
        Int(low=1, high=4, step=step)


@pytest.mark.parametrize("step", [0.0, -0.1, math.nan, math.inf])
def test_a_float_refuses_a_step_that_goes_nowhere(step: float) -> None:
    with pytest.raises(InputError, match=f"step {step} is not a number above 0"):
        Float(low=1, high=4, step=step)


@pytest.mark.parametrize("low", [0, -1])
@pytest.mark.parametrize("domain", [Int, Float])
def test_a_log_scale_starts_above_nought(domain: type[Int] | type[Float], low: int) -> None:
    with pytest.raises(InputError, match=f"a log scale needs low above 0, not {low}"):
        domain(low=low, high=8, log=True)


@pytest.mark.parametrize(("domain", "step"), [(Int, 2), (Float, 0.5), (Float, 1.0)])
def test_a_log_scale_has_no_step(domain: type[Int] | type[Float], step: Any) -> None:
    with pytest.raises(InputError, match="a log scale has no step"):
        domain(low=1, high=8, step=step, log=True)


CARDINALITY = Parameter(
    name="cardinality", domain=Choice(options=(2, 4)), when=(When(parameter="block", values=("resnext", "grouped")),)
)


@pytest.mark.parametrize(
    ("params", "exists"),
    [({"block": "resnext"}, True), ({"block": "grouped"}, True), ({"block": "basic"}, False), ({}, False)],
)
def test_a_parameter_exists_where_its_condition_holds(params: dict[str, Scalar], exists: bool) -> None:
    assert CARDINALITY.exists(params) is exists


def test_a_parameter_without_condition_always_exists() -> None:
    assert Parameter(name="depth", domain=Int(low=1, high=4)).exists({})


def test_all_conditions_of_a_parameter_must_hold() -> None:
    both = Parameter(
        name="c",
        domain=Int(low=1, high=2),
        when=(When(parameter="a", values=(1,)), When(parameter="b", values=("x",))),
    )
    assert both.exists({"a": 1, "b": "x"})
    assert not both.exists({"a": 1, "b": "y"})
    assert not both.exists({"b": "x"})


@pytest.mark.parametrize(
    ("domain", "value"),
    [
        (Choice(options=(64, 32)), 64),
        (Int(low=1, high=4), 2),
        (Int(low=16, high=64, step=16), 32),
        (Int(low=16, high=256, log=True), 64),
        (Int(low=3, high=3), 3),
        (Float(low=0.0, high=0.4), 0.2),
        (Float(low=0.01, high=1.0, log=True), 0.1),
        (Float(low=0.1, high=0.4, step=0.1), 0.2),
        (Float(low=0.3, high=0.3, log=True), 0.3),
    ],
)
def test_the_middle_is_a_value_on_the_domains_own_scale(domain: Domain, value: float) -> None:
    assert middle(domain) == pytest.approx(value)
    assert domain.contains(middle(domain))


def test_the_largest_of_a_choice_need_not_be_its_last() -> None:
    assert largest(Choice(options=(32, 128, 64))) == 128
    assert largest(Int(low=1, high=9)) == 9
