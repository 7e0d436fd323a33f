"""Draw the loss around a network's weights: a line along each direction, of each network."""

from collections.abc import Iterator
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from search.core.analyses import Analysis, Row
from search.core.findings import title
from search.core.surfaces import points_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Losses along a direction through the weights, those that are finite."""

    name: str
    points: tuple[tuple[float, Row], ...]  # by the distance from the weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The lines through the middle, of a plane both of them."""

    title: str
    lines: tuple[Line, ...]
    lost: int  # points that are not finite


def info(analysis: Analysis) -> Lines:
    """Return the lines through the weights of each network."""
    lost = sum(row["what"] == "point" and row["loss"] is None for row in analysis.rows)
    return Lines(title=title(analysis), lines=tuple(_lines(analysis)), lost=lost)


def _lines(analysis: Analysis) -> Iterator[Line]:
    plane = analysis.question.settings["dimensions"] == 2
    for network in ("whole", "plain"):
        rows = [row for row in points_of(analysis, network) if row["loss"] is not None]
        along = tuple((row["x"], row) for row in rows if not row["y"])
        if along:
            yield Line(name=f"{network}, first direction" if plane else network, points=along)
        across = tuple((row["y"], row) for row in rows if plane and row["x"] == 0)
        if across:
            yield Line(name=f"{network}, second direction", points=across)


def figure(found: Lines) -> go.Figure:
    """Draw the losses by their distance from the weights."""
    if not found.lines:
        return theme.message(found.title, "The loss is not finite anywhere.")
    lost = f"; {found.lost} points are not finite" if found.lost else ""
    drawn = theme.blank(found.title, f"0 is the weights as they were trained{lost}")
    for line, colour in zip(found.lines, theme.PALETTE, strict=False):
        drawn.add_trace(go.Scatter(
            x=[at for at, _ in line.points], y=[row["loss"] for _, row in line.points], name=line.name,
            mode="lines+markers", line={"color": colour}, marker={"color": colour, "size": 6},
            hovertext=[_said(line, at, row) for at, row in line.points], hoverinfo="text",
        ))  # fmt: skip
    drawn.update_xaxes(title={"text": "distance from the weights (lengths of filters)"})
    return drawn.update_yaxes(title={"text": "loss (nats)"}, rangemode="tozero")


def _said(line: Line, at: float, row: Row) -> str:
    return theme.hover((f"{line.name} at {at:+.2f}", f"loss {row['loss']:.3g}", f"error {row['error']:.2%}"))
