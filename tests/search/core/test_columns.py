"""What there is to show of a trial is one list: a table, the page, a point's text, JSON and CSV show it alike."""

import json
import math
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from dashboards import front, sections
from dashboards.frames import StudyView
from search.core import columns as registry
from search.core.columns import (
    CHOICES,
    Column,
    View,
    architecture_line,
    columns,
    lines_of,
    row_of,
    shown_value,
    standard_error,
)
from search.core.records import State, StudyRecord, TrialRecord
from search.core.terminal import front_table
from spaces.architecture import Architecture
from spaces.cost import NAMES
from tests import factories
from workers.objectives import OBJECTIVES

MakeStudy = Callable[..., StudyRecord]
MakeTrial = Callable[..., TrialRecord]

RESNEXT = Architecture(block="resnext", depths=(2, 2, 2), cardinality=8, widening_factor=0.5)


@pytest.mark.parametrize(
    ("architecture", "choices"),
    [
        (Architecture(), {"block": "basic", "depth": "1", "k": "1", "C": "-", "dropout": "none"}),
        (RESNEXT, {"block": "resnext", "depth": "2", "k": "0.5", "C": "8", "dropout": "none"}),
        (
            Architecture(depths=(1, 2, 1), dropout="between", dropout_rate=0.333),
            {"block": "basic", "depth": "1-2-1", "k": "1", "C": "-", "dropout": "between 0.33"},
        ),
    ],
)
def test_the_five_choices_are_told_with_a_dash_where_one_does_not_apply(
    make_study: MakeStudy, make_trial: MakeTrial, architecture: Architecture, choices: dict[str, str]
) -> None:
    trial = make_trial(architecture=architecture)
    assert {choice.name: choice.shown(make_study(), trial) for choice in CHOICES} == choices


def test_a_row_holds_everything_as_plain_values(make_study: MakeStudy, make_trial: MakeTrial) -> None:
    params = {"block": "resnext", "depth": 2, "cardinality": 8}
    trial = make_trial(7, accuracies=(0.5, 0.75), architecture=RESNEXT, params=params, state=State.STOPPED)
    row = row_of(make_study(), trial)
    assert json.loads(json.dumps(row)) == {
        "trial": 7,
        "name": "resnext-2x0.5-C8",
        "state": "stopped",
        "outside": None,
        "epochs": 2,
        "accuracy": 0.75,
        "macs": 10_007,
        "params": 1_007,
        "activations": 507,
        "weight_bytes": 4_007,
        "training_bytes": 0,
        "choice_block": "resnext",
        "choice_depth": 2,
        "choice_cardinality": 8,
        "digest": RESNEXT.digest,
        "architecture": RESNEXT.to_json(),
    }
    assert Architecture.from_json(row["architecture"]) == RESNEXT
    assert row.keys() - row_of(make_study(), trial, View.CSV).keys() == {"architecture"}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.98617, "98.62 %"),
        ("loss", 0.12345, "0.1235"),
        ("macs", 763_520.0, "764k"),
        ("params", 77_562.0, "77.6k"),
    ],
)
def test_a_value_is_shown_in_its_own_manner(name: str, value: float, text: str) -> None:
    assert shown_value(OBJECTIVES[name], value) == text


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_shown_so_that_three_digits_can_be_read_back(name: str) -> None:
    scales = {"%": 0.01, "k": 1e3, "M": 1e6, "G": 1e9}
    for value in (0.123, 0.5, 0.987) if OBJECTIVES[name].unit == "fraction" else (0.5, 7.25, 1234.0, 5.67e6, 8.9e9):
        digits, unit = re.fullmatch(r"([\d.]+) ?(\D?)", shown_value(OBJECTIVES[name], value)).groups()  # type: ignore[union-attr]
        assert float(digits) * scales.get(unit, 1.0) == pytest.approx(value, rel=5e-3)
        assert (unit == "%") == (OBJECTIVES[name].unit == "fraction")


def shown_everywhere(view: StudyView) -> dict[str, str]:
    """Return what each of the four views shows of a study's front."""
    console = Console(width=200)
    with console.capture() as table:
        console.print(front_table(view.study, view.front, width=200))
    return {
        "terminal": table.get(),
        "rows": json.dumps([row_of(view.study, trial) for trial in view.front]),
        "page": sections.found(view)[0],
        "over a point": "\n".join(line for point in front.info(view).front for line in point.lines),
    }


