"""Draw what came through each block in training: gradients by depth, and branches over shortcuts as shades."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from search.core.analyses import Analysis
from search.core.findings import title
from search.core.flow import Course, Values, course

LINES = 4  # epochs that have a line
HEIGHT = 320  # pixels of one of both planes


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A trial's course with its name."""

    title: str
    course: Course


def info(analysis: Analysis) -> Flow:
    """Return what came through each block."""
    return Flow(title=title(analysis), course=course(analysis.rows))


def figure(flow: Flow) -> go.Figure:
    """Draw a line of gradients for a few epochs, and below it a cell for each epoch and block with a shortcut."""
    found = flow.course
    if not found.blocks:
        return theme.message(flow.title, "Nothing was recorded.")
    both = found.has_shortcuts
    drawn = theme.blank(flow.title, _subtitle(found), height=HEIGHT * (1 + both))
    for colour, place in zip(theme.PALETTE, _chosen(len(found.epochs)), strict=False):
        drawn.add_trace(_line(found, place, colour))
    drawn.update_layout(xaxis=_blocks(found), yaxis=_gradients(found))
    if both:
        drawn.add_trace(_cells(found))
        drawn.update_layout(yaxis_domain=[0.5, 1], yaxis2={**_epochs(found), "domain": [0, 0.5], "anchor": "x2"})
        drawn.update_layout(xaxis2={**_blocks(found), "anchor": "y2"})
    return drawn


def _subtitle(found: Course) -> str:
    below = "; below it, how much of its shortcut each branch adds" if found.has_shortcuts else ""
    return f"the loss' gradient at each block's output, from first to last{below}"


def _chosen(count: int) -> list[int]:
    """Return the places of a few epochs, the first and the last among them."""
    return sorted({round(each * (count - 1) / (LINES - 1)) for each in range(LINES)})


def _line(found: Course, place: int, colour: str) -> go.Scatter:
    epoch = found.epochs[place]
    values = [values[place] or None for values in found.gradients]  # a logarithm has no place for 0
    said = [theme.hover((f"block {name}", f"epoch {epoch}", f"gradient {_number(value)}"))
            for name, value in zip(found.blocks, values, strict=True)]  # fmt: skip
    return go.Scatter(
        x=list(range(len(values))), y=values, mode="lines", name=f"epoch {epoch}", hovertext=said, hoverinfo="text",
        line={"color": colour, "width": 2},
    )  # fmt: skip


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3g}"


def _blocks(found: Course) -> dict[str, object]:
    names = list(found.blocks)
    return {
        "title": {"text": "block (stage.block)"}, "tickmode": "array", "tickvals": list(range(len(names))),
        "ticktext": names, "range": [-0.5, len(names) - 0.5],
    }  # fmt: skip


def _gradients(found: Course) -> dict[str, object]:
    known = [value for values in found.gradients for value in values if value]
    axis = theme.log_axis(min(known), max(known)) if theme.is_log(known) else {"rangemode": "tozero"}
    return {"title": {"text": "gradient (L2 norm by image)"}, "tickformat": "~g", **axis}


def _epochs(found: Course) -> dict[str, object]:
    names = [str(epoch) for epoch in found.epochs]
    return {
        "title": {"text": "epoch"}, "tickmode": "array", "tickvals": list(range(len(names))), "ticktext": names,
        "range": [-0.5, len(names) - 0.5],
    }  # fmt: skip


def _cells(found: Course) -> go.Heatmap:
    by_epoch: Sequence[Values] = list(zip(*found.branches, strict=True))
    return go.Heatmap(
        x=list(range(len(found.blocks))), y=list(range(len(found.epochs))), z=by_epoch, xaxis="x2", yaxis="y2",
        colorscale=[[0, theme.faint(theme.FRONT, 0.06)], [1, theme.FRONT]],
        colorbar={"title": {"text": "branch over shortcut"}, "len": 0.45, "y": 0.2},
        hovertemplate="block %{x}, epoch %{y}: %{z:.3g}<extra></extra>",
    )  # fmt: skip
