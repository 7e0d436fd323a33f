"""Whatever a figure draws can be seen, and its tooltips read: contrasts are WCAG 2.2's, 1.4.3 and 1.4.11."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from dashboards import choices, curves, edf, front, importance, progress, replays, theme
from dashboards.analyses import kinds
from dashboards.frames import StudyView
from search.core.records import State
from tests.dashboards.analyses.examples import EXAMPLES

TEXT, MARK = 4.5, 3.0
WHITE = (255.0, 255.0, 255.0)
Colour = tuple[float, float, float]


def parsed(colour: str) -> tuple[Colour, float]:
    """Return red, green and blue, and how opaque they are."""
    if colour == "white":
        return WHITE, 1.0
    if colour.startswith("rgba"):
        red, green, blue, alpha = (float(part) for part in re.findall(r"[\d.]+", colour))
        return (red, green, blue), alpha
    red, green, blue = (float(int(colour[place : place + 2], 16)) for place in (1, 3, 5))
    return (red, green, blue), 1.0


def over(colour: str, ground: Colour, opacity: float = 1.0) -> Colour:
    """Return what a colour becomes on a ground."""
    above, alpha = parsed(colour)
    share = alpha * opacity
    red, green, blue = (share * mine + (1 - share) * theirs for mine, theirs in zip(above, ground, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: Colour, second: Colour) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def figures(view: StudyView) -> dict[str, go.Figure]:
    """Return every figure of a study, and of a replay of as many policies as there are colours."""
    crowd = tuple(replace(trial, number=100 + place) for place, trial in enumerate(view.measured(State.STOPPED) * 4))
    crowded = replace(view, trials=(*view.trials, *crowd))
    planes = [(objective, "accuracy") for objective in ("macs", "params")]
    drawn = {f"front {x}": front.figure(front.info(view, x, y)) for x, y in planes}
    drawn |= {"crowded front": front.figure(front.info(crowded)), "curves": curves.figure(curves.info(view))}
    drawn |= {f"progress {each}": progress.figure(progress.info(view), each) for each in ("trials", "seconds")}
    drawn |= {f"choice {name}": choices.figure(choices.info(view, name)) for name in view.searched()}
    drawn |= {"edf": edf.figure(edf.info(view)), "importance": importance.figure(importance.info(view))}
    grown = [growth(f"policy {place}") for place in range(len(theme.PALETTE))]
    drawn |= {f"analysis {kind}": kinds.FIGURES[kind].figure(kinds.FIGURES[kind].info(make()))
              for kind, make in EXAMPLES.items()}  # fmt: skip
    return drawn | {"replay": replays.figure(replays.Replays(subtitle="", growths=tuple(grown)))}


def growth(policy: str) -> replays.Growth:
    return replays.Growth(policy=policy, axis="trials", places=(0.0, 1.0), means=(0.1, 0.9), deviations=(0.0, 0.1))


@pytest.fixture(scope="module")
def drawn(view: StudyView) -> dict[str, go.Figure]:
    return figures(view)


def traces(drawn: dict[str, go.Figure]) -> Iterator[tuple[str, go.Figure, Any]]:
    for name, figure in drawn.items():
        assert figure.data, f"{name} is empty and would prove nothing"
        yield from ((f"{name}, {trace.type} {trace.name}", figure, trace) for trace in figure.data)


def _of_markers(marker: Any) -> Iterator[list[str]]:
    yield [colour for colour in (marker.color, marker.line.color) if colour]


def marks(trace: Any) -> Iterator[list[str]]:
    """Return for each kind of mark that a trace draws the colours by one of which it is seen."""
    if trace.type in ("heatmap", "image"):  # of shades, each told by its tooltip and the table
        return
    mode = trace.mode if trace.type == "scatter" else "markers"
    if "lines" in mode:
        yield [trace.line.color]
    if "text" in mode:
        yield [trace.textfont.color]
    if "markers" in mode and trace.type != "box":
        yield from _of_markers(trace.marker)
    if trace.type == "box" and parsed(trace.line.color)[1]:  # a box of a few is not drawn
        yield [trace.line.color]


def test_the_formula_is_the_published_one() -> None:
    assert contrast(WHITE, (0.0, 0.0, 0.0)) == pytest.approx(21)
    assert contrast(WHITE, parsed("#777777")[0]) == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("colour", [*theme.PALETTE, theme.DOMINATED, theme.QUIET])
def test_every_colour_of_a_mark_is_seen_on_white(colour: str) -> None:
    assert contrast(parsed(colour)[0], WHITE) >= MARK


def test_every_mark_is_seen_on_its_plot(drawn: dict[str, go.Figure]) -> None:
    for name, figure, trace in traces(drawn):
        ground = parsed(figure.layout.template.layout.plot_bgcolor)[0]
        opacity = (trace.opacity or 1.0) * ((trace.marker.opacity or 1.0) if "marker" in trace else 1.0)
        for colours in marks(trace):
            best = max(contrast(over(colour, ground, opacity), ground) for colour in colours)
            assert best >= MARK, (name, colours, best)


def test_points_are_seen_in_their_box(drawn: dict[str, go.Figure]) -> None:
    boxes = [trace for _, _, trace in traces(drawn) if trace.type == "box" and parsed(trace.fillcolor)[1]]
    assert boxes
    for box in boxes:
        ground = over(box.fillcolor, WHITE)
        assert contrast(over(theme.FRONT, ground, theme.CROWDED), ground) >= MARK


def test_every_tooltip_is_read_whatever_the_colour_of_its_mark(drawn: dict[str, go.Figure]) -> None:
    for name, figure, trace in traces(drawn):
        label = figure.layout.template.layout.hoverlabel
        ground = over(label.bgcolor, WHITE)
        assert contrast(parsed(label.font.color)[0], ground) >= TEXT, name
        assert contrast(parsed(label.bordercolor)[0], WHITE) >= MARK, name
        assert not any(trace.hoverlabel.to_plotly_json().values()), f"{name} has a tooltip of its own"


def test_no_tooltip_has_a_second_box_in_the_colour_of_its_mark(drawn: dict[str, go.Figure]) -> None:
    for name, _, trace in traces(drawn):
        assert trace.hoverinfo in ("text", "skip") or trace.hovertemplate.endswith("<extra></extra>"), name


def test_titles_axes_and_notes_are_read() -> None:
    layout = theme.template().layout
    ground = parsed(layout.paper_bgcolor)[0]
    shown = [layout.font, layout.title.subtitle.font]
    shown += [font for axis in (layout.xaxis, layout.yaxis) for font in (axis.tickfont, axis.title.font)]
    assert all(contrast(parsed(font.color)[0], ground) >= TEXT for font in shown)


def test_a_long_line_of_a_tooltip_is_broken() -> None:
    long = "bottleneck, depth 3-4-6-3, k = 0.25, C = 16, dropout between 0.07"
    first, *rest = theme.hover(("trial 1", long)).split("<br>")
    assert (first, " ".join(rest)) == ("<b>trial 1</b>", long)
    assert max(map(len, rest)) <= theme.WIDEST
