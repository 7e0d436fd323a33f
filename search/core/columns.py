"""What there is to show of a trial, in one list: tables, JSON, CSV and the text over a point are made of it.

A new column is one entry in `COLUMNS`.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Flag, auto
from functools import partial
from typing import Any

from search.core.labels import depth_of, name_of
from search.core.records import StudyRecord, TrialRecord
from search.core.units import format_count, format_number_of, format_percent, format_share, value_text
from spaces.cost import NAMES
from spaces.kinds import KINDS
from workers.objectives import OBJECTIVES, Objective
from workers.recipe import chosen

COUNTED = ("accuracy", "top5_accuracy")  # shares of the validation images that are told right
NOTHING = "-"  # where a column does not apply to a trial


class View(Flag):
    """Where a column is shown."""

    TERMINAL = auto()
    PAGE = auto()  # the report's table
    HOVER = auto()  # what a figure says of a point
    JSON = auto()
    CSV = auto()
    TABLES = TERMINAL | PAGE
    DATA = JSON | CSV
    ALL = TABLES | HOVER | DATA


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One thing to show of a trial."""

    name: str  # its heading, and its key
    value: Callable[[StudyRecord, TrialRecord], Any]  # plain, as JSON has it and tables sort by; None: does not apply
    text: Callable[[Any], str] = str  # a value as people read it
    title: str = ""  # its heading on the page, where that is longer
    note: str = ""  # what it means, or its unit
    cell: Callable[[TrialRecord, Any], str] | None = None  # the text, where a value alone does not make it
    nothing: str = NOTHING  # where it does not apply
    optional: bool = False  # left out of tables where it applies to no trial
    numeric: bool = True
    views: View = View.ALL
    stays: float = 0  # where a terminal is narrow, what has least is left out first, what has as much with it
    told: str = "{heading} {text}"  # a line over a point
    joined: bool = False  # to the line before
    spread: bool = False  # a mapping, whose names are each a key of its own in JSON and CSV

    @property
    def heading(self) -> str:
        """Return what stands above it on the page."""
        return self.title or self.name

    def shown(self, study: StudyRecord, trial: TrialRecord) -> str:
        """Return the text of its cell."""
        value = self.value(study, trial)
        return self.nothing if value is None else self.said(trial, value)

    def said(self, trial: TrialRecord, value: Any) -> str:
        """Return the text of a value that applies."""
        return self.cell(trial, value) if self.cell else self.text(value)

    def key(self, study: StudyRecord, trial: TrialRecord) -> Any:
        """Return what its cell is sorted by; what is not known comes first."""
        value = self.value(study, trial)
        return "" if value is None or value != value else value

    def items(self, study: StudyRecord, trial: TrialRecord) -> dict[str, Any]:
        """Return what it is in JSON and CSV."""
        value = self.value(study, trial)
        if self.spread:
            return {f"{self.name}_{name}": each for name, each in value.items()}
        return {self.name: None if value != value else value}  # JSON knows no NaN

    def only(self, views: View) -> "Column":
        """Return it for some views, where another place is another view's."""
        return replace(self, views=views)


def columns(study: StudyRecord, view: View) -> list[Column]:
    """Return what a view shows of a study's trials, in order.

    Objectives stand together, in the study's order, and stay where a terminal is narrow; one that has an entry of its
    own looks as that says.
    """
    entries = (entry(study) if callable(entry) else (entry,) for entry in COLUMNS)
    shown = {each.name: each for several in entries for each in several if view in each.views}
    return [replace(each, stays=math.inf) if name in study.objectives else each for name, each in shown.items()]


def filled(shown: Iterable[Column], study: StudyRecord, trials: Iterable[TrialRecord]) -> list[Column]:
    """Return the columns without those that are optional and apply to none of the trials."""
    trials = list(trials)
    return [
        each for each in shown if not each.optional or any(each.value(study, trial) is not None for trial in trials)
    ]


def row_of(study: StudyRecord, trial: TrialRecord, view: View = View.JSON) -> dict[str, Any]:
    """Return everything about a trial at its latest epoch as plain values."""
    return {name: value for column in columns(study, view) for name, value in column.items(study, trial).items()}


def lines_of(study: StudyRecord, trial: TrialRecord) -> tuple[str, ...]:
    """Return what a person wants to know of a trial, a line each."""
    return _lines(columns(study, View.HOVER), study, trial)


def architecture_line(study: StudyRecord, trial: TrialRecord) -> str:
    """Return one line: `resnext, depth 2, k = 4, C = 8, dropout between 0.20`."""
    return "".join(_lines((*_choices(study), _RECIPE), study, trial))


def _lines(said: Iterable[Column], study: StudyRecord, trial: TrialRecord) -> tuple[str, ...]:
    lines: list[str] = []
    for column in said:
        value = column.value(study, trial)
        if value is None:
            continue
        phrase = column.told.format(heading=column.heading, text=column.said(trial, value))
        if column.joined and lines:
            phrase = f"{lines.pop()}, {phrase}"
        lines.append(phrase)
    return tuple(lines)


