"""A data set is loaded once for all trials, and there as long as one uses it."""

import pytest
import torch

from spaces.errors import InputError
from tests.workers.test_trainer import toy
from workers.datasets import Dataset
from workers.engine.shelf import Shelf
from workers.sources import DataSpec

DIGITS, FEW = DataSpec(name="digits"), DataSpec(name="digits", limit=100)


def counting(loaded: list[DataSpec]) -> Shelf:
    def load(spec: DataSpec, _device: torch.device) -> Dataset:
        loaded.append(spec)
        return toy()

    return Shelf(torch.device("cpu"), load)


def test_trials_share_what_is_loaded_and_the_next_one_finds_it() -> None:
    loaded: list[DataSpec] = []
    shelf = counting(loaded)
    first = shelf.take(DIGITS, "a")
    assert shelf.take(DIGITS, "b") is first
    for user in "ab":
        shelf.give_back(user)
    assert shelf.take(DIGITS, "c") is first
    assert loaded == [DIGITS]


def test_what_nobody_uses_goes_as_another_is_loaded_and_what_somebody_uses_stays() -> None:
    loaded: list[DataSpec] = []
    shelf = counting(loaded)
    shelf.take(DIGITS, "a")
    shelf.take(FEW, "b")
    shelf.give_back("b")
    shelf.take(DIGITS, "c")
    assert loaded == [DIGITS, FEW]
    for user in "ac":
        shelf.give_back(user)
    shelf.take(FEW, "d")
    shelf.take(DataSpec(name="digits", limit=50), "e")
    shelf.take(DIGITS, "f")
    assert loaded == [DIGITS, FEW, DataSpec(name="digits", limit=50), DIGITS]


def test_what_cannot_be_loaded_is_tried_again_for_the_next() -> None:
    def refuse(spec: DataSpec, _device: torch.device) -> Dataset:
        tried.append(spec)
        raise InputError("is away")

    tried: list[DataSpec] = []
    shelf = Shelf(torch.device("cpu"), refuse)
    for user in "ab":
        with pytest.raises(InputError):
            shelf.take(DIGITS, user)
    assert len(tried) == 2
