"""Tell a figure as plain data that `live/static/charts.js` draws, in the page's colours, light and dark.

What figures here are made of is known: lines, steps, areas, boxes and points. Anything else is refused, not left out.
"""

import html
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboards import theme

Plain = dict[str, Any]

COLOURS = {**dict(zip(theme.PALETTE, theme.SERIES, strict=True)), theme.DOMINATED: "dominated", theme.QUIET: "quiet"}
BOX = (0, 25, 50, 75, 100)  # percentiles


def charts(figure: go.Figure) -> list[Plain]:
    """Return a chart for each horizontal axis of a figure.

    Raises:
        ValueError: it holds something that the page cannot draw.
    """
    return [_chart(figure, axis) for axis in dict.fromkeys(trace.xaxis or "x" for trace in figure.data)]


def _chart(figure: go.Figure, axis: str) -> Plain:
    drawn = [trace for trace in figure.data if (trace.xaxis or "x") == axis]
    across = figure.layout[axis.replace("x", "xaxis")]
    named = any(trace.type == "box" for trace in drawn)
    return {
        "height": figure.layout.height or theme.HEIGHT,
        "across": {**_axis(across), **({"named": True, "range": [-0.5, len(across.tickvals) - 0.5]} if named else {})},
        "up": _axis(figure.layout.yaxis),
        "series": [series for trace in drawn for series in _series(trace)],
    }


def _axis(axis: Any) -> Plain:
    labels = axis.ticktext or [""] * len(axis.tickvals or ())
    ticks = [[float(tick), _plain(label)] for tick, label in zip(axis.tickvals or (), labels, strict=True)]
    shown = axis.tickformat or ""
    return {
        "title": _plain(axis.title.text or ""),
        "log": axis.type == "log",
        "ticks": ticks or None,
        "range": list(axis.range) if axis.range else None,
        "zero": axis.rangemode == "tozero",
        "format": "percent" if "%" in shown else "count" if "s" in shown else "plain",
    }


def _plain(words: str) -> str:
    return html.unescape(re.sub(r"</?b>", "", words.replace("<br>", "\n")))


def _series(trace: Any) -> Iterator[Plain]:
    if trace.type == "box":
        if trace.line.color in COLOURS:  # one of a few values is not seen
            ends = np.percentile(np.asarray(trace.y, dtype=float), BOX).tolist()
            yield {"kind": "box", "x": [float(trace.x[0])], "y": ends}
        return
    if trace.type != "scatter":
        raise ValueError(f"the page draws no {trace.type}")
    said = [_plain(each).split("\n") for each in trace.hovertext or ()]
    yield {
        "kind": _kind(trace),
        "name": html.unescape(trace.name or ""),
        "colour": COLOURS[trace.marker.color if trace.mode == "markers" else trace.line.color],
        "x": _numbers(trace.x),
        "y": _numbers(trace.y),
        **({"said": said} if said else {}),
        **({"size": [float(each) / 2 for each in trace.marker.size]} if _sized(trace) else {}),
    }


def _kind(trace: Any) -> str:
    if trace.fill == "toself":
        return "band"
    if trace.mode == "markers":
        return "points"
    return "steps" if trace.line.shape == "hv" else "line"


def _sized(trace: Any) -> bool:
    return trace.mode == "markers" and isinstance(trace.marker.size, (list, tuple, np.ndarray))


def _numbers(values: Sequence[Any]) -> list[float | None]:
    return [None if value is None else float(f"{value:.6g}") for value in values]
