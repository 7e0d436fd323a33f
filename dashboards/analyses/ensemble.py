"""Draw ensembles at their summed cost beside the front of single networks."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from search.core.analyses import Analysis, Row
from search.core.findings import KINDS, title
from search.core.kinds import points, share
from search.core.units import format_count, format_number_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensembles:
    """Single networks and ensembles, each from cheap to dear."""

    title: str
    cost: str  # its name
    unit: str
    singles: tuple[Row, ...]
    best: tuple[Row, ...]  # ensembles that no other subset beats
    others: tuple[Row, ...]


def info(analysis: Analysis) -> Ensembles:
    """Return the subsets by what they are."""
    asked = analysis.question.settings
    rows = sorted(analysis.rows, key=lambda row: (row["cost"], row["error"]))
    kept = [row for row in KINDS["ensemble"].shown(analysis) if row["below"] is not None]
    return Ensembles(
        title=title(analysis), cost=str(asked["cost"]), unit=str(asked.get("unit") or ""),
        singles=tuple(row for row in rows if row["below"] is None), best=tuple(kept),
        others=tuple(row for row in rows if row["below"] is not None and row not in kept),
    )  # fmt: skip


def figure(found: Ensembles) -> go.Figure:
    """Draw a point for each subset, those that matter with standard errors, and the singles' front as steps."""
    rows = (*found.singles, *found.best, *found.others)
    if not rows:
        return theme.message(found.title, "No network was averaged.")
    drawn = theme.blank(found.title, _subtitle(found), height=400)
    if found.others:
        drawn.add_trace(_points(found.others, "other ensembles", theme.DOMINATED, spread=False))
    drawn.add_trace(_front(found.singles, max(row["cost"] for row in rows)))
    drawn.add_trace(_points(found.singles, "single networks", theme.FRONT))
    if found.best:
        drawn.add_trace(_points(found.best, "ensembles that no other beats", theme.FAILED))
    costs, errors = [row["cost"] for row in rows], [row["error"] for row in rows]
    axis = theme.log_axis(min(costs), max(costs)) if theme.is_log(costs) else {}
    unit = f" ({found.unit})" if found.unit else ""
    drawn.update_xaxes(title={"text": theme.escape(f"{found.cost}, summed{unit}")}, tickformat="~s", **axis)
    kind = theme.log_axis(min(errors), max(errors)) if theme.is_log(errors) else {"rangemode": "tozero"}
    return drawn.update_yaxes(title={"text": "validation error (%)"}, tickformat="~%", **kind)


def _subtitle(found: Ensembles) -> str:
    tried = format_number_of("ensemble", len(found.best) + len(found.others))
    return f"{tried} of {format_number_of('network', len(found.singles))}; whiskers are one standard error"


def _front(singles: Sequence[Row], dearest: float) -> go.Scatter:
    """Return the least error of a single network that each cost buys."""
    costs, errors = list[float](), list[float]()
    for row in singles:
        if not errors or row["error"] < errors[-1]:
            costs.append(row["cost"])
            errors.append(row["error"])
    return go.Scatter(
        x=[*costs, dearest], y=[*errors, *errors[-1:]], mode="lines", name="front of single networks",
        line={"shape": "hv", "color": theme.FRONT, "width": 2}, hoverinfo="skip",
    )  # fmt: skip


def _points(rows: Sequence[Row], name: str, colour: str, *, spread: bool = True) -> go.Scatter:
    ends = {"error_y": {"type": "data", "array": [row["error_se"] or 0.0 for row in rows]}} if spread else {}
    return go.Scatter(
        x=[row["cost"] for row in rows], y=[row["error"] for row in rows], name=name, mode="markers",
        marker={"color": colour, "size": 8 if spread else 5}, hovertext=[_said(row) for row in rows],
        hoverinfo="text", **ends,
    )  # fmt: skip


def _said(row: Row) -> str:
    several = len(row["trials"]) > 1
    name = f"trial{'s' * several} {' + '.join(map(str, row['trials']))}"
    rival = (f"{points(row, 'change')} points above trial {row['best_single']}",) if several else ()
    return theme.hover((name, f"error {share(row, 'error')}", f"cost {format_count(row['cost'])}", *rival))
