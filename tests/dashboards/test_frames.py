"""A study is read whole, and what was searched is told as its file has it."""

import math
from dataclasses import dataclass, field, replace

import pytest

from dashboards.frames import StudyView, domain_word
from search.core.records import State, StudyRecord, TrialRecord
from search.core.units import value_text
from spaces.errors import InputError
from tests import factories


@dataclass
class Shelf:
    """Stand in for the database."""

    held: list[StudyRecord] = field(default_factory=list)
    shown_url: str = "sqlite:///shelf.db"

    def studies(self):  # type: ignore[no-untyped-def]
        return self.held

    def trials(self, study: str) -> list[TrialRecord]:
        return [factories.trial(len(study))]

    def rejections(self, study: str) -> list[str]:
        return [f"rejection of {study}"]

    def sessions(self, study: str) -> list[str]:
        return [f"session of {study}"]


def test_a_view_holds_everything_of_the_named_study() -> None:
    shelf = Shelf([factories.study(name="a"), factories.study(name="b")])
    view = StudyView.read(shelf, "b")
    assert view.study.name == "b"
    assert (view.trials, view.rejections, view.sessions) == (
        (factories.trial(1),),
        ("rejection of b",),
        ("session of b",),
    )


def test_the_only_study_needs_no_name() -> None:
    assert StudyView.read(Shelf([factories.study(name="alone")])).study.name == "alone"


def test_an_unknown_study_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"^--study: unknown study 'c'; known are b, a$"):
        StudyView.read(Shelf([factories.study(name="b"), factories.study(name="a")]), "c")


def test_one_of_several_studies_must_be_named() -> None:
    with pytest.raises(InputError, match=r"^--study: name one of b, a$"):
        StudyView.read(Shelf([factories.study(name="b"), factories.study(name="a")]))


@pytest.mark.parametrize("name", [None, "a"])
def test_an_empty_database_says_so(name: str | None) -> None:
    with pytest.raises(InputError, match=r"^there is no study in sqlite:///shelf\.db$"):
        StudyView.read(Shelf(), name)


def test_a_trial_without_a_finite_objective_is_not_measured() -> None:
    broken = factories.complete(2, (0.5,))
    broken = replace(broken, measurements=(broken.measurements[0].showing(accuracy=math.nan),))
    view = StudyView(
        study=factories.study(),
        trials=(factories.complete(0, (0.5,)), factories.complete(1), broken),
    )
    assert [trial.number for trial in view.complete] == [0]
    assert [trial.number for trial in view.front] == [0]


def test_only_trials_at_full_fidelity_are_on_the_front() -> None:
    trials = (
        factories.complete(0, (0.8,), macs=100_000),
        factories.complete(1, (0.9,), macs=200_000),
        factories.complete(2, (0.7,), macs=300_000),  # dominated
        factories.trial(3, (0.99,), macs=100_000, state=State.STOPPED),
    )
    view = StudyView(study=factories.study(), trials=trials)
    assert [trial.number for trial in view.front] == [0, 1]
    assert view.count(State.STOPPED) == 1


def test_fixed_values_are_not_searched() -> None:
    space = {"block": {"choice": ["basic"]}, "widths": [16, 32, 64], "stem": "small", "depth": {"int": [1, 4]}}
    assert StudyView(study=factories.study(space=space)).searched() == ["block", "depth"]


def test_without_a_space_the_trials_say_what_was_searched() -> None:
    trials = (
        factories.complete(0, params={"block": "basic"}),
        factories.complete(1, params={"block": "basic", "depth": 2}),
    )
    assert StudyView(study=factories.study(space={}), trials=trials).searched() == ["block", "depth"]


def test_options_follow_the_file_and_leave_out_what_no_trial_took() -> None:
    trials = (
        factories.complete(0, params={"block": "preact", "depth": 3}),
        factories.complete(1, params={"block": "basic", "depth": 1}),
        factories.complete(2, params={"block": "preact"}),
    )
    view = StudyView(study=factories.study(), trials=trials)
    assert view.options("block") == ["basic", "preact"]
    assert view.options("depth") == [1, 3]
    assert view.options("nothing") == []


@pytest.mark.parametrize(
    ("domain", "word"), [({"choice": [1]}, "choice"), ({"float": [0, 1]}, "float"), ({"a": 1}, ""), ("small", "")]
)
def test_a_domain_is_told_from_a_fixed_value(domain: object, word: str) -> None:
    assert domain_word(domain) == word


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.5"), (1 / 3, "0.3333"), (2, "2"), ("none", "none")])
def test_a_value_reads_as_it_was_written(value: object, text: str) -> None:
    assert value_text(value) == text


def test_what_is_searched_of_the_recipe_stands_behind_the_network() -> None:
    recipe = {"learning_rate": {"float": [0.02, 0.4], "log": True}, "batch_size": {"choice": [64, 32]}, "momentum": 0.9}
    study = factories.study(config={"recipe": recipe})
    trials = (factories.trial(0, params={"depth": 1, "batch_size": 32, "learning_rate": 0.1}),
              factories.trial(1, params={"depth": 2, "batch_size": 64, "learning_rate": 0.05}))  # fmt: skip
    view = StudyView(study=study, trials=trials)
    assert view.searched() == ["block", "depth", "learning_rate", "batch_size"]
    assert view.options("batch_size") == [64, 32]
    assert view.options("learning_rate") == [0.05, 0.1]
