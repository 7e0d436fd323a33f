"""Draw how much slower networks are than the first: ratios of a training step and of inference, with intervals."""

from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from search.core.analyses import Analysis, Row
from search.core.findings import title
from search.core.speeds import summary

ROW = 44  # pixels of a network
KINDS = {"step": ("a training step", theme.FRONT, 0.12), "inference": ("inference", theme.STOPPED, -0.12)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Speeds:
    """The networks behind the first, which is what they are compared with."""

    title: str
    first: str
    rows: tuple[Row, ...]


def info(analysis: Analysis) -> Speeds:
    """Return the ratios."""
    first, *rest = summary(analysis)
    return Speeds(title=title(analysis), first=first["network"], rows=tuple(rest))


def figure(found: Speeds) -> go.Figure:
    """Draw a forest plot: left of 1 is faster than the first network."""
    last = len(found.rows) - 1
    subtitle = f"times those of {found.first}; whiskers are intervals of 95 % over rounds"
    drawn = theme.blank(found.title, subtitle, height=110 + ROW * (last + 1))
    line = {"color": theme.PALETTE[6], "width": 1.5}
    drawn.add_trace(go.Scatter(
        x=[1.0, 1.0], y=[-0.5, last + 0.5], mode="lines", line=line, hoverinfo="skip", showlegend=False,
    ))  # fmt: skip
    for what in KINDS:
        drawn.add_trace(_points(found, what))
    names = [theme.escape(row["network"]) for row in reversed(found.rows)]
    drawn.update_yaxes(tickmode="array", tickvals=list(range(last + 1)), ticktext=names, range=[-0.5, last + 0.5])
    ends = [each for row in found.rows for what in KINDS for each in _ends(row, what)]
    axis = theme.log_axis(min(*ends, 1.0), max(*ends, 1.0))
    return drawn.update_xaxes(title={"text": "time, times the first's (ratio)"}, **axis)


def _points(found: Speeds, what: str) -> go.Scatter:
    name, colour, above = KINDS[what]
    last, places = len(found.rows) - 1, [_ends(row, what) for row in found.rows]
    return go.Scatter(
        x=[middle for _, middle, _ in places], y=[last - place + above for place in range(last + 1)], name=name,
        mode="markers", marker={"color": colour, "size": 8},
        error_x={
            "type": "data", "array": [high - middle for _, middle, high in places],
            "arrayminus": [middle - low for low, middle, _ in places],
        },
        hovertext=[_said(row, what) for row in found.rows], hoverinfo="text",
    )  # fmt: skip


def _ends(row: Row, what: str) -> tuple[float, float, float]:
    """Return low end, ratio and high end; without an interval, the ratio alone."""
    middle = row[f"{what}_ratio"]
    low, high = row[f"{what}_low"], row[f"{what}_high"]
    return (middle if low is None else low, middle, middle if high is None else high)


def _said(row: Row, what: str) -> str:
    low, middle, high = _ends(row, what)
    name = KINDS[what][0]
    return theme.hover((row["network"], f"{name}: {middle:.2f} times ({low:.2f} to {high:.2f})"))
