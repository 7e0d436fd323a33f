"""What a value buys is told at equal cost, so that size is taken out."""

from typing import Any

import pytest

from search.core.marginals import marginals
from search.core.records import State, TrialRecord
from tests.factories import complete, study, trial

SPACE = {"block": {"choice": ["basic", "bottleneck"]}, "rate": {"float": [0.0, 1.0]}}
STUDY = study(space=SPACE)


def two(cost: int, best: float, worse: float, number: int) -> list[TrialRecord]:
    """Return two networks of one cost, of which the basic one is the better."""
    return [
        complete(number, [best], macs=cost, params={"block": "basic"}),
        complete(number + 1, [worse], macs=cost, params={"block": "bottleneck"}),
    ]


def rows(trials: list[TrialRecord]) -> dict[tuple[str, str], Any]:
    _, found = marginals(STUDY, trials)
    return {(row["axis"], row["value"]): row for row in found}


def test_a_value_that_doubles_the_error_at_every_cost_is_told_so() -> None:
    found = rows([*two(100, 0.8, 0.6, 0), *two(1000, 0.9, 0.8, 2), *two(10_000, 0.95, 0.9, 4)])
    assert found["block", "basic"]["excess"] == pytest.approx(1)
    assert found["block", "bottleneck"]["excess"] == pytest.approx(2)
    assert found["block", "basic"]["effect"] == pytest.approx(0.5)
    assert (found["block", "basic"]["trials"], found["block", "basic"]["others"]) == (3, 3)


def test_what_was_stopped_counts_as_proposed_alone() -> None:
    stopped = trial(8, [0.1], macs=100, params={"block": "basic"}, state=State.STOPPED)
    found = rows([*two(100, 0.8, 0.6, 0), stopped])
    assert (found["block", "basic"]["trials"], found["block", "basic"]["proposed"]) == (1, 2)
    assert found["block", "basic"]["low"] is None  # of one trial nobody knows


def test_many_numbers_are_told_in_thirds_and_each_trial_once() -> None:
    trials = [complete(each, [0.5 + each / 100], macs=100, params={"rate": each / 9}) for each in range(9)]
    found = [row for (axis, _), row in rows(trials).items() if axis == "rate"]
    assert [row["trials"] for row in found] == [3, 3, 3]
    assert found[0]["value"] == "0 to 0.2222"


def test_an_axis_of_one_value_is_not_told() -> None:
    assert rows([complete(each, [0.5], macs=100, params={"block": "basic"}) for each in range(3)]) == {}


def test_without_trials_there_is_nothing_and_news_are_another_question() -> None:
    nothing, found = marginals(STUDY, [])
    assert found == ()
    keys = {nothing.key, *(marginals(STUDY, two(100, 0.8, worse, 0))[0].key for worse in (0.6, 0.7))}
    assert len(keys) == 3
