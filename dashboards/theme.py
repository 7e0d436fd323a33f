"""Give every figure one look: fonts, colours that colour-blind readers tell apart, axes with units, quiet legends.

Colours: after Okabe & Ito 2008, "Color Universal Design", darkened until each stands 3 : 1 against white. Legends stand
below the plot, so they cover nothing at any width.
"""

import html
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from workers.objectives import Objective

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
INK = "#1f2430"
QUIET = "#5b6472"  # 5.9 : 1 on white: still readable as small text
GRID = "#e7e9ee"
PALETTE = ("#005A8F", "#C58300", "#00936B", "#CC79A7", "#4A98D0", "#A83800", "#000000")
FRONT, STOPPED, RUNNING, FAILED = PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[5]
DOMINATED = "#868d99"
LIGHT = {  # what the live page is coloured with, by the names of its style sheet
    "ground": "#ffffff", "raised": "#f5f8fb", "ink": INK, "quiet": QUIET, "line": GRID, "rule": "#8a919d",
    "accent": FRONT, "front": FRONT, "dominated": DOMINATED, "stopped": "#a86f00", "running": "#007a59",
    "failed": FAILED, "other": "#a04a7c", "sky": "#2f7fb8", "font": FONT,
}  # fmt: skip
DARK = LIGHT | {
    "ground": "#14171c", "raised": "#1d222a", "ink": "#e8eaee", "quiet": "#a9b1bd", "line": "#2d333d",
    "rule": "#7d8593", "accent": "#6cb8ee", "front": "#6cb8ee", "dominated": "#8d95a3", "stopped": "#e0a030",
    "running": "#2fc79a", "failed": "#ff9466", "other": "#e39ac3", "sky": "#9db4ff",
}  # fmt: skip
SERIES = ("front", "stopped", "running", "other", "sky", "failed", "ink")  # what a page calls the colours of `PALETTE`
CROWDED = 0.7  # opacity of marks that may lie on each other; fainter ones would be lost on white
SIZES = (5.0, 13.0)  # pixels across of marks by what they cost, from cheap to dear
LOG_SPAN = 10.0  # an axis is logarithmic where its largest value is more than this many times its smallest
HEIGHT = 440
WIDEST = 44  # characters in a line of a tooltip: more would be cut on a phone
PARAMETERS = {  # what a parameter of an architecture or a recipe counts or names, for axes
    "block": "block (kind)",
    "depth": "depth (residual blocks per stage)",
    "widening_factor": "widening factor k (multiple of the width)",
    "cardinality": "cardinality C (groups)",
    "levels": "levels (of shortcuts)",
    "columns": "columns C (of a fractal block)",
    "doubling": "doubling (of channels, where)",
    "branches": "branches (residual functions of a block)",
    "base_width": "base width d (channels)",
    "stem_width": "stem width (channels)",
    "shortcut": "shortcut (option)",
    "stem": "stem (kind)",
    "stride_in": "stride in (which convolution)",
    "dropout": "dropout (where)",
    "dropout_rate": "dropout rate (fraction of units)",
    "kernels": "kernels (of a block's convolutions)",
    "growth": "growth (channels per dense layer)",
    "compression": "compression (share of channels)",
    "order": "order (of BN, ReLU and addition)",
    "activation": "activation (function)",
    "head": "head (kind)",
    "head_width": "head width (channels)",
    "head_map": "head map (pixels along a side)",
    "attention": "attention (of channels)",
    "reduction": "reduction (of channels squeezed)",
    "downsampling": "downsampling (how)",
    "gate_bias": "gate bias (at the start)",
    "head_scale": "head scale (largest logit)",
    "strides": "strides (of the stages)",
    "stage_kernels": "stage kernels (of a chain, by stage)",
    "widths": "widths (channels of the stages)",
    "depths": "depths (blocks of the stages)",
    "fusion": "fusion (of two streams)",
    "drop_decay": "drop decay (over depth)",
    "drop_unit": "drop unit (what a branch is dropped for)",
    "drop_global": "drop global (share of batches with one column)",
    "unit_rate": "unit rate (fraction of units, in the last block)",
    "optimizer": "optimizer (name)",
    "schedule": "schedule (of the learning rate)",
    "batch_size": "batch size (images)",
    "learning_rate": "learning rate (at its peak)",
    "momentum": "momentum (share kept a step)",
    "weight_decay": "weight decay (factor)",
    "warmup_epochs": "warm-up (epochs)",
    "label_smoothing": "label smoothing (share)",
    "crop": "crop (pixels)",
    "cutout": "cutout (pixels)",
}


