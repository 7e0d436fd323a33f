"""A catalogue offers the networks of a space, says what is known of each, and which are close to it."""

import math
import random
from typing import Any

import pytest

from search.config.study import parse
from search.core.costs import cost_of
from search.samplers.candidates import SIZE, Network, Pool, Scale, columns
from search.samplers.catalogue import SpaceCatalogue, coordinate, neighbour
from spaces.architecture import ImageSpec
from spaces.domains import Choice, Float, Int, Parameter
from spaces.errors import InfeasibleArchitecture
from tests.search.bench import FILE
from workers.objectives import OBJECTIVES

DIGITS = ImageSpec(channels=1, height=8, width=8, classes=10)
KNOWN = [coordinate(OBJECTIVES["macs"])]


def catalogue(space: dict[str, Any] | None = None, **constraints: str) -> SpaceCatalogue:
    config = parse({**FILE, "space": space or FILE["space"], "constraints": constraints})
    return SpaceCatalogue(config.search_space, DIGITS, config.violations)


def pool(offered: SpaceCatalogue, seed: int = 0) -> Pool:
    made = Pool(offered, [each for each in KNOWN if each], random.Random(seed))
    made.refresh()
    return made


def test_what_is_known_is_what_counting_finds() -> None:
    described = catalogue(params="<= 1").describe({"block": "basic", "depth": 2, "widening_factor": 1})
    assert described.cost == cost_of(described.architecture, DIGITS)
    assert described.digest == described.architecture.digest
    assert not described.allowed
    with pytest.raises(InfeasibleArchitecture):
        catalogue({"block": "resnext", "cardinality": {"choice": [3, 5]}}).describe({"cardinality": 5})


def test_close_networks_are_of_the_space_and_differ_in_few_parameters() -> None:
    offered, rng = catalogue(), random.Random(0)
    here = {"block": "basic", "depth": 2, "widening_factor": 0.5, "dropout": "none"}
    found = [offered.near(here, rng) for _ in range(300)]
    assert all(offered.space.contains(params) for params in found)
    kept = [sum(params.get(name) == value for name, value in here.items()) for params in found]
    assert min(kept) >= len(here) - 2
    assert {params["block"] for params in found} == {"basic", "resnext", "preact"}
    assert any("cardinality" in params for params in found)  # which exists beside one of the blocks only


@pytest.mark.parametrize(
    "domain",
    [Int(low=1, high=9), Int(low=0, high=8, step=2), Choice(options=(0.25, 1, 4)), Choice(options=("a", "b")),
     Float(low=0.1, high=0.5), Float(low=0, high=1, step=0.25)],
)  # fmt: skip
def test_a_neighbour_is_another_value_of_the_domain(domain: Any) -> None:
    rng, item = random.Random(0), Parameter(name="x", domain=domain)
    value = domain.values()[0]
    found = [neighbour(item, value, rng) for _ in range(100)]
    assert all(domain.contains(each) for each in found)
    assert any(each != value for each in found)


def test_a_known_objective_is_minimised_on_a_log_axis_and_a_learned_one_is_none() -> None:
    described = catalogue().describe({"depth": 1})
    read = coordinate(OBJECTIVES["macs"])
    assert read is not None
    assert read(described) == pytest.approx(math.log(described.cost.macs))
    assert coordinate(OBJECTIVES["accuracy"]) is None
    assert coordinate(OBJECTIVES["latency_ms"]) is None


# The pool


def test_a_pool_holds_networks_that_may_be_trained() -> None:
    offered = catalogue(params="<= 40k")
    assert len(pool(offered).networks) > 100
    assert all(offered.describe(network.params).allowed for network in pool(offered).networks)


def test_a_small_space_is_in_the_pool_whole_each_network_once() -> None:
    space = {"depth": {"int": [1, 4]}, "dropout": {"choice": ["none", "head"]}, "dropout_rate": {"choice": [0.0, 0.2]}}
    made = pool(catalogue(space))
    made.refresh()
    assert len(made.networks) == 8  # a rate of 0 is no dropout, and without dropout there is no rate


def test_a_pool_grows_and_is_renewed_to_a_bound() -> None:
    made = pool(catalogue())
    first = made.networks[0]
    sizes = [len(made.networks)]
    for _ in range(40):
        made.refresh()
        sizes.append(len(made.networks))
    assert sizes == sorted(sizes)
    assert sizes[-1] == SIZE
    assert made.networks[0] is not first


def test_no_network_that_is_known_is_close() -> None:
    made = pool(catalogue())
    known = {network.identity for network in made.networks}
    assert not known & {network.identity for network in made.close(made.networks[:3], known)}
    assert made.close(made.networks[:3], set())


def test_a_pool_forgets_what_it_described_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.samplers.candidates.REMEMBERED", 50)
    made = pool(catalogue())
    assert len(made._found) == 50
    assert made.find(made.networks[0].params) == made.networks[0]  # described again


# Features


def test_features_have_unit_scale_and_one_row_for_each_network() -> None:
    made = pool(catalogue())
    features = Scale(made.networks)
    rows = features(made.networks)
    assert rows.mean(axis=0) == pytest.approx(0, abs=1e-9)
    assert (rows**2).sum(axis=1).mean() == pytest.approx(1, abs=0.2)
    assert features(made.networks[3:4])[0] == pytest.approx(rows[3])


def test_sizes_are_logarithms_and_each_choice_has_a_column() -> None:
    parameters = (
        Parameter(name="width", domain=Choice(options=(1, 2, 4))),
        Parameter(name="block", domain=Choice(options=("a", "b"))),
    )
    networks = [
        Network(params, str(params), (), columns(parameters, params, [10.0**width]))
        for width in (1, 2, 4)
        for block in "ab"
        for params in [{"width": width, "block": block}]
    ]
    rows = Scale(networks)(networks)
    assert rows.shape == (6, 4)
    assert rows[2, 0] - rows[0, 0] == pytest.approx(rows[4, 0] - rows[2, 0])  # 1, 2, 4 are as far apart
    assert (rows[::2, 1] == -rows[1::2, 1]).all()


# Where the recipe is searched too


def test_a_rate_is_changed_by_a_factor() -> None:
    item = Parameter(name="learning_rate", domain=Float(low=0.001, high=1.0, log=True))
    rng = random.Random(0)
    found = [float(neighbour(item, 0.03, rng)) for _ in range(400)]
    assert all(item.domain.contains(value) for value in found)
    assert 150 < sum(value < 0.03 for value in found) < 250
    assert sum(value < 0.01 for value in found) > 20


def test_a_whole_number_on_a_log_scale_is_changed_by_a_factor() -> None:
    item = Parameter(name="batch_size", domain=Int(low=16, high=512, log=True))
    found = {neighbour(item, 64, random.Random(seed)) for seed in range(200)}
    assert all(item.domain.contains(value) for value in found)
    assert min(found) < 32
    assert max(found) > 128


def test_equal_networks_of_two_recipes_are_two_candidates() -> None:
    space = {"depth": {"int": [1, 2]}, "widening_factor": 0.25}
    config = parse({**FILE, "space": space, "recipe": {"learning_rate": {"choice": [0.1, 0.2]}}})
    made = pool(SpaceCatalogue(config.search_space, DIGITS, config.violations))
    assert len(made.networks) == 4
    assert len({network.identity for network in made.networks}) == 4
    assert len({network.costs for network in made.networks}) == 2