def shown_value(objective: Objective, value: float) -> str:
    """Return an objective's value in its own manner."""
    if objective.unit == "fraction":
        return format_percent(value)
    return format_count(value) if objective.counts or objective.unit == "bytes" else f"{value:.4f}"


def _objectives(study: StudyRecord) -> Iterator[Column]:
    return (_objective(study, study.objective(name)) for name in study.objectives)


def _objective(study: StudyRecord, objective: Objective) -> Column:
    return Column(
        name=objective.name, title=objective.title, note=objective.unit,
        value=lambda _study, trial: objective.value(trial.cost, trial.found),
        cell=lambda trial, _value: shown_sure(study, objective, trial),
        views=View.TABLES | View.DATA,
    )  # fmt: skip


def shown_mean(objective: Objective, trial: TrialRecord) -> str:
    """Return a network's value; of a mean over seeds with half of its interval, `98.45 ± 0.31 %`."""
    known = trial.confirmation and trial.confirmation.intervals.get(objective.name)
    shown = shown_value(objective, objective.value(trial.cost, trial.found))
    if not known or math.isnan(known.low):
        return shown
    half = shown_value(objective, max(known.high - known.mean, known.mean - known.low))
    number, space, unit = shown.partition(" ")
    return f"{number} ± {half}" if half.endswith(f"{space}{unit}") else f"{shown} ± {half}"


def standard_error(objective: Objective, value: float, images: int | None) -> float:
    """Return the standard error of a share of so many images, or NaN where it is no such share, or nobody counted.

    By the root of `p (1 - p) / n`; a share of none or all is as unsure as if one image were otherwise.
    """
    if objective.name not in COUNTED or not images or images < 2 or math.isnan(value):
        return math.nan
    share = min(max(value, 1 / images), 1 - 1 / images)
    return math.sqrt(share * (1 - share) / images)


def shown_sure(study: StudyRecord, objective: Objective, trial: TrialRecord) -> str:
    """Return a network's value in as many digits as its error leaves: `98.9 ± 0.5 %`.

    The error is half of the interval of a mean over seeds, and of one run the standard error by the study's images.
    """
    value = objective.value(trial.cost, trial.found)
    known = trial.confirmation and trial.confirmation.intervals.get(objective.name)
    if not objective.is_rate:
        return shown_mean(objective, trial)
    if known:
        return format_share(value, max(known.high - known.mean, known.mean - known.low))
    return format_share(value, standard_error(objective, value, study.validation_images))


def _confirmed(trial: TrialRecord) -> dict[str, Any]:
    """Return what seeds tell of a network as plain values; nothing where it was not confirmed."""
    known = trial.confirmation
    if known is None:
        return {}
    told: dict[str, Any] = {"seeds": known.seeds, "failed": known.failed, "on_front": known.on_front}
    for kind, intervals in (("", known.intervals), ("test_", known.test)):
        for name, each in intervals.items():
            told |= {f"{kind}{name}": each.mean, f"{kind}{name}_low": each.low, f"{kind}{name}_high": each.high}
    told |= {"test_looks": known.looks} if known.looks else {}
    told |= {f"{name}_deviation": value for name, value in known.deviations.items()}
    return {name: None if value != value else value for name, value in told.items()}


def _headline(study: StudyRecord) -> Iterator[Column]:
    """Yield how good a network is, whatever the objectives are."""
    headline = OBJECTIVES[study.task.headline]
    yield replace(
        _objective(study, headline),
        title="", note=headline.title, told=f"{headline.title} {{text}}", views=View.PAGE | View.HOVER,
    )  # fmt: skip


def _cost(name: str, note: str = "", **others: Any) -> Column:
    return Column(
        name=name, note=note, value=lambda _study, trial: getattr(trial.cost, name), text=format_count,
        told="{text} {heading}", **others,
    )  # fmt: skip


def _grouped(trial: TrialRecord) -> bool:
    return KINDS[trial.architecture.block].grouped


def _dropout(_study: StudyRecord, trial: TrialRecord) -> str:
    where, rate = trial.architecture.dropout, trial.architecture.dropout_rate
    return where if where == "none" else f"{where} {rate:.2f}"


def _recipe(_study: StudyRecord, trial: TrialRecord) -> str | None:
    return ", ".join(f"{name} {value_text(value)}" for name, value in chosen(trial.params).items()) or None


def _on_front(trial: TrialRecord) -> float | None:
    known = trial.confirmation
    return None if known is None or math.isnan(known.on_front) else known.on_front


def _test(study: StudyRecord, trial: TrialRecord) -> float | None:
    found = trial.confirmation and trial.confirmation.test.get(study.task.headline)
    return found.mean if found else None


def _reached(study: StudyRecord, trial: TrialRecord) -> str:
    return f"{trial.epochs} of {format_number_of('epoch', study.max_epochs)}"


_EPOCHS = Column(name="epochs", value=lambda _, trial: trial.epochs, stays=3)
_PARAMS = _cost("params", "trainable parameters", stays=4)
_NAMED = ("params", "macs", "activations")  # costs with an entry of their own

