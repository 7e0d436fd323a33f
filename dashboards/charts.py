"""Tell a figure as plain data that `live/static/charts.js` draws, in the page's colours, light and dark.

What figures here are made of is known: lines, steps, areas, boxes, points and their ends, bars, cells, pictures and
words. Anything else is refused, not left out.
"""

import base64
import html
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboards import theme

Plain = dict[str, Any]

COLOURS = {**dict(zip(theme.PALETTE, theme.SERIES, strict=True)), theme.DOMINATED: "dominated", theme.QUIET: "quiet"}
MODES = {"markers": "points", "text": "words"}
BOX = (0, 25, 50, 75, 100)  # percentiles


def charts(figure: go.Figure) -> list[Plain]:
    """Return a chart for each horizontal axis of a figure.

    Raises:
        ValueError: it holds something that the page cannot draw.
    """
    return [_chart(figure, axis) for axis in dict.fromkeys(trace.xaxis or "x" for trace in figure.data)]


def _chart(figure: go.Figure, axis: str) -> Plain:
    drawn = [trace for trace in figure.data if (trace.xaxis or "x") == axis]
    up = figure.layout[(drawn[0].yaxis or "y").replace("y", "yaxis")]
    low, high = up.domain or (0, 1)
    return {
        "height": round((figure.layout.height or theme.HEIGHT) * (high - low)),
        "across": _axis(figure.layout[axis.replace("x", "xaxis")]),
        "up": _axis(up),
        **({"square": True} if up.scaleanchor else {}),
        "series": [series for trace in drawn for series in _series(trace)],
    }


def _axis(axis: Any) -> Plain:
    labels = axis.ticktext or [""] * len(axis.tickvals or ())
    ticks = [[float(tick), _plain(label)] for tick, label in zip(axis.tickvals or (), labels, strict=True)]
    shown = axis.tickformat or ""
    named = bool(axis.ticktext) and axis.type != "log"
    return {
        **({"named": True} if named else {}),
        **({"bare": True} if axis.visible is False else {}),
        "title": _plain(axis.title.text or ""),
        "log": axis.type == "log",
        "ticks": ticks or None,
        "range": list(axis.range) if axis.range else [-0.5, len(ticks) - 0.5] if named else None,
        "zero": axis.rangemode == "tozero",
        "format": "percent" if "%" in shown else "count" if "s" in shown else "plain",
    }


def _plain(words: str) -> str:
    return html.unescape(re.sub(r"</?b>", "", words.replace("<br>", "\n")))


def _series(trace: Any) -> Iterator[Plain]:
    if trace.type not in DRAWN:
        raise ValueError(f"the page draws no {trace.type}")
    return DRAWN[trace.type](trace)


def _box(trace: Any) -> Iterator[Plain]:
    if trace.line.color in COLOURS:  # one of a few values is not seen
        ends = np.percentile(np.asarray(trace.y, dtype=float), BOX).tolist()
        yield {"kind": "box", "x": [float(trace.x[0])], "y": ends}


def _bars(trace: Any) -> Iterator[Plain]:
    yield {**_marks(trace), "kind": "bars", "colour": COLOURS[trace.marker.color]}
    yield from _ends(trace, "quiet")


def _scatter(trace: Any) -> Iterator[Plain]:
    colours = {"markers": trace.marker.color, "text": trace.textfont.color}
    colour = COLOURS[colours.get(trace.mode, trace.line.color)]
    yield from _ends(trace, colour)
    yield {
        **_marks(trace),
        "kind": _kind(trace),
        "colour": colour,
        **({"size": [float(each) / 2 for each in trace.marker.size]} if _sized(trace) else {}),
        **({"words": list(trace.text)} if trace.mode == "text" else {}),
    }


def _marks(trace: Any) -> Plain:
    said = [_plain(each).split("\n") for each in trace.hovertext or ()]
    named = {"name": html.unescape(trace.name or ""), "x": _numbers(trace.x), "y": _numbers(trace.y)}
    return {**named, **({"said": said} if said else {})}


def _ends(trace: Any, colour: str) -> Iterator[Plain]:
    """Yield how far marks reach to either side."""
    for along, middle, told in (("x", trace.x, trace.error_x), ("y", trace.y, trace.error_y)):
        if told.array is None:
            continue
        less = told.array if told.arrayminus is None else told.arrayminus
        low = [at - off for at, off in zip(middle, less, strict=True)]
        high = [at + off for at, off in zip(middle, told.array, strict=True)]
        ends = {"low": _numbers(low), "high": _numbers(high)}
        yield {"kind": "ends", "along": along, "colour": colour, "x": _numbers(trace.x), "y": _numbers(trace.y), **ends}


def _cells(trace: Any) -> Iterator[Plain]:
    values = [_numbers([None if each is None or each != each else each for each in row]) for row in trace.z]
    yield {
        "kind": "cells", "x": _numbers(trace.x), "y": _numbers(trace.y), "z": values,
        "title": _plain(trace.colorbar.title.text or ""), "log": bool((trace.meta or {}).get("log")),
    }  # fmt: skip


def _picture(trace: Any) -> Iterator[Plain]:
    height, width = _size_of(trace.source)
    left, top = trace.x0 - trace.dx / 2, trace.y0 - trace.dy / 2
    ends = {"x": _numbers([left, left + width * trace.dx]), "y": _numbers([top, top + height * trace.dy])}
    yield {"kind": "picture", "href": trace.source, **ends}


def _size_of(source: str) -> tuple[int, int]:
    """Return rows and columns of a PNG."""
    width, height = struct.unpack(">II", base64.b64decode(source.partition(",")[2])[16:24])
    return height, width


DRAWN: dict[str, Callable[[Any], Iterator[Plain]]] = {
    "scatter": _scatter, "box": _box, "bar": _bars, "heatmap": _cells, "image": _picture,
}  # fmt: skip


def _kind(trace: Any) -> str:
    if trace.fill == "toself":
        return "band"
    if trace.mode in MODES:
        return MODES[trace.mode]
    return "steps" if trace.line.shape == "hv" else "line"


def _sized(trace: Any) -> bool:
    return trace.mode == "markers" and isinstance(trace.marker.size, (list, tuple, np.ndarray))


def _numbers(values: Sequence[Any]) -> list[float | None]:
    return [None if value is None else float(f"{value:.6g}") for value in values]
