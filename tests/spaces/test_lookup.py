"""A network that is known by name or by its fields is found in a space, or refused by what the space lacks."""

from dataclasses import replace
from typing import Any

import pytest

from spaces.domains import Choice, Float, Int, Parameter, When
from spaces.errors import InputError
from spaces.lookup import check_choice, choice_of, with_beside
from spaces.names import named
from spaces.space import SearchSpace

GROUPED = (When(parameter="block", values=("resnext",)),)
SPACE = SearchSpace(
    parameters=(
        Parameter(name="block", domain=Choice(options=("basic", "preact", "resnext"))),
        Parameter(name="depth", domain=Int(low=1, high=4)),
        Parameter(name="widening_factor", domain=Choice(options=(0.5, 1, 2))),
        Parameter(name="cardinality", domain=Choice(options=(2, 8)), when=GROUPED),
        Parameter(name="dropout", domain=Choice(options=("none", "between"))),
        Parameter(name="dropout_rate", domain=Float(low=0.1, high=0.5)),
        Parameter(name="kernels", domain=Choice(options=("3,3", "3,1,3"))),
    )
)


def test_every_network_of_a_space_is_found_by_its_fields() -> None:
    for params in SPACE.sample(200, seed=0):
        wanted = SPACE.architecture(params)
        found = choice_of(SPACE, wanted)
        assert SPACE.contains(found)
        assert SPACE.architecture(found).digest == wanted.digest


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("wrn-16-1", {"block": "preact", "depth": 2, "widening_factor": 1, "dropout": "none"}),
        ("wrn-10-2", {"block": "preact", "depth": 1, "widening_factor": 2}),
        ("wrn-16-2-B(3,1,3)", {"block": "preact", "depth": 2, "kernels": "3,1,3"}),
    ],
)
def test_networks_of_the_literature_are_found_by_name(name: str, chosen: dict[str, Any]) -> None:
    found = choice_of(SPACE, named(name).architecture)
    assert found.items() >= chosen.items()
    assert SPACE.architecture(found).digest == named(name).architecture.digest
    assert {type(value) for value in found.values()} <= {str, int, float}


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("resnet-20", "shortcut A"),
        ("wrn-28-10", "widening_factor 10"),
        ("wrn-52-1", "depths 8,8,8"),
        ("resnet18", "depths 2,2,2,2, widths 64,128,256,512, stem large, stem_width 64"),
    ],
)
def test_a_network_out_of_the_space_is_refused_by_what_the_space_lacks(name: str, lacks: str) -> None:
    with pytest.raises(InputError) as caught:
        choice_of(SPACE, named(name).architecture)
    assert str(caught.value) == f"is not in the space, which lacks {lacks}"


def test_a_network_of_unequal_stages_is_in_no_space_of_one_depth() -> None:
    uneven = replace(named("wrn-16-1").architecture, depths=(1, 2, 1))
    with pytest.raises(InputError, match="lacks depths 1,2,1"):
        choice_of(SPACE, uneven)


def test_where_no_network_has_the_values_together_it_is_said_why() -> None:
    odd = SearchSpace(parameters=SPACE.parameters, fixed=(("shortcut", "none"), ("order", "full")))
    wide = replace(named("resnext-29-8x64d").architecture, depths=(1, 1, 1))
    with pytest.raises(InputError, match="is not in the space"):
        choice_of(odd, wide)


WHOLE: dict[str, Any] = {
    "block": "basic", "depth": 2, "widening_factor": 1, "dropout": "none", "dropout_rate": 0.2, "kernels": "3,3",
}  # fmt: skip


def test_values_of_a_network_are_taken_as_they_are() -> None:
    check_choice(SPACE, WHOLE)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"depth": None}, "depth is missing"),
        ({"depth": 9}, "depth 9 is not in the space"),
        ({"cardinality": 2}, "the space has no cardinality beside the other values"),
        ({"colour": "red"}, "the space has no colour beside the other values"),
        ({"block": "resnext"}, "cardinality is missing"),
    ],
)
def test_values_that_are_no_networks_are_refused(changes: dict[str, Any], refused: str) -> None:
    given = {name: value for name, value in {**WHOLE, **changes}.items() if value is not None}
    with pytest.raises(InputError) as caught:
        check_choice(SPACE, given)
    assert str(caught.value) == refused


TRAINED = replace(
    SPACE,
    parameters=(
        *SPACE.parameters,
        Parameter(name="rate", domain=Float(low=0.01, high=1.0, log=True)),
        Parameter(name="batch", domain=Choice(options=(32, 64)), when=(When(parameter="block", values=("basic",)),)),
    ),
    beside=("rate", "batch"),
)


def test_how_a_network_is_trained_is_no_part_of_it() -> None:
    params = choice_of(TRAINED, named("wrn-16-1").architecture)
    assert params["rate"] == pytest.approx(0.1)
    assert "batch" not in params  # it does not exist beside a preact block
    assert TRAINED.architecture(params) == TRAINED.architecture({**params, "rate": 0.5})


@pytest.mark.parametrize(("given", "taken"), [(0.5, 0.5), (5.0, 0.1), ("fast", 0.1)])
def test_what_another_study_trained_with_is_taken_where_the_space_has_it(given: Any, taken: float) -> None:
    found = choice_of(TRAINED, named("wrn-16-1").architecture, {"rate": given})
    assert found["rate"] == pytest.approx(taken)


def test_what_is_not_said_of_a_training_is_in_the_middle() -> None:
    assert with_beside(SPACE, WHOLE) == WHOLE
    whole = with_beside(TRAINED, {**WHOLE, "block": "basic", "rate": 0.5})
    assert (whole["rate"], whole["batch"]) == (0.5, 32)
