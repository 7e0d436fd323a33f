"""Draw how simulated studies grew: the share of the hypervolume by trials, epochs and simulated time.

python -m search.simulate space.yaml --table T.parquet --json | python -m dashboards.replays - -o replay.html
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards import theme
from dashboards.page import document, plot, write_page
from search import cli
from search.core.trajectory import Trajectory
from search.core.units import format_number_of
from spaces.errors import InputError

TITLE = "Replayed studies"
FIGURE = "How their fronts grew"
READING = "A line is the mean over the seeds, its band one standard deviation to each side."
AXES = {"trials": "trials ended (count)", "epochs": "epochs trained (count)", "hours": "simulated time (h)"}
POINTS = 120  # along an axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How one policy's studies grew along one axis: mean and standard deviation of the share at each place."""

    policy: str
    axis: str
    places: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replays:
    """What a replay found."""

    subtitle: str
    growths: tuple[Growth, ...]


def info(replay: Mapping[str, Any]) -> Replays:
    """Return the growth of every policy along every axis on which there is more than one place."""
    seeds, workers = format_number_of("seed", replay["seeds"]), format_number_of("worker", replay["workers"])
    against = " against ".join(replay["objectives"])
    names = [each["policy"] for each in replay["policies"]]
    grown = [each for each in map(Trajectory.from_json, replay["runs"]) if len(each.shares)]
    axes = [axis for axis in AXES if axis == "trials" or any(each.epochs[-1] > len(each.epochs) for each in grown)]
    growths = [
        _growth(name, axis, theirs, max(each.total(axis) for each in grown))
        for axis in axes
        for name in names
        if (theirs := [each for each in grown if each.policy == name])
    ]
    return Replays(subtitle=f"{replay['table']}: {against}; {seeds}, {workers}", growths=tuple(growths))


def _growth(policy: str, axis: str, grown: Sequence[Trajectory], end: float) -> Growth:
    places = np.linspace(0, end, POINTS + 1)
    shares = np.array([each.at(axis, places) for each in grown])
    return Growth(
        policy=policy,
        axis=axis,
        places=tuple(places.tolist()),
        means=tuple(shares.mean(axis=0).tolist()),
        deviations=tuple(shares.std(axis=0).tolist()),
    )


def figure(replays: Replays) -> go.Figure:
    """Draw a line for each policy, with its standard deviation as a band."""
    axes = list(dict.fromkeys(growth.axis for growth in replays.growths))
    if not axes:
        return theme.message(FIGURE, "No trial has ended.")
    drawn = make_subplots(rows=1, cols=len(axes), shared_yaxes=True, horizontal_spacing=0.04)
    blank = theme.blank(FIGURE, replays.subtitle, height=480)
    drawn.update_layout(template=blank.layout.template, title=blank.layout.title, height=blank.layout.height)
    colors = dict(zip(dict.fromkeys(each.policy for each in replays.growths), theme.PALETTE * 9, strict=False))
    for growth in replays.growths:
        column = axes.index(growth.axis) + 1
        for trace in _traces(growth, colors[growth.policy], first=column == 1):
            drawn.add_trace(trace, row=1, col=column)
    for column, axis in enumerate(axes, 1):
        drawn.update_xaxes(title={"text": AXES[axis]}, rangemode="tozero", row=1, col=column)
    drawn.update_yaxes(title={"text": "share of the true hypervolume (%)"}, tickformat=".0%", row=1, col=1)
    return drawn


def _traces(growth: Growth, color: str, *, first: bool) -> list[go.Scatter]:
    low = [mean - deviation for mean, deviation in zip(growth.means, growth.deviations, strict=True)]
    high = [mean + deviation for mean, deviation in zip(growth.means, growth.deviations, strict=True)]
    band = go.Scatter(
        x=[*growth.places, *reversed(growth.places)], y=[*high, *reversed(low)], fill="toself",
        fillcolor=theme.faint(color, 0.12), line={"color": color, "width": 0.5}, mode="lines", hoverinfo="skip",
        showlegend=False, legendgroup=growth.policy,
    )  # fmt: skip
    name = theme.escape(growth.policy)
    line = go.Scatter(
        x=growth.places, y=growth.means, mode="lines", line={"color": color, "width": 2}, name=name,
        showlegend=first, legendgroup=growth.policy, hovertemplate=f"{name}: %{{y:.1%}}<extra></extra>",
    )  # fmt: skip
    return [band, line]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboards.replays", description="Draw how simulated studies grew."
    )
    parser.add_argument("file", help="what search.simulate --json printed, or - for standard input")
    parser.add_argument("-o", "--out", type=Path, default=Path("replay.html"), help="the page to write")
    return cli.run(parser, argv, _draw)


def _draw(given: argparse.Namespace) -> int:
    write_page(given.out, document(TITLE, [f"<h1>{TITLE}</h1>", plot("plot-replay", _drawn(given.file), READING)]))
    return cli.DONE


def _drawn(file: str) -> go.Figure:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return figure(info(json.loads(text)))
    except OSError as error:
        raise InputError(error.strerror or str(error), place=file) from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError("is not what search.simulate --json prints", place=file) from error


if __name__ == "__main__":
    sys.exit(main())
