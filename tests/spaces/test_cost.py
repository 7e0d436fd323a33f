"""Test `spaces.cost`."""

from dataclasses import FrozenInstanceError

import pytest

from spaces.cost import Cost

ONE = Cost(params=1, macs=20, activations=300, weight_bytes=4000)
OTHER = Cost(params=5, macs=6, activations=7, weight_bytes=8)


def test_costs_add_field_by_field() -> None:
    together = ONE + OTHER
    assert together == Cost(params=6, macs=26, activations=307, weight_bytes=4008)


def test_a_cost_is_plain_numbers_in_json() -> None:
    assert ONE.to_json() == {"params": 1, "macs": 20, "activations": 300, "weight_bytes": 4000}


def test_json_is_enough_to_have_the_cost_back() -> None:
    assert Cost(**ONE.to_json()) == ONE


def test_a_cost_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ONE.params = 2  # type: ignore[misc]
