"""Run the study that a file describes, or go on with it.

python -m search.launch space.yaml [--set scheduler.max_epochs=3] [--dry-run]
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from search import cli
from search.core.arguments import whole
from search.core.commands import again
from search.core.interrupts import interrupts


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    started_at = datetime.now(UTC)
    told = [again("search.launch", argv)]
    interrupts.line = lambda: f"interrupted; nothing is lost, go on with: {told[-1]}"

    def act(given: argparse.Namespace) -> int:
        with cli.loading():
            from search.driver.launching import launch  # takes seconds, in which a signal is heeded

        return launch(given, started_at, told.append)

    return cli.run(_parser(), argv, act, interrupted=lambda: interrupts.line())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.launch", description="Run a study, or go on with it.")
    parser.add_argument("file", type=Path, help="the study's file, such as space.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one leaf")
    parser.add_argument("--dry-run", action="store_true", help="look over the space and the cost, and exit")
    parser.add_argument("--address", help="a Ray cluster to join, such as auto")
    parser.add_argument("--within", metavar="FOLDER", help="run in this folder and refuse paths outside it")
    parser.add_argument("--folder", metavar="FOLDER", help="make this folder if need be, and run there")
    parser.add_argument("--grow", action="store_true", help="let a study's space and constraints be changed")
    parser.add_argument("--share", action="store_true", help="let other launches that say so join this study")
    parser.add_argument("--sqlite-on-driver", action="store_true", help="keep a SQLite file although others train too")
    parser.add_argument("--report", type=Path, default=Path("report.html"), help="where the report goes")
    parser.add_argument("--no-report", action="store_true", help="write no report")
    parser.add_argument("--page", action="store_true", help="show the study meanwhile on a page of this machine")
    parser.add_argument("--page-port", type=whole(0, 65535), metavar="N", help="where that page listens")
    parser.add_argument("--verbose", action="store_true", help="show what Ray says, and what happens to each trial")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    interrupts.heed()
    sys.exit(main())