def test_a_column_that_is_added_is_shown_in_all_four_views(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Column(name="mac_share", value=lambda _, trial: trial.cost.macs / 4e6, text=lambda share: f"<{share:.3f}>")
    trials = (factories.complete(0, (0.9,), macs=1_000_000), factories.complete(1, (0.95,), macs=3_000_000))
    view = StudyView(study=factories.study(), trials=trials)
    before = shown_everywhere(view)
    monkeypatch.setattr(registry, "COLUMNS", [*registry.COLUMNS, own])
    after = shown_everywhere(view)
    assert not any("mac_share" in each for each in before.values())
    assert "mac_share" in after["terminal"].splitlines()[1]
    assert [line.split()[-1] for line in after["terminal"].splitlines() if ">" in line] == ["<0.250>", "<0.750>"]
    assert [row["mac_share"] for row in json.loads(after["rows"])] == [0.25, 0.75]
    assert "<button type=button>mac_share</button>" in after["page"]
    assert re.findall(r'data-key="([^"]+)">&lt;', after["page"]) == ["0.25", "0.75"]
    assert [line for line in after["over a point"].splitlines() if "<" in line] == [
        "mac_share <0.250>", "mac_share <0.750>",
    ]  # fmt: skip


def test_a_column_of_one_view_is_in_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    view = StudyView(study=factories.study(), trials=(factories.complete(0, (0.9,)),))
    for only, place in (
        (View.TERMINAL, "terminal"),
        (View.JSON, "rows"),
        (View.PAGE, "page"),
        (View.HOVER, "over a point"),
    ):
        own = Column(name="its_own", value=lambda _, trial: trial.seed, views=only)
        with monkeypatch.context() as patch:
            patch.setattr(registry, "COLUMNS", [*registry.COLUMNS, own])
            assert [name for name, text in shown_everywhere(view).items() if "its_own" in text] == [place]


def test_what_does_not_apply_is_a_dash_in_tables_null_in_json_and_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Column(name="teacher", value=lambda _study, _trial: None)
    monkeypatch.setattr(registry, "COLUMNS", [*registry.COLUMNS, own])
    study, trial = factories.study(), factories.complete(0, (0.5,))
    assert (own.shown(study, trial), own.key(study, trial)) == ("-", "")
    assert row_of(study, trial)["teacher"] is None
    assert not any("teacher" in line for line in lines_of(study, trial))


def test_a_value_that_is_no_number_sorts_like_one_that_nobody_knows() -> None:
    own = Column(name="loss", value=lambda _study, _trial: math.nan)
    assert own.key(factories.study(), factories.trial()) == ""


@pytest.mark.parametrize("view", [View.TERMINAL, View.PAGE, View.JSON, View.CSV])
@pytest.mark.parametrize("objectives", [("accuracy", "macs"), ("loss", "params", "activations"), tuple(OBJECTIVES)])
def test_objectives_stand_together_in_the_order_of_the_study(view: View, objectives: tuple[str, ...]) -> None:
    names = [column.name for column in columns(factories.study(objectives=objectives), view)]
    first = names.index(objectives[0])
    assert tuple(names[first : first + len(objectives)]) == objectives
    assert len(set(names)) == len(names)


def test_json_has_every_cost() -> None:
    study, trial = factories.study(objectives=("accuracy",)), factories.trial()
    assert {name: row_of(study, trial)[name] for name in NAMES} == trial.cost.to_json()


def test_the_page_shows_how_good_a_network_is_whatever_the_objectives_are() -> None:
    shown = {column.name: column for column in columns(factories.study(objectives=("loss", "macs")), View.PAGE)}
    assert (shown["accuracy"].heading, shown["accuracy"].note) == ("accuracy", "validation accuracy")
    assert (shown["loss"].heading, shown["loss"].note) == ("validation loss", "nats")


def test_an_architecture_reads_in_one_line() -> None:
    params = {"block": "resnext", "depth": 2, "widening_factor": 4, "cardinality": 8}
    params |= {"dropout": "between", "dropout_rate": 0.2}
    chosen = factories.complete(0, params=params, architecture=factories.built(params))
    assert architecture_line(factories.study(), chosen) == "resnext, depth 2, k = 4, C = 8, dropout between 0.20"
    assert architecture_line(factories.study(), factories.complete(0)) == "basic, depth 1, k = 1, dropout none"


@pytest.mark.parametrize("objectives", [("accuracy", "macs"), ("loss", "activations", "macs")])
def test_a_trial_says_its_epochs_accuracy_and_costs(objectives: tuple[str, ...]) -> None:
    study = factories.study(objectives=objectives)
    assert lines_of(study, factories.complete(7, (0.5, 0.9861), macs=4_000_000)) == (
        "trial 7, complete, 2 of 9 epochs",
        "basic, depth 4, k = 1, dropout none",
        "validation accuracy 98.61 %",
        "100k params, 4.00M macs",
        "40.0k activations",
    )
    assert "validation accuracy –" in lines_of(study, factories.complete(8))  # noqa: RUF001


def test_the_error_of_a_share_is_that_of_so_many_images() -> None:
    assert standard_error(OBJECTIVES["accuracy"], 0.9889, 451) == pytest.approx(0.00493, abs=1e-5)
    assert standard_error(OBJECTIVES["accuracy"], 1.0, 451) == pytest.approx(1 / 451, rel=0.01)  # not as sure as that


@pytest.mark.parametrize(
    ("name", "value", "images"),
    [
        ("accuracy", 0.9, None),
        ("accuracy", 0.9, 1),
        ("accuracy", math.nan, 100),
        ("macro_f1", 0.9, 100),
        ("macs", 1e6, 100),
    ],
)
def test_nothing_is_said_of_an_error_that_nobody_knows(name: str, value: float, images: int | None) -> None:
    assert math.isnan(standard_error(OBJECTIVES[name], value, images))
