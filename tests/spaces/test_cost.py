"""Test `spaces.cost`."""

from dataclasses import FrozenInstanceError

import pytest

from spaces.cost import NAMES, Cost, sum_costs

ONE = Cost(params=1, macs=20, activations=300, weight_bytes=4000, training_bytes=50000)
OTHER = Cost(params=5, macs=6, activations=7, weight_bytes=8, training_bytes=9)


def test_costs_add_field_by_field() -> None:
    expected = Cost(params=6, macs=26, activations=307, weight_bytes=4008, training_bytes=50009)
    assert sum_costs(cost for cost in (ONE, OTHER)) == expected
    assert sum_costs([ONE]) == ONE


def test_nothing_costs_nothing() -> None:
    assert sum_costs([]) == Cost(params=0, macs=0, activations=0, weight_bytes=0, training_bytes=0)


def test_a_cost_is_plain_numbers_in_json() -> None:
    assert ONE.to_json() == {
        "params": 1, "macs": 20, "activations": 300, "weight_bytes": 4000, "training_bytes": 50000,
    }  # fmt: skip
    assert tuple(ONE.to_json()) == NAMES


def test_json_is_enough_to_have_the_cost_back() -> None:
    assert Cost(**ONE.to_json()) == ONE


def test_a_cost_from_before_training_was_counted_can_be_read() -> None:
    assert Cost(params=1, macs=20, activations=300, weight_bytes=4000).training_bytes == 0


def test_a_cost_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ONE.params = 2  # type: ignore[misc]
