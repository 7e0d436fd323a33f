"""A recipe is a value that cannot be wrong."""

import json
import math
import pickle
from dataclasses import fields
from typing import Any

import pytest

from spaces.errors import InputError
from spaces.space import PARAMETERS
from workers.recipe import MEMORY_FORMATS, PRECISIONS, SEARCHED, Recipe, chosen, identity

OTHER: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 0.05,
    "momentum": 0.8,
    "weight_decay": 1e-4,
    "warmup_epochs": 0.5,
    "label_smoothing": 0.05,
    "balance": "weights",
    "optimizer": "adamw",
    "schedule": "linear",
    "crop": 2,
    "cutout": 0,
    "precision": "float32",
    "memory_format": "channels_first",
    "compile": "never",
    "monte_carlo": 20,
}


def test_a_recipe_survives_json_and_pickle() -> None:
    recipe = Recipe(**OTHER)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert {each.name for each in fields(Recipe)} == OTHER.keys()


@pytest.mark.parametrize("name", OTHER)
def test_recipes_that_differ_in_one_field_are_told_apart(name: str) -> None:
    assert Recipe(**{name: OTHER[name]}) != Recipe()
    assert Recipe(**{name: OTHER[name]}).to_json() != Recipe().to_json()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, "epochs: 0 is below 1"),
        ("batch_size", 1, "batch_size: 1 is below 2"),
        ("learning_rate", -0.1, "learning_rate: -0.1 is not a number of at least 0"),
        ("learning_rate", math.nan, "learning_rate: nan is not a number of at least 0"),
        ("learning_rate", math.inf, "learning_rate: inf is not a number of at least 0"),
        ("weight_decay", -1.0, "weight_decay: -1.0 is not a number of at least 0"),
        ("warmup_epochs", -1.0, "warmup_epochs: -1.0 is not a number of at least 0"),
        ("momentum", 1.0, "momentum: 1.0 is not at least 0 and below 1"),
        ("label_smoothing", 1.0, "label_smoothing: 1.0 is not at least 0 and below 1"),
        (
            "balance",
            "weight",
            "balance: unknown balance 'weight' (did you mean 'weights'?); known are none, weights, sampling",
        ),
        ("balance", [], "balance: unknown balance []; known are none, weights, sampling"),
        ("precision", "half", "precision: unknown precision 'half'; known are auto, float32, bfloat16"),
        (
            "memory_format",
            "channel_last",
            "memory_format: unknown memory_format 'channel_last' (did you mean 'channels_last'?); "
            "known are auto, channels_first, channels_last",
        ),
        ("monte_carlo", -1, "monte_carlo: -1 is not a whole number from 0 to 1000"),
        ("monte_carlo", 1001, "monte_carlo: 1001 is not a whole number from 0 to 1000"),
        ("monte_carlo", 2.0, "monte_carlo: 2.0 is not a whole number from 0 to 1000"),
        ("monte_carlo", True, "monte_carlo: True is not a whole number from 0 to 1000"),
        ("monte_carlo", "2", "monte_carlo: '2' is not a whole number from 0 to 1000"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_name(field: str, value: object, message: str) -> None:
    with pytest.raises(InputError) as refused:
        Recipe(**{field: value})  # type: ignore[arg-type]
    assert str(refused.value) == message


def test_what_needs_nothing_may_be_zero() -> None:
    nothing = dict.fromkeys(("learning_rate", "momentum", "weight_decay", "warmup_epochs", "label_smoothing"), 0)
    assert Recipe(**nothing).to_json().items() >= nothing.items()


def test_dropout_is_off_at_evaluation_unless_passes_are_asked_for() -> None:
    assert Recipe().monte_carlo == 0
    assert [Recipe(monte_carlo=passes).monte_carlo for passes in (1, 1000)] == [1, 1000]


def test_every_named_precision_and_layout_is_taken() -> None:
    for precision in PRECISIONS:
        for memory_format in MEMORY_FORMATS:
            made = Recipe(precision=precision, memory_format=memory_format)
            assert (made.precision, made.memory_format) == (precision, memory_format)


# What a trial chooses of it


def test_a_trials_values_name_network_and_recipe_together_and_no_name_is_both() -> None:
    assert not {*SEARCHED} & {*PARAMETERS}
    assert {*SEARCHED} <= {each.name for each in fields(Recipe)} - {"epochs", "precision", "memory_format"}


def test_a_trial_is_trained_with_what_it_chose() -> None:
    params = {"block": "basic", "learning_rate": 0.3, "batch_size": 32}
    assert Recipe(momentum=0.8).chosen(params) == Recipe(momentum=0.8, learning_rate=0.3, batch_size=32)
    assert Recipe(momentum=0.8).chosen({"block": "basic"}) == Recipe(momentum=0.8)
    assert chosen(params) == {"learning_rate": 0.3, "batch_size": 32}


def test_equal_networks_with_equal_recipes_are_one_whatever_stands_beside_them() -> None:
    assert identity("0a", {"block": "basic"}) == "0a"
    one = identity("0a", {"learning_rate": 1, "batch_size": 32, "depth": 1})
    assert identity("0a", {"batch_size": 32.0, "learning_rate": 1.0, "depth": 2}) == one
    others = [("0b", {"learning_rate": 1, "batch_size": 32}), ("0a", {"learning_rate": 1}), ("0a", {"batch_size": 32})]
    assert len({one, *(identity(digest, params) for digest, params in others)}) == 4


def test_an_identity_survives_the_database_to_the_last_digit() -> None:
    params = {"learning_rate": 0.1 + 0.2}
    assert (
        identity("0a", json.loads(json.dumps(params)))
        == identity("0a", params)
        != identity("0a", {"learning_rate": 0.3})
    )
