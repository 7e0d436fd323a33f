"""Put a finished study where people look: the report as a file, the front as a plot in Optuna Dashboard.

python -m dashboards.publish URL --study S -o report.html
"""

import os
import sys
from collections.abc import Sequence

from optuna import load_study
from optuna_dashboard import save_plotly_graph_object

from dashboards import front, report
from dashboards.frames import StudyView
from search.environment import expand
from search.store import Store

PLOT = "widefront-front"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report, then the plot, and return the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    url = expand(given[0], os.environ)
    code = report.main([url, *given[1:]])
    if code == 0:
        save_plot(url, given[given.index("--study") + 1])
    return code


def save_plot(url: str, study: str) -> None:
    """Store the front's figure with Optuna's study; a later one takes its place."""
    with Store.open(url, create=False) as store:
        view = StudyView.read(store, study)
    save_plotly_graph_object(
        load_study(study_name=study, storage=url), front.figure(front.info(view)), graph_object_id=PLOT
    )


if __name__ == "__main__":
    sys.exit(main())
