"""Draw what each searched value buys at equal cost: ratios of errors with their intervals, a row for each value."""

from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from search.core.analyses import Analysis, Row
from search.core.findings import differs, effect, title
from search.core.units import format_number_of

MOST = 10.0  # times better or worse, beyond which an interval is drawn no longer
ROW = 22  # pixels of a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginals:
    """Each value whose ratio is known, in the order of the file."""

    title: str
    rows: tuple[Row, ...]
    alone: int  # values without a ratio


def info(analysis: Analysis) -> Marginals:
    """Return the ratios."""
    known = tuple(row for row in analysis.rows if row["effect"] is not None)
    return Marginals(title=title(analysis), rows=known, alone=len(analysis.rows) - len(known))


def figure(found: Marginals) -> go.Figure:
    """Draw a forest plot: left of 1 is better than the other values."""
    if not found.rows:
        return theme.message(found.title, "Too few networks were trained in full to compare values.")
    last = len(found.rows) - 1
    drawn = theme.blank(found.title, _subtitle(found), height=90 + ROW * (last + 1))
    line = {"color": theme.PALETTE[6], "width": 1.5}
    drawn.add_trace(go.Scatter(
        x=[1.0, 1.0], y=[-0.5, last + 0.5], mode="lines", line=line, hoverinfo="skip", showlegend=False,
    ))  # fmt: skip
    for sure, name, colour in ((True, "differ at 95 %", theme.FAILED), (False, "may be chance", theme.FRONT)):
        shown = [(last - place, row) for place, row in enumerate(found.rows) if differs(row) is sure]
        if shown:
            drawn.add_trace(_points(shown, name, colour))
    names = [theme.escape(f"{row['axis']}: {row['value']}") for row in reversed(found.rows)]
    drawn.update_yaxes(tickmode="array", tickvals=list(range(last + 1)), ticktext=names, range=[-0.5, last + 0.5])
    ends = [each for row in found.rows for each in _ends(row)]
    axis = theme.log_axis(min(ends), max(*ends, 1.0))
    return drawn.update_xaxes(title={"text": "error, times the other values' (ratio)"}, **axis)


def _subtitle(found: Marginals) -> str:
    alone = f"; {format_number_of('value', found.alone)} without a ratio" if found.alone else ""
    return f"at equal cost; below 1 is better; whiskers are intervals of 95 %, drawn up to {MOST:g} times{alone}"


def _points(shown: list[tuple[int, Row]], name: str, colour: str) -> go.Scatter:
    places = [_ends(row) for _, row in shown]
    return go.Scatter(
        x=[middle for _, middle, _ in places], y=[place for place, _ in shown], name=name, mode="markers",
        marker={"color": colour, "size": 8},
        error_x={
            "type": "data", "array": [high - middle for _, middle, high in places],
            "arrayminus": [middle - low for low, middle, _ in places],
        },
        hovertext=[_said(row) for _, row in shown], hoverinfo="text",
    )  # fmt: skip


def _ends(row: Row) -> tuple[float, float, float]:
    """Return low end, ratio and high end, as far as they are drawn; without an interval, the ratio alone."""
    middle = min(max(row["effect"], 1 / MOST), MOST)
    if row["low"] is None:
        return middle, middle, middle
    high = MOST if row["high"] is None else min(row["high"], MOST)
    return min(max(row["low"], 1 / MOST), middle), middle, max(high, middle)


def _said(row: Row) -> str:
    counts = f"{row['trials']} trained in full, {row['others']} with other values"
    return theme.hover((f"{row['axis']}: {row['value']}", f"{effect(row)} times the others' error", counts))
