"""Train the front's networks again with other seeds, until it is known which of them belong there.

python -m search.confirm URL --study S [--seeds 5] [--trials 3,18 | --front | --near 2] [--folds 5] [--test]
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from search import cli
from search.core.arguments import add_study, number, numbers, whole
from search.core.commands import again
from search.core.environment import expand
from search.core.interrupts import interrupts


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    started_at = datetime.now(UTC)
    told = again("search.confirm", argv)
    interrupts.line = lambda: f"interrupted; nothing is lost, go on with: {told}"
    return cli.run(_parser(), argv, lambda given: _act(given, started_at), interrupted=lambda: interrupts.line())


def _act(given: argparse.Namespace, started_at: datetime) -> int:
    with cli.loading():
        from search.core.columns import row_of  # all of these take seconds, in which a signal is heeded
        from search.core.terminal import make_console
        from search.driver.confirming import Asked, confirm, show
        from search.driver.publishing import publish
        from search.study.seeds import SeedPlan
        from spaces.cli import INTERRUPTED
        from spaces.errors import StudyError

    plan = SeedPlan(
        seeds=given.seeds, trials=given.trials, near=0.0 if given.front else given.near, level=given.level,
        trainings=given.trainings, folds=given.folds, packed=given.packed,
    )  # fmt: skip
    asked = Asked(
        url=given.url, study=given.study, plan=plan, test=given.test, hours=given.hours, address=given.address,
        verbose=given.verbose, checkpoints=given.checkpoints,
    )  # fmt: skip
    console = make_console(stderr=given.json)
    found = confirm(asked, console, started_at)
    try:
        if given.json:
            print(json.dumps([row_of(found.study, trial) for trial in found.shown], indent=2))
        else:
            show(found, console)
        sys.stdout.flush()
    finally:  # nobody may read any more
        if found.news:
            publish(expand(given.url, os.environ), found.study.name, None)  # Optuna Dashboard's plot, two seconds
    if not found.over:
        return INTERRUPTED
    if failed := found.all_failed:
        raise StudyError(failed)
    return cli.DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m search.confirm", description="Train the networks of a front again with other seeds."
    )
    add_study(parser)
    parser.add_argument("--seeds", type=whole(1, 1000), default=5, help="of each network at most (default: 5)")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--trials", type=numbers, default=(), metavar="3,18", help="these, each with all its seeds")
    who.add_argument("--front", action="store_true", help="the front alone")
    who.add_argument("--near", type=number(0, 100), default=2.0, metavar="N",
                     help="the front and what is less than N deviations off it (default: 2)")  # fmt: skip
    parser.add_argument("--level", type=number(0.5, 1), default=0.95, help="at which a place counts as known")
    parser.add_argument("--trainings", type=whole(0, 10**6), metavar="N", help="at most so many in all")
    parser.add_argument("--hours", type=number(0, 10**6), help="at most so long, this time")
    parser.add_argument("--folds", type=whole(2, 100), metavar="K", help="measure on each of K parts, not by seeds")
    parser.add_argument("--packed", choices=("auto", "never"), default="auto",
                        help="train seeds of a network together where that pays (default: auto)")  # fmt: skip
    parser.add_argument("--test", action="store_true", help="then measure on the test split; each look is recorded")
    parser.add_argument("--checkpoints", metavar="FOLDER", help="where the study's weights lie now, or its URL")
    parser.add_argument("--address", help="a Ray cluster to join, such as auto")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.add_argument("--verbose", action="store_true", help="show what Ray says")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    interrupts.heed()
    sys.exit(main())