def style_sheet() -> str:
    """Return the colours and fonts, light and dark, under the names that the pages' style sheets use."""
    light, dark = (" ".join(f"--{name}: {value};" for name, value in each.items()) for each in (LIGHT, DARK))
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def template() -> go.layout.Template:
    """Return the look of every figure."""
    axis = {
        "automargin": True,
        "gridcolor": GRID,
        "linecolor": QUIET,
        "showline": True,
        "ticks": "outside",
        "tickcolor": QUIET,
        "ticklen": 4,
        "tickfont": {"size": 11, "color": QUIET},
        "title": {"font": {"size": 13, "color": INK}, "standoff": 10},
        "zeroline": False,
    }
    legend = {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom", "font": {"size": 12}}
    layout = go.Layout(
        font={"family": FONT, "size": 13, "color": INK},
        colorway=PALETTE,
        paper_bgcolor="white",
        plot_bgcolor="white",
        hoverlabel={  # all three: what is left out follows the colour of the mark, and not always readably
            "align": "left",
            "bgcolor": "white",
            "bordercolor": QUIET,
            "font": {"family": FONT, "size": 12, "color": INK},
        },
        hovermode="closest",
        legend=legend | {"itemsizing": "constant", "tracegroupgap": 0},
        margin={"l": 56, "r": 20, "t": 24, "b": 48},
        title={
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "yref": "container",
            "y": 0.98,
            "yanchor": "top",
            "automargin": True,
            "font": {"size": 16},
            "subtitle": {"font": {"size": 12, "color": QUIET}},
        },
        xaxis=axis,
        yaxis=axis,
    )
    return go.layout.Template(layout=layout)


def blank(title: str, subtitle: str = "", *, height: int = HEIGHT) -> go.Figure:
    """Return an empty figure in the common look."""
    heading = {"text": escape(title), "subtitle": {"text": escape(subtitle)}}
    return go.Figure(layout={"template": template(), "title": heading, "height": height})


def message(title: str, text: str) -> go.Figure:
    """Return a figure that says why there is nothing to draw."""
    figure = blank(title, height=160)
    figure.add_annotation(
        text=escape(text), x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"color": QUIET}
    )
    return figure.update_xaxes(visible=False).update_yaxes(visible=False)


def escape(words: str) -> str:
    """Return words that Plotly shows as they are; it takes tags for markup, and knows no entity for a quote."""
    return html.escape(words, quote=False)


def headings(figure: go.Figure) -> tuple[str, str]:
    """Return a figure's title and subtitle as plain words."""
    title = figure.layout.title
    return html.unescape(title.text or ""), html.unescape(title.subtitle.text or "")


def remarks(figure: go.Figure) -> str:
    """Return what stands on a figure, as plain words."""
    return html.unescape(" ".join(note.text for note in figure.layout.annotations))


def hover(lines: Sequence[str]) -> str:
    """Return lines as one hover label, the first in bold; long ones are broken."""
    first, *rest = ["<br>".join(map(escape, textwrap.wrap(line, WIDEST))) for line in lines]
    return "<br>".join([f"<b>{first}</b>", *rest])


def faint(color: str, share: float) -> str:
    """Return a colour to fill an area with, behind its edge in the full colour."""
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {share:g})"


def is_log(values: Iterable[float]) -> bool:
    """Whether values, all above 0, span so much that a logarithmic axis shows them better."""
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > LOG_SPAN * min(finite)


def axis_title(objective: Objective) -> str:
    """Return an objective's name and unit: `validation accuracy (%)`."""
    return escape(f"{objective.title} ({'%' if objective.unit == 'fraction' else objective.unit})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An axis's settings, and where on it a value stands."""

    axis: dict[str, object]
    place: Callable[[float], float] = float


def scale(objective: Objective, values: Sequence[float]) -> Scale:
    """Return the axis of an objective: title with unit, percent for fractions, logarithmic where that shows more."""
    title = {"text": axis_title(objective)}
    if objective.is_rate:
        return fraction_scale(objective, values)
    tickformat = "~s" if objective.counts or objective.unit == "bytes" else "~g"
    kind = log_axis(min(values), max(values)) if is_log(values) else _room(values, 0.5 * abs(values[0]))
    return Scale(axis={"title": title, "tickformat": tickformat, **kind})


def log_axis(low: float, high: float) -> dict[str, object]:
    """Return the settings of a logarithmic axis with a handful of round ticks from low to high, both above 0."""
    decades = math.log10(high / low)
    digits = (1, 2, 5) if decades < 1.8 else (1, 3) if decades < 3.5 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in digits]
    near = [tick for tick in ticks if low / 1.5 < tick < 1.5 * high]
    return {"type": "log", "tickmode": "array", "tickvals": near}


def _room(values: Sequence[float], half: float, most: float = math.inf) -> dict[str, object]:
    """Return a range around a value that stands alone, which has no spread to draw an axis from."""
    alone = min(values) == max(values) and half > 0
    return {"range": [values[0] - half, min(values[0] + half, most)]} if alone else {}


def fraction_scale(objective: Objective, accuracies: Sequence[float]) -> Scale:
    """Return an axis for fractions: even in them, or, where their errors span much, even in the error's logarithm.

    98 % and 99 % are then as far apart as 80 % and 90 %, so that early epochs do not flatten the front. An accuracy of
    1 has no place on such an axis; it gets half the least error there is.
    """
    title = axis_title(objective)
    errors = [1.0 - accuracy for accuracy in accuracies if accuracy < 1.0]
    if not is_log(errors):
        return Scale(axis={"title": {"text": title}, "tickformat": "~%", **_room(accuracies, 0.05, most=1.005)})
    floor = min(errors) / 2
    ticks = [digit * 10.0**power for power in range(-6, 0) for digit in (1, 2, 5)]
    near = [error for error in ticks if min(errors) / 1.5 < error < 1.5 * max(errors)]
    shown = {error: f"{100 * (1 - error):.10g}%" for error in near}
    if len(errors) < len(accuracies):
        shown = {error: label for error, label in shown.items() if error > 1.4 * floor} | {floor: "100%"}
    axis: dict[str, object] = {
        "title": {"text": title.replace("(%)", "(%, log-error scale)")},
        "type": "log",
        "autorange": "reversed",
        "tickmode": "array",
        "tickvals": list(shown),
        "ticktext": list(shown.values()),
    }
    return Scale(axis=axis, place=lambda accuracy: max(1.0 - accuracy, floor))


def time_unit(seconds: float) -> tuple[float, str]:
    """Return how many seconds the axis unit for times up to this one holds, and its name."""
    for size, name in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return size, name
    return 1.0, "s"
