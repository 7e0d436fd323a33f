"""What crashes workers is known by a property that no network which lived has, and is left for last."""

import random
from typing import Any
from unittest import mock

import pytest

from search.samplers.suspects import LEAST, SUSPECTED, Property, Suspect, suspects_of
from spaces.architecture import Architecture, ImageSpec
from spaces.counting import cost

COST = cost(Architecture(), ImageSpec())


def network(**changes: Any) -> dict[str, Any]:
    return {"block": "basic", "depth": 2, "widening_factor": 1.0, "dropout": "none", **changes}


def named(found: list[Suspect]) -> list[str]:
    return [" and ".join(map(str, each.properties)) for each in found]


def test_two_crashes_tell_nothing() -> None:
    assert suspects_of([network(widening_factor=0.125)] * (LEAST - 1), [network()]) == []


def test_the_value_that_all_have_and_none_that_lived_is_suspected() -> None:
    crashed = [network(widening_factor=0.125, depth=depth) for depth in (1, 2, 3)]
    lived = [network(depth=depth) for depth in (1, 2, 3)]
    (found,) = suspects_of(crashed, lived)
    assert named([found]) == ["widening_factor 0.125"]
    assert found.fits(network(widening_factor=0.125, block="preact"))
    assert not found.fits(network(widening_factor=0.25))


def test_one_that_lived_clears_the_property() -> None:
    crashed = [network(widening_factor=0.125, depth=depth) for depth in (1, 2, 3)]
    lived = [network(depth=1), network(depth=2), network(depth=3), network(widening_factor=0.125, depth=4)]
    assert "widening_factor 0.125" not in named(suspects_of(crashed, lived))


def test_a_range_is_suspected_where_values_hardly_repeat() -> None:
    rng = random.Random(0)
    crashed = [network(dropout_rate=rng.uniform(0.4, 0.5)) for _ in range(5)]
    lived = [network(dropout_rate=rng.uniform(0.1, 0.39)) for _ in range(20)]
    (found,) = suspects_of(crashed, lived)
    assert found.properties[0].name == "dropout_rate"
    assert found.fits(network(dropout_rate=0.5))
    assert not found.fits(network(dropout_rate=0.3))
    assert not found.fits(network())  # has no such parameter


def test_two_values_together_are_suspected_where_neither_alone_explains() -> None:
    crashed = [network(block="preact", widening_factor=0.125, depth=depth) for depth in (1, 2, 3)]
    lived = [network(block=block, widening_factor=k, depth=depth)
             for block, k in (("preact", 1.0), ("basic", 0.125), ("basic", 1.0)) for depth in (1, 2, 3)]  # fmt: skip
    assert named(suspects_of(crashed, lived)) == ["block preact and widening_factor 0.125"]


def test_two_causes_are_found_one_after_the_other() -> None:
    crashed = [network(widening_factor=0.125, depth=depth) for depth in (1, 2, 3, 4)]
    crashed += [network(block="resnext", depth=depth) for depth in (1, 2, 3)]
    lived = [network(depth=depth) for depth in (1, 2, 3, 4)]
    assert named(suspects_of(crashed, lived)) == ["widening_factor 0.125", "block resnext"]


def test_a_rejection_names_the_property_and_how_many_crashed() -> None:
    (found,) = suspects_of([network(block="resnext", depth=depth) for depth in (1, 2, 3)], [network(depth=2)])
    refused = found.against(network(block="resnext"), COST)
    assert refused is not None
    assert refused.violations.keys() == {SUSPECTED}
    assert refused.reason == "3 networks with block resnext ended their workers, and none has lived"
    assert found.against(network(), COST) is None


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_suspected_no_network_that_lived_has(seed: int) -> None:
    rng = random.Random(seed)
    drawn = [network(block=rng.choice(["basic", "preact"]), depth=rng.randint(1, 4),
                     widening_factor=rng.choice([0.125, 0.25, 1.0])) for _ in range(40)]  # fmt: skip
    crashed, lived = drawn[: rng.randint(0, 12)], drawn[20:]
    found = suspects_of(crashed, lived)
    assert all(not each.fits(params) for each in found for params in lived)
    assert all(sum(map(each.fits, crashed)) >= LEAST for each in found)


def test_options_of_several_types_are_told_apart_and_never_ordered() -> None:
    crashed = [network(base_width=value, depth=depth) for value in (4, "preserved", True) for depth in (1, 2, 3)]
    lived = [network(base_width=8, depth=depth) for depth in (1, 2, 3)]
    assert set(named(suspects_of(crashed, lived))) == {"base_width 4", "base_width preserved", "base_width True"}


def test_nothing_that_every_network_has_is_a_range_to_suspect_while_none_has_lived() -> None:
    crashed = [network(depth=depth, dropout_rate=0.1 * depth, block=block)
               for depth, block in ((1, "basic"), (2, "preact"), (3, "resnext"))]  # fmt: skip
    assert not [each for each in suspects_of(crashed, []) for it in each.properties if it.low != it.high]


def test_many_crashes_without_a_cause_are_looked_through_in_a_count_of_comparisons_that_grows_slowly() -> None:
    rng = random.Random(0)
    drawn = [network(depth=rng.randint(1, 9), x=rng.random(), y=rng.random()) for _ in range(800)]
    counts = []
    for size in (100, 400):
        with mock.patch.object(Property, "fits", autospec=True, side_effect=Property.fits) as asked:
            suspects_of(drawn[:size], drawn[400 : 400 + size])
        counts.append(asked.call_count)
    assert counts[1] < 20 * counts[0]
