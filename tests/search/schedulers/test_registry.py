"""Names, keys and what reads them come from one place."""

import pytest

from search.schedulers.base import keys
from search.schedulers.registry import ALIASES, SCHEDULERS, names, readers, scheduler_class
from spaces.errors import InputError


def test_auto_is_another_name_of_the_default() -> None:
    assert scheduler_class("auto") is scheduler_class(ALIASES["auto"])
    assert names()[0] == "auto"


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown scheduler 'pareto_asha' \(did you mean 'pareto-asha'\?\)") as caught:
        scheduler_class("pareto_asha")
    assert caught.value.place == "scheduler.name"


def test_every_key_has_its_readers() -> None:
    assert readers("share") == ["gain"]
    assert readers("keep") == ["pareto-asha", "asha"]
    assert readers("max_epochs") == list(SCHEDULERS)
    assert readers("nothing") == []


def test_options_of_one_name_mean_the_same_to_all() -> None:
    """The file's form has each key once, so its bounds and its default are those of every scheduler that reads it."""
    found: dict[str, object] = {}
    for each in SCHEDULERS.values():
        defaults = each.options_class()
        for key in keys(each.options_class):
            assert found.setdefault(key, getattr(defaults, key)) == getattr(defaults, key)
