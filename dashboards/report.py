"""Write one self-contained page on a study.

python -m dashboards.report URL --study S -o report.html
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dashboards import sections
from dashboards.frames import StudyView
from dashboards.page import document, write_page
from search import cli
from search.core.environment import expand
from search.storage.store import Store


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return cli.run(parser(), argv, write)


def write(given: argparse.Namespace) -> int:
    """Write the report that is asked for, and return the exit code."""
    with Store.reading(expand(given.url, os.environ), cli.warn) as store:
        view = StudyView.read(store, given.study)
    path = write_report(view, given.output)
    print(f"{path}: {len(view.front)} on the front of {len(view.complete)} trained in full")
    return cli.DONE


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="python -m dashboards.report", description="Write one self-contained page on a study."
    )
    made.add_argument("url", metavar="URL", help="the database, such as sqlite:///widefront.db; ${NAME} is looked up")
    made.add_argument("--study", metavar="S", help="its name; not needed where the database holds one study")
    made.add_argument(
        "-o", "--output", metavar="FILE", type=Path, default=Path("report.html"), help="the page (default: %(default)s)"
    )
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return made


def write_report(view: StudyView, path: Path) -> Path:
    """Write the page, make its folder if need be, and return its path.

    Raises:
        InputError: the page cannot be written there.
    """
    return write_page(path, render(view))


def render(view: StudyView) -> str:
    """Return the page; the same study gives the same bytes."""
    return document(f"{view.study.name}: the front", sections.everything(view))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
