"""Draw what a network's error becomes without each of its parts: a bar for each, the whole network's as a line."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from search.core.analyses import Analysis, Row
from search.core.findings import taken, title
from search.core.kinds import points, share

COLOURS = {"block": theme.FRONT, "branch": theme.RUNNING, "draw": theme.STOPPED, "swap": theme.PALETTE[3],
           "all": theme.PALETTE[4], "trained": theme.FAILED, "length": theme.PALETTE[6]}  # fmt: skip
NAMES = {"block": "one block", "branch": "one branch", "draw": "several blocks at random", "swap": "two blocks swapped",
         "all": "through all blocks", "trained": "trained so", "length": "paths of one length alone"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesions:
    """The error after each thing that was taken out, in the order of the table."""

    title: str
    whole: Row
    rows: tuple[Row, ...]  # of what could be taken out
    left: int  # things that could not


def info(analysis: Analysis) -> Lesions:
    """Return the errors that are known."""
    whole, *rest = sorted(analysis.rows, key=lambda row: row["what"] != "whole")
    known = tuple(row for row in rest if row["error"] is not None)
    return Lesions(title=title(analysis), whole=whole, rows=known, left=len(rest) - len(known))


def figure(lesions: Lesions) -> go.Figure:
    """Draw a bar with its standard error for each thing taken out, and a line at the whole network's error."""
    if not lesions.rows:
        return theme.message(lesions.title, "Nothing of this network can be taken out.")
    drawn = theme.blank(lesions.title, _subtitle(lesions), height=380)
    for what, name in NAMES.items():
        bars = [(place, row) for place, row in enumerate(lesions.rows) if _group(row) == what]
        if bars:
            drawn.add_trace(_bars(bars, name, COLOURS[what]))
    last = len(lesions.rows) - 0.5
    whole = lesions.whole["error"]
    line = {"color": theme.PALETTE[6], "width": 1.5}
    drawn.add_trace(go.Scatter(
        x=[-0.5, last], y=[whole, whole], mode="lines", line=line, name="the whole network", hoverinfo="skip",
    ))  # fmt: skip
    names = [_name(row) for row in lesions.rows]
    drawn.update_xaxes(
        title={"text": "what was taken out (stage.block)"}, tickmode="array", tickvals=list(range(len(names))),
        ticktext=names, range=[-0.5, last],
    )  # fmt: skip
    return drawn.update_yaxes(title={"text": "validation error (%)"}, tickformat="~%", rangemode="tozero")


def _group(row: Row) -> str:
    """Return the name of the bars that a row is one of."""
    if row.get("trained"):
        return "trained"
    return str(row["what"]) if row["what"] in NAMES else "all"


def _subtitle(lesions: Lesions) -> str:
    left = f"; {lesions.left} more cannot be taken out" if lesions.left else ""
    return f"the whole network's error is {share(lesions.whole, 'error')}{left}; whiskers are one standard error"


def _bars(bars: Sequence[tuple[int, Row]], name: str, colour: str) -> go.Bar:
    return go.Bar(
        x=[place for place, _ in bars], y=[row["error"] for _, row in bars], name=name, marker={"color": colour},
        error_y={"type": "data", "array": [row["error_se"] or 0.0 for _, row in bars], "color": theme.QUIET},
        hovertext=[_said(row) for _, row in bars], hoverinfo="text",
    )  # fmt: skip


def _said(row: Row) -> str:
    note = [str(row["note"])] if row["note"] else []
    name = taken(row) if row["what"] == "swap" else f"without {taken(row)}"
    above = [] if row["change"] is None else [f"{points(row, 'change')} points above the whole"]
    return theme.hover((name, f"error {share(row, 'error')}", *above, *note))


def _name(row: Row) -> str:
    if _group(row) in ("all", "trained", "length"):
        return theme.escape(f"{row['what']} {row['place']}".strip()).replace(" ", "<br>")
    return theme.escape(str(row["place"])).replace(" and ", "<br>").replace(", ", "<br>")