CHOICES = (  # the five that people ask for; over a point they are one line
    Column(
        name="block", value=lambda _, trial: trial.architecture.block,
        numeric=False, views=View.TABLES | View.HOVER, stays=1, told="{text}",
    ),
    Column(
        name="depth", note="residual blocks per stage", value=lambda _, trial: depth_of(trial.architecture, "-"),
        numeric=False, views=View.TABLES | View.HOVER, stays=1, joined=True,
    ),
    Column(
        name="k", note="widening factor: multiplies the width of every stage",
        value=lambda _, trial: trial.architecture.widening_factor, text=lambda factor: f"{factor:g}",
        views=View.TABLES | View.HOVER, stays=1, told="k = {text}", joined=True,
    ),
    Column(
        name="C", note="cardinality: groups of the 3x3 convolution",
        value=lambda _, trial: trial.architecture.cardinality if _grouped(trial) else None,
        views=View.TABLES | View.HOVER, stays=1, told="C = {text}", joined=True,
    ),
    Column(
        name="dropout", note="where units are dropped, and how often", value=_dropout,
        numeric=False, views=View.TABLES | View.HOVER, stays=2, joined=True,
    ),
)  # fmt: skip


def _choices(study: StudyRecord) -> Iterator[Column]:
    """Yield what of a network was chosen: the five, or what the function is given that builds the study's networks."""
    if "network" not in study.space:
        yield from CHOICES
        return
    for name in (name for name, domain in study.space.items() if isinstance(domain, Mapping)):
        yield Column(
            name=name, value=partial(_option, name), text=value_text, views=View.TABLES | View.HOVER, stays=1,
            told="{heading} {text}", joined=True, numeric=False,
        )  # fmt: skip


def _option(name: str, _study: StudyRecord, trial: TrialRecord) -> object:
    return trial.params.get(name)


_RECIPE = Column(
    name="recipe", note="how it was trained, as far as that was searched", value=_recipe,
    numeric=False, views=View.TABLES | View.HOVER, stays=1, told="{text}", joined=True, optional=True,
)  # fmt: skip

# A name that comes again is the same column: its first place counts, and what its last entry says.
COLUMNS: list[Column | Callable[[StudyRecord], Iterable[Column]]] = [
    Column(name="trial", note="the trial's number", value=lambda _, trial: trial.number, stays=6),
    Column(
        name="name", note="block, depth and widening factor, and what else matters",
        value=lambda _, trial: name_of(trial.architecture),
        numeric=False, views=View.TABLES | View.DATA, stays=math.inf,
    ),
    Column(
        name="state", value=lambda _, trial: str(trial.state),
        numeric=False, views=View.DATA | View.HOVER, told="{text}", joined=True,
    ),
    Column(
        name="outside", note="why the study, whose space or constraints have changed since, would not propose it",
        value=lambda _, trial: trial.outside or None,
        numeric=False, views=View.DATA | View.HOVER, told="on no front: {text}",
    ),
    Column(name="reached", value=_reached, views=View.HOVER, told="{text}", joined=True),
    _EPOCHS.only(View.DATA),
    _choices,
    _RECIPE,
    _objectives,
    _headline,
    Column(
        name="seeds", note="full trainings that the mean and its interval of 95 % are of",
        value=lambda _, trial: trial.confirmation.seeds if trial.confirmation else None, nothing="one run",
        views=View.TABLES | View.HOVER, stays=7, told="mean of {text} seeds", optional=True,
    ),
    Column(
        name="P(front)", note="probability to be on the front, by its seeds",
        value=lambda _, trial: _on_front(trial), text=lambda share: f"{share:.2f}",
        views=View.TABLES, stays=2, optional=True,
    ),
    Column(
        name="test", note="mean of the headline metric on the test split",
        value=_test, text=lambda share: format_percent(share), views=View.TABLES | View.HOVER, stays=3,
        told="test {text}", optional=True,
    ),
    _PARAMS.only(View.DATA | View.HOVER),
    _cost("macs", "multiply-accumulates per image", stays=5, joined=True),
    _PARAMS.only(View.TABLES),
    _cost(
        "activations", "numbers that convolutions and linear layers put out per image",
        views=View.PAGE | View.HOVER | View.DATA,
    ),
    *(_cost(name, views=View.DATA) for name in NAMES if name not in _NAMED),
    Column(name="confirmed", value=lambda _, trial: _confirmed(trial), views=View.DATA, spread=True),
    _EPOCHS.only(View.TABLES),
    Column(name="choice", value=lambda _, trial: trial.params, views=View.DATA, spread=True),
    Column(name="digest", value=lambda _, trial: trial.digest, numeric=False, views=View.DATA),
    Column(name="architecture", value=lambda _, trial: trial.architecture.to_json(), views=View.JSON),
]  # fmt: skip
# What trials have beside objectives and parameters: in rows, in our views, and as attributes in Optuna's tables.
BESIDE = frozenset({
    "architecture", "digest", "seed", "epochs", "reason", *(each.name for each in COLUMNS if isinstance(each, Column)),
})  # fmt: skip
