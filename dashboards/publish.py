"""Put a study where people look: the report as a file, the front as a plot in Optuna Dashboard.

    python -m dashboards.publish URL --study S -o report.html

The one file here that speaks Optuna: its dashboard takes plots through a study of Optuna's.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from optuna import load_study
from optuna_dashboard import save_plotly_graph_object

from dashboards import front, report
from dashboards.frames import StudyView
from search import cli
from search.core.environment import expand
from search.storage.store import Store
from search.storage.url import optunas_url

PLOT = "widefront-front"


def main(argv: Sequence[str]) -> int:
    """Write the report, then the plot, and return the exit code."""
    parser = report.parser()
    parser.add_argument("--plot-only", action="store_true", help="write no report")
    return cli.run(parser, argv, _publish)


def _publish(given: argparse.Namespace) -> int:
    code = cli.DONE if given.plot_only else report.write(given)
    save_plot(expand(given.url, os.environ), given.study)
    return code


def save_plot(url: str, study: str | None) -> None:
    """Store the front's figure with Optuna's study; a later one takes its place."""
    with Store.open(url, create=False) as store:
        view = StudyView.read(store, study)
    figure = front.figure(front.info(view))
    save_plotly_graph_object(
        load_study(study_name=view.study.name, storage=optunas_url(url)), figure, graph_object_id=PLOT
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
