"""Test `search.driver.survey`."""

from typing import Any

import pytest

from search.core.costs import cost_of
from search.driver import survey as surveying
from search.driver.survey import survey
from spaces.architecture import Architecture, ImageSpec
from spaces.cost import Cost
from spaces.domains import Choice, Float, Int, Parameter, When
from spaces.errors import InputError
from spaces.space import SearchSpace

IMAGE = ImageSpec(channels=1, height=8, width=8)


def space(**given: Any) -> SearchSpace:
    """Search what is given as a domain and fix what is not; beside a choice of blocks, cardinality hangs on resnext."""
    searched = {name: value for name, value in given.items() if isinstance(value, (Int, Float, Choice))}
    conditions = {"cardinality": (When(parameter="block", values=("resnext",)),)} if "block" in searched else {}
    return SearchSpace(
        parameters=tuple(
            Parameter(name=name, domain=domain, when=conditions.get(name, ())) for name, domain in searched.items()
        ),
        fixed=tuple((name, value) for name, value in given.items() if name not in searched),
    )


def anything(_cost: Cost) -> dict[str, float]:
    return {}


def below(limit: float) -> Any:
    return lambda counted: {"params": counted.params / limit - 1}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let a space be large from 51 members on."""
    monkeypatch.setattr(surveying, "LOOKED_AT", 50)
    monkeypatch.setattr(surveying, "DRAWN", 60)
    return 60


DEPTHS = Int(low=1, high=3)
BLOCKS = Choice(options=("basic", "resnext"))


def test_a_small_space_is_looked_at_whole() -> None:
    seen = survey(space(block=BLOCKS, depth=DEPTHS, cardinality=Choice(options=(2, 4))), IMAGE, anything)
    assert seen.whole
    assert seen.size == seen.looked_at == seen.buildable == len(seen.allowed) == 9
    assert seen.share_allowed == 1


def test_each_member_comes_with_its_cost() -> None:
    seen = survey(space(depth=DEPTHS), IMAGE, anything)
    costs = [cost_of(Architecture(depths=(depth,) * 3), IMAGE) for depth in (1, 2, 3)]
    assert seen.allowed == [({"depth": depth}, counted) for depth, counted in zip((1, 2, 3), costs, strict=True)]


def test_the_ends_are_the_cheapest_and_the_dearest_that_are_allowed() -> None:
    costs = [cost_of(Architecture(depths=(depth,) * 3), IMAGE).params for depth in (1, 2, 3)]
    seen = survey(space(depth=DEPTHS), IMAGE, below(costs[1]))
    least, most = seen.ends(lambda counted: counted.params)
    assert (least[0], most[0]) == ({"depth": 1}, {"depth": 2})
    assert seen.share_allowed == pytest.approx(2 / 3)
    assert seen.buildable == 3


def test_a_limit_reached_exactly_is_kept() -> None:
    smallest = cost_of(Architecture(), IMAGE).params
    assert len(survey(space(depth=DEPTHS), IMAGE, below(smallest)).allowed) == 1


def test_the_constraint_least_overstepped_is_remembered() -> None:
    def violations(counted: Cost) -> dict[str, float]:
        return {"params": 0.5 if counted.params > 100_000 else -1, "macs": 0.2}

    with pytest.raises(InputError, match="20%") as caught:
        survey(space(depth=DEPTHS), IMAGE, violations)
    assert caught.value.place == "constraints.macs"


def test_constraints_that_no_network_meets_are_named_with_the_nearest() -> None:
    smallest = cost_of(Architecture(), IMAGE).params
    with pytest.raises(InputError) as caught:
        survey(space(depth=DEPTHS), IMAGE, below(smallest / 1.5))
    told = "constraints.params: no network of this space meets it; the nearest oversteps it by 50%"
    assert str(caught.value) == told


def test_a_value_that_no_network_can_have_is_named_with_its_place() -> None:
    searched = space(block=BLOCKS, depth=DEPTHS, cardinality=Choice(options=(2, 6, 4)))
    with pytest.raises(InputError) as caught:
        survey(searched, IMAGE, anything)
    assert str(caught.value) == (
        "space.cardinality.choice: no network of this space can have 6: "
        "cardinality 6 does not divide width 16 (block resnext, stage 1)"
    )


def test_it_is_named_beside_an_endless_dropout_rate_as_well() -> None:
    searched = space(
        block=BLOCKS, cardinality=Choice(options=(2, 6)), dropout="between", dropout_rate=Float(low=0.1, high=0.5)
    )
    with pytest.raises(InputError, match=r"space.cardinality.choice: no network of this space can have 6"):
        survey(searched, IMAGE, anything)


def test_an_int_that_no_network_can_have_is_named_with_its_kind() -> None:
    with pytest.raises(InputError, match=r"^space.cardinality.int: no network of this space can have 3: "):
        survey(space(cardinality=Int(low=1, high=4), block="resnext"), IMAGE, anything)


def test_a_value_that_some_network_can_have_is_no_mistake() -> None:
    searched = space(block=BLOCKS, cardinality=Choice(options=(2, 3)), widening_factor=Choice(options=(1, 3)))
    seen = survey(searched, IMAGE, anything)
    assert seen.whole
    assert (seen.looked_at, seen.buildable) == (6, 5)  # cardinality 3 goes with factor 3 alone


@pytest.mark.usefixtures("few")
def test_a_value_between_the_ends_of_a_float_may_be_what_another_needs() -> None:
    """At neither 1 nor 4 does cardinality 3 divide the widths; at 3 it does."""
    searched = space(block=BLOCKS, cardinality=Choice(options=(2, 3)), widening_factor=Float(low=1, high=4))
    seen = survey(searched, IMAGE, anything)
    assert not seen.whole
    assert seen.buildable < seen.looked_at


@pytest.mark.usefixtures("few")
def test_a_window_between_the_ends_of_a_float_is_met() -> None:
    low, high = (cost_of(Architecture(widening_factor=k), IMAGE).params for k in (1.5, 2))
    seen = survey(
        space(widening_factor=Float(low=1, high=3)),
        IMAGE,
        lambda counted: {"params": max(counted.params / high, low / counted.params) - 1},
    )
    assert not seen.whole
    assert 0 < seen.share_allowed < 0.5


@pytest.mark.usefixtures("few")
def test_the_ends_of_a_float_are_among_what_is_looked_at() -> None:
    seen = survey(space(widening_factor=Float(low=1, high=3)), IMAGE, anything)
    ends = [counted for _, counted in seen.ends(lambda counted: counted.macs)]
    assert ends == [cost_of(Architecture(widening_factor=k), IMAGE) for k in (1, 3)]


def test_images_too_small_for_any_network_are_said_to_be_so() -> None:
    with pytest.raises(InputError) as caught:
        survey(space(block=BLOCKS, depth=DEPTHS, cardinality=2), ImageSpec(height=3, width=9), anything)
    assert str(caught.value) == (
        "space: no network of this space can be built: "
        "an image of 3x9 is too small for stem small and 3 stages: at least 4 pixels are needed"
    )


def test_a_stem_too_large_for_the_images_is_named() -> None:
    with pytest.raises(InputError, match=r"^space\.stem\.choice: no network of this space can have large: an image"):
        survey(space(stem=Choice(options=("small", "large")), depth=DEPTHS), IMAGE, anything)


LARGE = space(
    block=BLOCKS, stem_width=Int(low=16, high=200), depth=Int(low=1, high=9), cardinality=Choice(options=(2, 5))
)


def test_of_a_large_space_a_part_is_drawn_by_seed(few: int) -> None:
    def drawn(seed: int) -> list[Any]:
        return [params for params, _ in survey(LARGE, IMAGE, anything, seed).allowed]

    seen = survey(LARGE, IMAGE, anything, seed=1)
    assert not seen.whole
    assert seen.looked_at == few
    assert seen.size == 185 * 9 * 3
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_what_chance_has_not_seen_built_is_not_called_impossible(few: int) -> None:
    """Cardinality 5 divides no width, but of a large space only a part says so."""
    seen = survey(LARGE, IMAGE, anything)
    assert seen.buildable < seen.looked_at == few


def test_constraints_that_no_drawn_network_meets_say_how_many_were_drawn(few: int) -> None:
    with pytest.raises(InputError, match=f"^constraints.params: none of {few + surveying.STEPS:,} networks"):
        survey(LARGE, IMAGE, below(10))


def test_the_limits_of_a_whole_look_are_thousands_of_members() -> None:
    assert survey(space(stem_width=Int(low=1, high=5), depth=DEPTHS), IMAGE, anything).whole
    assert surveying.LOOKED_AT >= 1000 <= surveying.DRAWN


def test_a_space_of_which_a_sample_holds_nothing_allowed_is_searched_before_it_is_called_empty() -> None:
    wide = space(depth=Int(low=1, high=40), widening_factor=Float(low=0.125, high=16.0), block=BLOCKS)
    seen = survey(wide, IMAGE, below(2_600))
    assert not [params for params in wide.sample(surveying.DRAWN, 0) if _allowed(wide, params, 2_600)]
    assert seen.searched
    assert all(_allowed(wide, params, 2_600) for params, _ in seen.allowed)
    assert seen.few == [params for params, _ in seen.allowed]
    assert len(seen.few) >= 10


def test_where_nothing_is_allowed_the_search_ends_and_says_so() -> None:
    wide = space(depth=Int(low=1, high=40), widening_factor=Float(low=0.125, high=16.0))
    with pytest.raises(InputError, match=r"^constraints.params: none of [\d,]+ networks of this space meets it"):
        survey(wide, IMAGE, below(100))


def test_where_chance_finds_enough_nothing_is_searched() -> None:
    seen = survey(space(depth=DEPTHS, block=BLOCKS), IMAGE, below(1e9))
    assert (seen.searched, seen.few) == (False, [])


def _allowed(given: SearchSpace, params: dict[str, Any], limit: float) -> bool:
    return cost_of(given.architecture(params), IMAGE).params <= limit
