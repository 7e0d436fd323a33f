"""What is searched of the recipe joins the space; what is not is one value for all trials."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from search.config.identity import check_same, growth
from search.config.recipe import BESIDE, RecipeForm
from search.config.stored import stored
from search.config.study import StudyConfig, parse
from search.core.records import StudyRecord
from spaces.domains import Choice, Float, Int, When
from spaces.errors import InputError
from tests.search.bench import FILE
from workers.recipe import SEARCHED, Recipe

RATE = {"float": [0.02, 0.4], "log": True}
BATCH = {"choice": [32, 64, 128]}
MakeStudy = Callable[..., StudyRecord]


def config_of(recipe: Any, **sections: Any) -> StudyConfig:
    return parse({**FILE, "recipe": recipe, **sections})


def test_the_form_is_the_recipes() -> None:
    assert RecipeForm().recipe(9) == Recipe()
    assert {*RecipeForm.model_fields, "epochs"} - BESIDE == set(Recipe().to_json())


def test_what_is_recorded_is_no_part_of_what_is_trained() -> None:
    assert config_of({"record": "flow"}).full_recipe == config_of({}).full_recipe


def test_what_is_searched_stands_behind_the_network_in_one_order() -> None:
    for recipe in ({"learning_rate": RATE, "batch_size": BATCH}, {"batch_size": BATCH, "learning_rate": RATE}):
        space = config_of(recipe).search_space
        assert [item.name for item in space.parameters] == [*FILE["space"], "batch_size", "learning_rate"]
        assert space.beside == ("batch_size", "learning_rate")
        assert space.parameters[-1].domain == Float(low=0.02, high=0.4, log=True)


def test_a_study_that_searches_no_recipe_has_the_space_of_before() -> None:
    assert config_of({"learning_rate": 0.2}).search_space == parse(FILE).search_space


@pytest.mark.parametrize("name", SEARCHED)
def test_every_name_can_be_searched(name: str) -> None:
    domain = {"choice": [2, 4]} if name in ("batch_size", "warmup_epochs", "crop", "cutout") else {"choice": [0.1, 0.2]}
    if isinstance(getattr(Recipe(), name), str):
        domain = {"choice": [getattr(Recipe(), name)]}
    config = config_of({name: domain})
    chosen = config.search_space.parameters[-1]
    assert (chosen.name, chosen.domain) == (name, Choice(options=tuple(domain["choice"])))
    assert getattr(config.recipe_of({name: domain["choice"][0]}), name) == domain["choice"][0]


def test_a_trials_recipe_is_what_it_chose_and_what_the_file_fixes() -> None:
    config = config_of({"learning_rate": RATE, "momentum": 0.8})
    assert config.recipe_of({"block": "basic", "learning_rate": 0.3}) == Recipe(learning_rate=0.3, momentum=0.8)
    assert config.recipe_of({"block": "basic"}) == Recipe(momentum=0.8)  # where it does not exist


def test_a_value_may_depend_on_the_network_or_on_another_value() -> None:
    when = {"block": ["basic"], "batch_size": [32]}
    space = config_of({"batch_size": BATCH, "learning_rate": {**RATE, "when": when}}).search_space
    assert space.parameters[-1].when == (
        When(parameter="block", values=("basic",)), When(parameter="batch_size", values=(32,)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("domain", "most"), [(BATCH, 128), ({"int": [16, 96], "step": 16}, 96), ({"choice": [128, 16]}, 128)]
)
def test_the_largest_batch_is_known(domain: Any, most: int) -> None:
    assert config_of({"batch_size": domain}).extreme_recipe.batch_size == most
    assert config_of({"batch_size": 48}).extreme_recipe.batch_size == 48


def test_a_file_comes_back_from_the_database(make_study: MakeStudy) -> None:
    config = config_of({"learning_rate": RATE, "batch_size": {"int": [16, 64], "step": 16}})
    told = json.loads(json.dumps(config.plain()))
    assert told["recipe"]["learning_rate"] == RATE
    record = make_study("bench", config=told)
    again = stored(record, "sqlite:///x.db")
    assert again.search_space == config.search_space
    check_same(record, again)
    assert record.domains["batch_size"] == {"int": [16, 64], "step": 16}
    assert isinstance(again.search_space.parameters[-2].domain, Int)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"learning_rate": RATE}, "recipe.learning_rate: 0.1 -> {"),
        ({"learning_rate": RATE}, {}, "-> 0.1"),
        ({"learning_rate": RATE}, {"learning_rate": {**RATE, "float": [0.02, 0.5]}}, "[0.02, 0.4] -> [0.02, 0.5]"),
        ({"learning_rate": RATE}, {"learning_rate": {"float": [0.02, 0.4]}}, "recipe.learning_rate.log: True"),
    ],
)
def test_what_is_searched_of_a_recipe_may_change(make_study: MakeStudy, before: Any, now: Any, told: str) -> None:
    record = make_study("bench", config=json.loads(json.dumps(config_of(before).plain())))
    check_same(record, config_of(now))
    (line,) = growth(record, config_of(now))
    assert told in line


def test_what_a_study_starts_with_may_name_its_recipe_or_has_the_middle() -> None:
    values = {"block": "basic", "depth": 1, "widening_factor": 1, "dropout": "none"}
    start = [values, {**values, "learning_rate": 0.3}, {**values, "learning_rate": 0.5}]
    config = config_of({"learning_rate": RATE, "batch_size": BATCH}, start=start[:2])
    (_, middle), (_, own) = config.starting
    assert middle == {**values, "batch_size": 32, "learning_rate": pytest.approx((0.02 * 0.4) ** 0.5)}
    assert own["learning_rate"] == 0.3
    with pytest.raises(InputError, match=r"start\.2: learning_rate 0\.5 is not in the space"):
        config_of({"learning_rate": RATE}, start=start)


def test_a_named_network_has_the_middle_of_a_recipe() -> None:
    space = {"block": {"choice": ["basic", "preact"]}, "depth": {"int": [1, 3]}, "widening_factor": {"choice": [1, 2]}}
    config = config_of({"learning_rate": RATE}, space=space, start=["wrn-16-1"])
    assert config.starting[0][1]["learning_rate"] == pytest.approx((0.02 * 0.4) ** 0.5)


def test_the_weights_of_a_recipe_are_heeded_or_refused() -> None:
    weighted = {"batch_size": {**BATCH, "weights": [1, 1, 2]}}
    assert config_of(weighted).search_space.parameters[-1].weights == (1, 1, 2)
    with pytest.raises(InputError, match=r"sampler\.name: tpe does not heed weights, and batch_size has some"):
        config_of(weighted, sampler="tpe")


@pytest.mark.parametrize(
    ("recipe", "rate", "optimizer"),
    [
        ({"optimizer": "adamw", "learning_rate": {"float": [0.001, 0.4]}}, 0.001, "adamw"),
        ({"optimizer": {"choice": ["sgd", "adamw"]}}, 0.1, "adamw"),
        ({"optimizer": {"choice": ["sgd"]}, "learning_rate": {"choice": [0.2, 0.05]}}, 0.05, "sgd"),
    ],
)
def test_what_is_odd_of_every_trial_is_told_of_the_extreme_one(recipe: Any, rate: float, optimizer: str) -> None:
    extreme = config_of(recipe).extreme_recipe
    assert (extreme.learning_rate, extreme.optimizer) == (rate, optimizer)
