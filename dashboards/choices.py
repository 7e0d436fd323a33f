"""Draw how far from the front, at equal cost, networks were with each value of a searched parameter.

Errors alone would say of every parameter what they say of size: the dearer, the better.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.frames import HEADLINE, StudyView, domain_word, headline_of
from search.core.equal_cost import excess
from search.core.picking import first_cost
from search.core.records import TrialRecord
from search.core.units import format_count, format_number_of, format_percent, value_text
from spaces.domains import Scalar
from workers.objectives import TINY

BOX_FROM = 5  # fewer errors than this are shown as points alone
SPREAD = 0.2  # of the distance between two values, to either side


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorsByValue:
    """The errors of fully trained trials, over the front's at equal cost, by one parameter's values."""

    parameter: str
    continuous: bool  # values lie anywhere between two ends
    values: tuple[Scalar, ...]  # one per trial
    errors: tuple[float, ...]  # one per trial: times the front's at equal cost
    shown: tuple[float, ...]  # one per trial: the validation error (fraction)
    costs: tuple[float, ...]  # one per trial
    cost: str  # what is equal
    numbers: tuple[int, ...]  # one per trial
    order: tuple[Scalar, ...]  # the distinct values, as the axis shows them
    without: int = 0  # fully trained trials in which the parameter does not exist

    def of(self, value: Scalar) -> tuple[float, ...]:
        """Return the errors that went with one value."""
        return tuple(error for given, error in zip(self.values, self.errors, strict=True) if given == value)


def info(view: StudyView, parameter: str) -> ErrorsByValue:
    """Return how far every fully trained trial that has the parameter is from the front."""
    cost = first_cost(view.study)
    complete = [trial for trial in view.complete if headline_of(trial) is not None]
    far = dict(zip([trial.number for trial in complete], excess(view.study, complete, HEADLINE), strict=True))
    having = [trial for trial in complete if parameter in trial.params]
    return ErrorsByValue(
        parameter=parameter,
        continuous=_is_continuous(view.study.domains.get(parameter), having, parameter),
        values=tuple(trial.params[parameter] for trial in having),
        errors=tuple(far[trial.number] for trial in having),
        shown=tuple(1.0 - (headline_of(trial) or 0.0) for trial in having),
        costs=tuple(cost.value(trial.cost, trial.found) for trial in having),
        cost=cost.name,
        numbers=tuple(trial.number for trial in having),
        order=tuple(
            value for value in view.options(parameter) if any(trial.params[parameter] == value for trial in having)
        ),
        without=len(complete) - len(having),
    )


def _is_continuous(domain: object, trials: Sequence[TrialRecord], parameter: str) -> bool:
    if isinstance(domain, Mapping) and domain_word(domain):
        return domain_word(domain) == "float" and domain.get("step") is None
    return any(isinstance(trial.params[parameter], float) for trial in trials)


def figure(choice: ErrorsByValue) -> go.Figure:
    """Draw a box and every point by value, or a scatter where the values are continuous."""
    title = f"Error at equal {choice.cost} by {choice.parameter}"
    if not choice.values:
        return theme.message(title, "No fully trained trial has this parameter.")
    drawn = theme.blank(title, _subtitle(choice), height=340)
    draw = _draw_scatter if choice.continuous else _draw_boxes
    draw(drawn, choice)
    name = theme.PARAMETERS.get(choice.parameter, f"{choice.parameter} (value)")
    drawn.update_xaxes(title={"text": theme.escape(name)})
    what = "error, times the front's"
    high = max(choice.errors)
    axis = theme.log_axis(1.0, high) if high > 1 else {"range": [0.5, 1.5]}
    drawn.update_yaxes(title={"text": f"{what} (ratio)"}, tickformat="~g", **axis)
    return drawn.update_layout(showlegend=False)


def _subtitle(choice: ErrorsByValue) -> str:
    without = f"; it does not exist in {format_number_of('other', choice.without)}" if choice.without else ""
    return f"{format_number_of('fully trained trial', len(choice.values))}{without}; 1 is on the front, large is dear"


def _said(choice: ErrorsByValue) -> list[str]:
    rows = zip(choice.numbers, choice.values, choice.errors, choice.shown, choice.costs, strict=True)
    return [
        theme.hover((
            f"trial {number}", f"{choice.parameter} {value_text(value)}",
            f"error {format_percent(error)}, {far:.2f} times the front's", f"{format_count(cost)} {choice.cost}",
        ))
        for number, value, far, error, cost in rows
    ]  # fmt: skip


def _sizes(choice: ErrorsByValue) -> list[float]:
    """Return how large marks are, by the logarithms of costs."""
    costs = [math.log(max(cost, TINY)) for cost in choice.costs]
    least, (small, large) = min(costs), theme.SIZES
    span = (max(costs) - least) or 1.0
    return [round(small + (large - small) * (cost - least) / span, 1) for cost in costs]


def _draw_scatter(drawn: go.Figure, choice: ErrorsByValue) -> None:
    numbers = [float(value) for value in choice.values]
    if theme.is_log(numbers):
        drawn.update_xaxes(theme.log_axis(min(numbers), max(numbers)), tickformat="~g")
    drawn.add_trace(
        go.Scatter(
            x=numbers,
            y=choice.errors,
            hovertext=_said(choice),
            hoverinfo="text",
            mode="markers",
            marker={"color": theme.FRONT, "size": _sizes(choice), "opacity": theme.CROWDED},
        )
    )


def _draw_boxes(drawn: go.Figure, choice: ErrorsByValue) -> None:
    said = _said(choice)
    for place, value in enumerate(choice.order):
        chosen = [index for index, given in enumerate(choice.values) if given == value]
        boxed = len(chosen) >= BOX_FROM
        drawn.add_trace(
            go.Box(
                x=[place] * len(chosen),
                y=[choice.errors[index] for index in chosen],
                boxpoints=False,
                hoverinfo="skip",
                width=0.6,
                line={"color": theme.QUIET if boxed else "rgba(0,0,0,0)", "width": 1.2},
                fillcolor=theme.faint(theme.DOMINATED, 0.15) if boxed else "rgba(0,0,0,0)",
                marker={"color": "rgba(0,0,0,0)", "size": 1},
            )
        )
    drawn.add_trace(_points(choice, said))
    labels = [f"{theme.escape(value_text(value))}<br>n = {len(choice.of(value))}" for value in choice.order]
    drawn.update_xaxes(tickmode="array", tickvals=list(range(len(labels))), ticktext=labels)


def _points(choice: ErrorsByValue, said: Sequence[str]) -> go.Scatter:
    """Return every point at its value, a little to either side so that equal ones are seen, large where it is dear."""
    places = [choice.order.index(value) for value in choice.values]
    return go.Scatter(
        x=[place + SPREAD * ((7 * number) % 11 - 5) / 5 for place, number in zip(places, choice.numbers, strict=True)],
        y=choice.errors,
        hovertext=said,
        hoverinfo="text",
        mode="markers",
        marker={"color": theme.FRONT, "size": _sizes(choice), "opacity": theme.CROWDED},
    )
