"""Draw what every trial's accuracy did, epoch by epoch, and where trials were compared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import plotly.graph_objects as go

from dashboards import theme
from dashboards.frames import HEADLINE, StudyView
from search.core.columns import architecture_line
from search.core.records import State
from search.core.units import format_number_of, format_percent

TITLE = "Learning curves"
LOG_EPOCHS = 30  # more epochs than this stand on a logarithmic axis
KINDS = ("failed", "running", "stopped", "dominated", "front")  # drawn in this order, the front on top


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One trial's accuracy (a fraction) by epoch."""

    number: int
    kind: str  # one of KINDS
    label: str
    epochs: tuple[int, ...]
    accuracies: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Every curve of a study and the epochs at which trials are compared."""

    curves: tuple[Curve, ...]
    rungs: tuple[int, ...]
    max_epochs: int
    left_out: int = 0  # of them all


def info(view: StudyView) -> Curves:
    """Return a curve for every trial with a measurement."""
    front = {trial.number for trial in view.front}
    curves = []
    for trial in view.trials:
        shown = [(each.epoch, each.get(HEADLINE.name)) for each in trial.measurements]
        points = [(epoch, value) for epoch, value in shown if value is not None and math.isfinite(value)]
        if points:
            epochs, accuracies = zip(*points, strict=True)
            kind = _kind(trial.state, trial.number in front)
            label = architecture_line(view.study, trial)
            curves.append(Curve(number=trial.number, kind=kind, label=label, epochs=epochs, accuracies=accuracies))
    return Curves(curves=tuple(curves), rungs=view.study.rungs, max_epochs=view.study.max_epochs)


def latest(curves: Curves, most: int) -> Curves:
    """Return the front's curves, and of the others as many of the latest as there is room for."""
    known = sorted(curves.curves, key=lambda curve: (curve.kind != "front", -curve.number))
    kept = tuple(sorted(known[:most], key=lambda curve: curve.number))
    return replace(curves, curves=kept, left_out=len(known) - len(kept))


def _kind(state: State, on_front: bool) -> str:
    if state is State.COMPLETE:
        return "front" if on_front else "dominated"
    return state.value


def figure(curves: Curves) -> go.Figure:
    """Draw the front's curves strongly and the others thinly; a mark ends those that were stopped or failed."""
    if not curves.curves:
        return theme.message(TITLE, "No trial has a measurement yet.")
    drawn = theme.blank(TITLE, _subtitle(curves), height=480)
    scale = theme.fraction_scale(HEADLINE, [accuracy for curve in curves.curves for accuracy in curve.accuracies])
    for kind in KINDS:
        members = [curve for curve in curves.curves if curve.kind == kind]
        if members:
            drawn.add_trace(_lines(members, kind, scale))
            drawn.add_trace(_ends(members, kind, scale))
    for rung in curves.rungs:
        _add_rung(drawn, rung, _is_log(curves.max_epochs))
    drawn.update_xaxes(_epoch_axis(curves.max_epochs))
    drawn.update_yaxes(scale.axis)
    return drawn.update_layout(legend={"traceorder": "reversed"})


_NAMES = {
    "front": "on the front",
    "dominated": "fully trained, dominated",
    "stopped": "stopped early",
    "running": "running or at rest",
    "failed": "failed",
}
_COLORS = {
    "front": theme.FRONT,
    "dominated": theme.DOMINATED,
    "stopped": theme.STOPPED,
    "running": theme.RUNNING,
    "failed": theme.FAILED,
}
_ENDS = {"front": "circle", "dominated": "circle", "stopped": "square-open", "running": "circle-open", "failed": "x"}


def _lines(members: Sequence[Curve], kind: str, scale: theme.Scale) -> go.Scatter:
    """Return all curves of one kind as one trace, with a gap after each."""
    strong = kind == "front"
    return go.Scatter(
        x=[epoch for curve in members for epoch in (*curve.epochs, None)],
        y=[accuracy for curve in members for accuracy in (*map(scale.place, curve.accuracies), None)],
        mode="lines",
        line={"color": _COLORS[kind], "width": 2 if strong else 1, "dash": "dot" if kind == "running" else "solid"},
        hoverinfo="skip",
        legendgroup=kind,
        showlegend=False,
    )


def _ends(members: Sequence[Curve], kind: str, scale: theme.Scale) -> go.Scatter:
    return go.Scatter(
        x=[curve.epochs[-1] for curve in members],
        y=[scale.place(curve.accuracies[-1]) for curve in members],
        hovertext=[theme.hover(_said(curve)) for curve in members],
        hoverinfo="text",
        mode="markers",
        marker={"symbol": _ENDS[kind], "color": _COLORS[kind], "size": 8 if kind != "dominated" else 6},
        name=_NAMES[kind],
        legendgroup=kind,
    )


def _said(curve: Curve) -> tuple[str, ...]:
    last = f"{format_percent(curve.accuracies[-1])} after epoch {curve.epochs[-1]}"
    return (f"trial {curve.number}, {_NAMES[curve.kind]}", curve.label, f"{HEADLINE.title} {last}")


def _add_rung(drawn: go.Figure, rung: int, log: bool) -> None:
    drawn.add_vline(x=rung, line={"color": theme.QUIET, "width": 1, "dash": "dash"})
    drawn.add_annotation(
        text=f"rung {rung}",
        x=math.log10(rung) if log else rung,  # unlike a line, a label is placed by its logarithm
        y=1,
        yref="paper",
        xanchor="left",
        xshift=2,
        yanchor="top",
        showarrow=False,
        font={"size": 11, "color": theme.QUIET},
    )


def _is_log(max_epochs: int) -> bool:
    return max_epochs > LOG_EPOCHS


def _epoch_axis(max_epochs: int) -> dict[str, object]:
    title = {"text": "epochs trained (count)"}
    if _is_log(max_epochs):
        ends = [math.log10(0.9), math.log10(1.1 * max_epochs)]
        return {"title": title, "tickformat": "~g", "range": ends, **theme.log_axis(1, max_epochs)}
    return {"title": title, "tickformat": "d", "range": [0.5, max_epochs + 0.5], "dtick": math.ceil(max_epochs / 10)}


def _subtitle(curves: Curves) -> str:
    trials = format_number_of("trial", len(curves.curves))
    trials += f", the front and the latest of {len(curves.curves) + curves.left_out}" if curves.left_out else ""
    return f"{trials}; fully trained is {format_number_of('epoch', curves.max_epochs)}"
