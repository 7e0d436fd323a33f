"""Put a study where people look: the report as a file; plots, and a note on how to read them, in Optuna Dashboard.

    python -m dashboards.publish URL --study S -o report.html

The one file here that speaks Optuna: its dashboard takes both through a study of Optuna's.
"""

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime

import plotly.graph_objects as go
from optuna import load_study
from optuna_dashboard import get_note, save_note, save_plotly_graph_object

from dashboards import curves, front, guide, importance, report, theme
from dashboards.frames import StudyView
from search import cli
from search.core.environment import expand
from search.storage.url import optunas_url

PLOT = "widefront-front"
HEIGHT = 450  # pixels that the dashboard has for a plot, whatever the plot asks for
TOP, LINE, BOTTOM = 40, 17, 110  # pixels of a title, of each line below it, of an axis with a legend below
WIDTH = 76  # characters of a line in half a page
MOST_CURVES = 200  # a dashboard sends every plot each time that it looks for news


def main(argv: Sequence[str]) -> int:
    """Write the report, then the plot, and return the exit code."""
    parser = report.parser()
    parser.add_argument("--plot-only", action="store_true", help="write no report")
    return cli.run(parser, argv, _publish)


def _publish(given: argparse.Namespace) -> int:
    view = report.asked(given)
    code = cli.DONE if given.plot_only else report.write(given, view)
    save(expand(given.url, os.environ), view, datetime.now(UTC))
    return code


def save(url: str, view: StudyView, now: datetime) -> None:
    """Store figures and a note with Optuna's study; later ones take their places."""
    theirs = load_study(study_name=view.study.name, storage=optunas_url(url))
    for name, figure in figures(view).items():
        save_plotly_graph_object(theirs, fitted(figure, now), graph_object_id=name)
    before = get_note(theirs)
    if (told := guide.note(view, before)) != before:
        save_note(theirs, told)


def figures(view: StudyView) -> dict[str, go.Figure]:
    """Return what is shown of a study, by the name under which it is stored."""
    planes = {PLOT + (f"-{place}" if place else ""): pair for place, pair in enumerate(front.pairs(view))}
    return {
        **{name: front.figure(front.info(view, *pair)) for name, pair in planes.items()},
        "widefront-curves": curves.figure(curves.latest(curves.info(view), MOST_CURVES)),
        "widefront-importance": importance.figure(importance.info(view)),
    }


def fitted(figure: go.Figure, now: datetime) -> go.Figure:
    """Return a figure as the dashboard can show it: its plotly keeps no room for lines below a title, nor a legend."""
    _, told = theme.headings(figure)
    lines = textwrap.wrap(f"{told}{'; ' if told else ''}as of {now:%Y-%m-%d %H:%M} UTC", WIDTH)
    margin = {"t": TOP + LINE * len(lines), "b": BOTTOM, "l": 80}
    subtitle = "<br>".join(map(theme.escape, lines))
    return figure.update_layout(
        height=HEIGHT, margin=margin, title={"automargin": False, "subtitle": {"text": subtitle}},
        legend={"yref": "container", "y": 0, "yanchor": "bottom"},
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
