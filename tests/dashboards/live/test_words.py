"""Every kind of event is a sentence, and one that another version knows is told in its own words."""

import pytest

from dashboards.live.words import sentence
from search.core.records import Event, EventKind
from tests import factories

STUDY = factories.study()
TRIAL = factories.complete(18, [0.9] * 8 + [0.982])


def said(kind: str, text: str = "", trial: int | None = 18) -> str:
    return sentence(STUDY, Event(at=factories.STARTED, kind=kind, text=text, trial=trial), TRIAL if trial else None)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("begun", "", "has begun"),
        ("measured", "epoch 9", "after epoch 9 of 9 came to 98.20 %"),
        ("measured", "epoch 12", "after epoch 12 of 9"),
        ("rested", "at epoch 3", "is paused after epoch 3"),
        ("promoted", "from epoch 3", "goes on from epoch 3"),
        ("paused", "at epoch 3: the budget is spent", "waits for more budget at epoch 3"),
        ("complete", "", "is fully trained (9 epochs): validation accuracy 98.20 %"),
        ("stopped", "epoch 3: rank 2 of 3", "was stopped: epoch 3: rank 2 of 3"),
        ("failed", "out-of-memory: 3 GB", "failed: out-of-memory: 3 GB"),
        ("front", "7 networks", "is on the Pareto front, now of 7 networks"),
        ("of another version", "whatever", "of another version whatever"),
    ],
)
def test_what_happened_to_a_trial(kind: str, text: str, expected: str) -> None:
    assert said(kind, text) == f"trial 18, basic-3x1, {expected}"


def test_what_is_of_no_trial_names_none() -> None:
    assert said("planned", "273 epochs", None) == "273 epochs are planned"
    assert said("launched", "process 7 on here", None) == "launched (process 7 on here)"


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_has_words_of_its_own(kind: EventKind) -> None:
    assert said(kind, "1 epoch").removeprefix("trial 18, basic-3x1, ") != f"{kind} 1 epoch"
    assert said(kind)  # whatever is missing in it
