"""Draw the validation error that went with each value of a searched parameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.frames import StudyView, domain_word, headline_of
from search.core.records import TrialRecord
from search.core.units import format_number_of, format_percent, value_text
from spaces.domains import Scalar

BOX_FROM = 5  # fewer errors than this are shown as points alone


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorsByValue:
    """The validation errors (fractions) of full-fidelity trials by one parameter's values."""

    parameter: str
    continuous: bool  # values lie anywhere between two ends
    values: tuple[Scalar, ...]  # one per trial
    errors: tuple[float, ...]  # one per trial
    numbers: tuple[int, ...]  # one per trial
    order: tuple[Scalar, ...]  # the distinct values, as the axis shows them
    without: int = 0  # full-fidelity trials in which the parameter does not exist

    def of(self, value: Scalar) -> tuple[float, ...]:
        """Return the errors that went with one value."""
        return tuple(error for given, error in zip(self.values, self.errors, strict=True) if given == value)


def info(view: StudyView, parameter: str) -> ErrorsByValue:
    """Return the error of every full-fidelity trial that has the parameter."""
    complete = [trial for trial in view.complete if headline_of(trial) is not None]
    having = [trial for trial in complete if parameter in trial.params]
    return ErrorsByValue(
        parameter=parameter,
        continuous=_is_continuous(view.study.domains.get(parameter), having, parameter),
        values=tuple(trial.params[parameter] for trial in having),
        errors=tuple(1.0 - (headline_of(trial) or 0.0) for trial in having),
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
    title = f"Error by {choice.parameter}"
    if not choice.values:
        return theme.message(title, "No trial at full fidelity has this parameter.")
    drawn = theme.blank(title, _subtitle(choice), height=340)
    draw = _draw_scatter if choice.continuous else _draw_boxes
    draw(drawn, choice)
    name = theme.PARAMETERS.get(choice.parameter, f"{choice.parameter} (value)")
    drawn.update_xaxes(title={"text": theme.escape(name)})
    drawn.update_yaxes(title={"text": "validation error (%)"}, tickformat="~%", rangemode="tozero")
    return drawn.update_layout(showlegend=False)


def _subtitle(choice: ErrorsByValue) -> str:
    without = f"; it does not exist in {format_number_of('other', choice.without)}" if choice.without else ""
    return f"{format_number_of('trial', len(choice.values))} at full fidelity{without}"


def _said(choice: ErrorsByValue) -> list[str]:
    rows = zip(choice.numbers, choice.values, choice.errors, strict=True)
    return [
        theme.hover((f"trial {number}", f"{choice.parameter} {value_text(value)}", f"error {format_percent(error)}"))
        for number, value, error in rows
    ]


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
            marker={"color": theme.FRONT, "size": 8, "opacity": theme.CROWDED},
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
                hovertext=[said[index] for index in chosen],
                hoverinfo="text",
                hoveron="points",
                boxpoints="all",
                jitter=0.5,
                pointpos=0,
                width=0.6,
                line={"color": theme.QUIET if boxed else "rgba(0,0,0,0)", "width": 1.2},
                fillcolor=theme.faint(theme.DOMINATED, 0.15) if boxed else "rgba(0,0,0,0)",
                marker={"color": theme.FRONT, "size": 6, "opacity": theme.CROWDED},
            )
        )
    labels = [f"{theme.escape(value_text(value))}<br>n = {len(choice.of(value))}" for value in choice.order]
    drawn.update_xaxes(tickmode="array", tickvals=list(range(len(labels))), ticktext=labels)
