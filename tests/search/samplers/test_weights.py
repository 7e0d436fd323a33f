"""A person can weight the options of a choice: they are drawn more often, and a model's first trials heed them."""

import random
from collections import Counter
from typing import Any

import optuna
import pytest

from search.config.study import parse
from search.driver.inspection import look
from search.samplers.catalogue import SpaceCatalogue, coordinate
from search.samplers.proposer import Proposer
from search.samplers.registry import check_sampler, make_sampler
from spaces.architecture import ImageSpec
from spaces.domains import Choice, Parameter, prior
from spaces.errors import InputError
from tests.search.bench import FILE
from workers.objectives import OBJECTIVES

DIGITS = ImageSpec(channels=1, height=8, width=8, classes=10)
BLOCKS = ["basic", "bottleneck", "preact"]
WEIGHTED: dict[str, Any] = {
    "block": {"choice": BLOCKS, "weights": [8, 1, 1]},
    "depth": {"int": [1, 6]},
    "widening_factor": {"choice": [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4]},
}


def proposer(space: dict[str, Any], sampler: str, seed: int = 0) -> Proposer:
    config = parse({**FILE, "space": space})
    catalogue = SpaceCatalogue(config.search_space, DIGITS, lambda _cost: {})
    known = [None, coordinate(OBJECTIVES["macs"])]
    return Proposer(catalogue, make_sampler(sampler, seed, catalogue, known), ["maximize", "minimize"], seed)


def blocks(space: dict[str, Any], sampler: str, count: int, seed: int = 0) -> Counter[str]:
    """Return how often each block is proposed; every network is trained to the same accuracy."""
    asked, known, found = proposer(space, sampler, seed), {}, Counter[str]()
    for number in range(count):
        proposal, _ = asked.propose(known)
        assert proposal is not None
        known[proposal.digest] = number
        found[str(proposal.params["block"])] += 1
        asked.complete(proposal.mirror, [0.9, proposal.cost.macs])
    return found


def unweighted() -> dict[str, Any]:
    return {**WEIGHTED, "block": {"choice": BLOCKS}}


def test_the_random_sampler_draws_by_weights() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    drawn = blocks(WEIGHTED, "random", 40)
    assert drawn["basic"] > 22
    assert blocks(unweighted(), "random", 40)["basic"] < 22


def test_the_first_trials_of_the_model_heed_weights() -> None:
    drawn = sum((blocks(WEIGHTED, "auto", 20, seed) for seed in range(3)), Counter[str]())
    even = sum((blocks(unweighted(), "auto", 20, seed) for seed in range(3)), Counter[str]())
    assert drawn["basic"] > even["basic"] + 12
    assert drawn["preact"] + drawn["bottleneck"] > 0


def test_draws_of_the_catalogue_go_by_weights() -> None:
    config = parse({**FILE, "space": WEIGHTED})
    catalogue, rng = SpaceCatalogue(config.search_space, DIGITS, lambda _cost: {}), random.Random(0)
    drawn = Counter(catalogue.draw(rng)["block"] for _ in range(1000))
    assert drawn["basic"] == pytest.approx(800, abs=50)


def test_a_prior_is_one_on_the_average_and_multiplies() -> None:
    block = Choice(options=("a", "b"), weights=(3, 1))
    kind = Choice(options=("c", "d"), weights=(1, 3))
    parameters = [Parameter(name="block", domain=block), Parameter(name="kind", domain=kind)]
    assert [block.prior("a"), block.prior("b")] == [1.5, 0.5]
    assert prior(parameters, {"block": "a", "kind": "d", "depth": 3}) == 1.5 * 1.5
    assert prior(parameters, {"block": "a"}) == 1.5
    assert Choice(options=("a", "b")).prior("a") == 1


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "gp"])
def test_a_sampler_that_heeds_no_weights_says_so(sampler: str) -> None:
    with pytest.raises(InputError) as caught:
        look(parse({**FILE, "space": WEIGHTED, "sampler": sampler}))
    assert str(caught.value) == (
        f"sampler.name: {sampler} does not heed weights, and block has some; front and random do"
    )
    check_sampler(sampler, parse({**FILE, "space": unweighted()}).search_space.parameters)


@pytest.mark.parametrize(
    ("weights", "refused"),
    [
        ([1, 2], "space.block.choice: 2 weights do not go with 3 values"),
        ([1, 0, 1], "space.block.choice: a weight is a number above 0; a value that is not wanted is left out"),
        ([1, -2, 1], "space.block.choice: a weight is a number above 0; a value that is not wanted is left out"),
        (["a", 1, 1], "space.block.weights: 'a' is not a number"),
        (3, "space.block.weights: 3 is not a list"),
    ],
)
def test_weights_that_are_none_are_refused(weights: Any, refused: str) -> None:
    with pytest.raises(InputError) as caught:
        parse({**FILE, "space": {**WEIGHTED, "block": {"choice": BLOCKS, "weights": weights}}})
    assert str(caught.value) == refused
